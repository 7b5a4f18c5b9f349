"""Bodies as JSON, or as a form with pictures: the same fields either way. Pictures are uploaded, never fetched."""

import io
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, get_origin

from fastapi import Request
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from graphrec.data.pictures import FORMATS, why_not_opened
from graphrec.errors import GraphRecError
from graphrec.serving.limits import Limits
from graphrec.serving.problems import ProblemError, invalid
from graphrec.serving.service import service_of

JSON = "application/json"
FORM = "multipart/form-data"
PICTURES = "pictures"
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Upload:
    """A picture as it came, not yet looked at."""

    name: str
    data: bytes


async def read_query(request: Request, model: type[M], max_pictures: int) -> tuple[M, list[Upload]]:
    """The body as this model, and its pictures.

    Raises ProblemError: 400 for a body that is not what its type says, 415 for another type, 422 for one that does not
    fit the model, 413 for a picture that is too large.
    """
    if content_type(request) == JSON:
        return parsed(model, await request.body()), []
    async with read_form(request, max_pictures) as form:
        values: dict[str, object] = {}
        for name in form:
            if name != PICTURES:
                given = form.getlist(name)
                field = model.model_fields.get(name)
                values[name] = given if field is not None and get_origin(field.annotation) is list else given[-1]
        try:
            query = model.model_validate(values)
        except ValidationError as error:
            raise invalid(error) from None
        return query, await read_uploads(form, service_of(request).limits)


def content_type(request: Request) -> str:
    """JSON or FORM; no type at all counts as JSON. Raises ProblemError (415) for another."""
    given = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if given not in (JSON, FORM):
        raise ProblemError(415, f"Expected {JSON} or {FORM}.")
    return given


def require_json(request: Request) -> None:
    """Raise ProblemError (415) for a body of another type."""
    if content_type(request) != JSON:
        raise ProblemError(415, f"Expected {JSON}.")


def parsed(model: type[M], body: bytes) -> M:
    """JSON as this model, its types taken strictly."""
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise not_fitting(error) from None


def not_fitting(error: ValidationError) -> ProblemError:
    """400 for what is no JSON, 422 for JSON of another shape."""
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return ProblemError(400, f"The body is not JSON in UTF-8: {error.errors()[0]['msg']}.")
    return invalid(error)


@asynccontextmanager
async def read_form(request: Request, max_pictures: int) -> AsyncIterator[FormData]:
    """The parts of a form; what it keeps on disk is deleted after the block. 400 where it is none."""
    async with request.form(
        max_files=max_pictures, max_fields=_MAX_FIELDS, max_part_size=service_of(request).limits.body_bytes
    ) as form:
        yield form


_MAX_FIELDS = 10_000


async def read_uploads(form: FormData, limits: Limits) -> list[Upload]:
    """The files under `pictures`."""
    uploads = []
    for given in form.getlist(PICTURES):
        if not isinstance(given, UploadFile):
            raise ProblemError(422, f"{PICTURES}: expected a file; pictures are uploaded, no address is fetched.")
        if (given.size or 0) > limits.picture_bytes:
            raise ProblemError(413, f"A picture has more than {limits.picture_bytes:,} bytes: send a smaller one.")
        uploads.append(Upload(given.filename or "", await given.read()))
    return uploads


def check_picture(upload: Upload, what: str, limits: Limits) -> None:
    """Look at the header alone. Raises ProblemError: 422 where it is no picture, 413 where it has too many pixels."""
    try:
        with Image.open(io.BytesIO(upload.data), formats=FORMATS) as image:
            num_pixels = image.width * image.height
    except Image.DecompressionBombError:
        num_pixels = limits.picture_pixels + 1
    except Exception as error:
        raise ProblemError(422, f"{what}: {why_not_opened(error)}; expected {', '.join(FORMATS)}.") from None
    if num_pixels > limits.picture_pixels:
        raise ProblemError(413, f"{what}: more than {limits.picture_pixels:,} pixels: send a smaller one.")


@contextmanager
def picture_files(uploads: Sequence[Upload], limits: Limits) -> Iterator[list[Path]]:
    """The pictures as files that nobody else can read, for as long as the block lasts.

    Errors about them name the picture by its place in the request.
    """
    if not uploads:
        yield []
        return
    for place, upload in enumerate(uploads):
        check_picture(upload, f"{PICTURES}.{place}", limits)
    with TemporaryDirectory(prefix="graphrec-upload-") as folder:
        paths = [Path(folder) / f"{PICTURES}.{place}" for place in range(len(uploads))]
        for path, upload in zip(paths, uploads, strict=True):
            path.write_bytes(upload.data)
        try:
            yield paths
        except GraphRecError as error:
            raise GraphRecError(str(error).replace(f"Picture {folder}/", "")) from None
