"""Every error as problem details (RFC 9457), in one shape and without a traceback."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from graphrec.errors import GraphRecError

MEDIA_TYPE = "application/problem+json"
_OPTIONS = {
    "but": "but", "exclude": "exclude", "image": "pictures", "include-seen": "include_seen", "items": "items",
    "not": "without", "only-new": "only_new", "rerank": "rerank", "site": "site", "text": "text", "weights": "weights",
    "where": "where", "without": "without",
}  # fmt: skip
"""Options of the command line → fields of a request: messages of the library name the former."""

_COMMANDS = {
    "add-items": "POST /v1/items",
    "update-items": "PATCH /v1/items",
    "remove-items": "item_ids",
}


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    """Where it stands: names and positions (from 0) with points between them; "" for the request as a whole."""
    message: str


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    type: str = "about:blank"
    title: str
    """The status in words."""
    status: int
    detail: str
    """What was wrong and what to do, in one line."""
    errors: list[FieldProblem] = []


class ProblemError(Exception):
    """Raised where a request ends with a status of its own."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}


def problem_response(
    status: int, detail: str, errors: Sequence[FieldProblem] = (), headers: dict[str, str] | None = None
) -> Response:
    """The answer that says so."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return Response(problem.model_dump_json(), status, headers, MEDIA_TYPE)


def invalid(error: ValidationError | RequestValidationError, skip: int = 0) -> ProblemError:
    """422 for a request that does not fit its schema; `skip` leading parts of a place are left out ("query", "body").

    What was sent is not repeated: it may be somebody's id.
    """
    errors = [
        FieldProblem(field=".".join(str(part) for part in one["loc"][skip:]), message=one["msg"])
        for one in error.errors()
    ]
    first = errors[0]
    more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
    return ProblemError(422, f"{first.field or 'request'}: {first.message}{more}", errors)


def in_fields(message: str) -> str:
    """A message of the library in the words of a request, on one line."""
    line = " ".join(message.split())
    for command, operation in _COMMANDS.items():
        line = line.replace(command, operation)
    return re.sub(r"--([a-z-]+)", lambda found: _OPTIONS.get(found[1], found[0]), line)


def add_handlers(app: FastAPI) -> None:
    """Turn what is raised into problem details; anything unforeseen is left to the access log's 500."""

    async def of_problem(_: Request, error: Any) -> Response:
        return problem_response(error.status, error.detail, error.errors, error.headers)

    async def of_library(_: Request, error: Any) -> Response:
        return problem_response(422, in_fields(str(error)))

    async def of_validation(_: Request, error: Any) -> Response:
        problem = invalid(error, skip=1)
        return problem_response(422, problem.detail, problem.errors)

    async def of_http(_: Request, error: Any) -> Response:
        return problem_response(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    app.add_exception_handler(ProblemError, of_problem)
    app.add_exception_handler(GraphRecError, of_library)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as an operation's `responses` in the OpenAPI document."""
    reference = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _DESCRIPTIONS[status], "content": {MEDIA_TYPE: {"schema": reference}}}
        for status in statuses
    }


_DESCRIPTIONS = {
    400: "The body cannot be read as what its content type says.",
    401: "No API key was given, or one that is not known.",
    403: "The API key lacks the scope, or a browser sent the request from another site.",
    404: "There is no such item.",
    409: "The request contradicts an earlier one.",
    413: "The request or a picture in it is too large.",
    415: "Neither JSON nor multipart/form-data.",
    422: "Something in the request cannot be used; the detail says what and why.",
    503: "The run is still being loaded, or the service is stopping.",
}
