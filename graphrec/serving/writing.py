"""From a request to a change of the run, and from the change to an answer."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from graphrec.live_run import Change, LiveRun
from graphrec.serving.access_log import note
from graphrec.serving.answers import Refused, WriteAnswer
from graphrec.serving.idempotency import HEADER
from graphrec.serving.limits import MAX_ITEMS, Limits
from graphrec.serving.problems import FieldProblem, ProblemError, in_fields
from graphrec.serving.reply import reply
from graphrec.serving.requests import Item, Items
from graphrec.serving.service import service_of
from graphrec.serving.uploads import JSON, Upload, check_picture, content_type, not_fitting, read_form, read_uploads

_ITEMS: TypeAdapter[list[Item]] = TypeAdapter(Items)
_PART = "items"


@dataclass(frozen=True)
class SentItems:
    """Items with their pictures, by item id."""

    items: list[Item]
    pictures: dict[str, Upload]
    digest: bytes
    """Of all that was sent."""
    limits: Limits

    def check_columns(self) -> None:
        """Raise ProblemError (422) where items name different columns: a table would empty what one of them lacks."""
        names = [set(item.row()) | ({"image"} if item.image is not None else set()) for item in self.items]
        for place, other in enumerate(names):
            if other != names[0]:
                column = min(other ^ names[0])
                raise ProblemError(
                    422, f"items.{place}: {column} is given for some items alone; send items with other columns apart."
                )

    def write(self, live: LiveRun, method: Callable[..., Change], site: str | None) -> Change:
        """Look at the pictures and write: `method` is one of the run's.

        Pictures lie in a folder of their own meanwhile. The paths of all columns start there, so no request can name
        a file of this machine.
        """
        for place, item in enumerate(self.items):
            if item.item_id in self.pictures:
                check_picture(self.pictures[item.item_id], f"items.{place}.image", self.limits)
        with TemporaryDirectory(prefix="graphrec-upload-") as root:
            rows = []
            for place, item in enumerate(self.items):
                upload = self.pictures.get(item.item_id)
                if upload is not None:
                    for folder in _picture_folders(live, Path(root)):
                        (folder / str(place)).write_bytes(upload.data)
                rows.append(item.row() if upload is None else {**item.row(), "image": str(place)})
            return method(rows, root=Path(root), site=site)


def _picture_folders(live: LiveRun, root: Path) -> list[Path]:
    """Where the run's descriptions look for the pictures of items."""
    folders = [root / one.image_folder for one in live.model.train_.description.item_files]  # none leaves the root
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


async def read_items(request: Request) -> SentItems:
    """The body: a list as JSON, or as the part `items` of a form with the pictures that `image` names.

    Raises ProblemError as `uploads.read_query`, and for a picture that is named and not sent, or sent and not named.
    """
    limits = service_of(request).limits
    if content_type(request) == JSON:
        body = await request.body()
        return _joined(body, [], limits)
    async with read_form(request, MAX_ITEMS) as form:
        if set(form) - {_PART, "pictures"} or len(form.getlist(_PART)) != 1:
            raise ProblemError(422, "Expected one part items, with a JSON list, and files under pictures.")
        part = form[_PART]
        text = part.encode() if isinstance(part, str) else await part.read()
        return _joined(text, await read_uploads(form, limits), limits)


def _joined(text: bytes, uploads: Sequence[Upload], limits: Limits) -> SentItems:
    try:
        items = _ITEMS.validate_json(text, strict=True)
    except ValidationError as error:
        raise not_fitting(error) from None
    by_name = {upload.name: upload for upload in uploads}
    if len(by_name) < len(uploads):
        raise ProblemError(422, "pictures: two files have one name.")
    pictures = {}
    for place, item in enumerate(items):
        if item.image is None:
            continue
        if item.image not in by_name:
            raise ProblemError(
                422, f"items.{place}.image: no such file was sent under pictures; pictures are uploaded, never fetched."
            )
        pictures[item.item_id] = by_name[item.image]
    if spare := set(by_name) - {item.image for item in items}:
        raise ProblemError(422, f"pictures: {len(spare)} of the files belong to no item: name each as image of one.")
    digest = hashlib.sha256(text)
    for upload in uploads:
        digest.update(hashlib.sha256(upload.data).digest())
    return SentItems(items, pictures, digest.digest(), limits)


async def write_once(request: Request, digest: bytes, num_rows: int, change: Callable[[LiveRun], Change]) -> Response:
    """Do the change in a thread, once for each Idempotency-Key, and answer what was taken in.

    Raises ProblemError (422) where no row was.
    """
    service = service_of(request)
    note(request.scope, ids=num_rows)

    async def write() -> Response:
        done = await service.work_long(change, service.live)
        return reply(_answer(done, service.live))

    client = f"{request.headers.get('authorization', '')} {request.method} {request.url.path}"
    return await service.remembered.once(client, request.headers.get(HEADER), digest, write)


def _answer(change: Change, live: LiveRun) -> WriteAnswer:
    rows = change.set_aside.rows
    refused = [
        Refused(row=int(row), column=str(column), reason=in_fields(str(reason)))
        for row, column, reason in zip(rows["row"], rows["column"], rows["reason"], strict=True)
    ]
    if refused and not change.ids:
        first = refused[0]
        errors = [FieldProblem(field=f"{one.row - 1}.{one.column}", message=one.reason) for one in refused]
        raise ProblemError(422, f"Nothing was taken in. Row {first.row}, {first.column}: {first.reason}", errors)
    return WriteAnswer(
        model_version=live.version,
        sequence=change.sequence,
        ids=list(change.ids),
        set_aside=refused,
        left_out=change.set_aside.left_out,
        notes=[in_fields(line) for line in (*change.set_aside.notes, *change.set_aside.warnings)],
        retrain_due=change.drift.is_retrain_due,
    )
