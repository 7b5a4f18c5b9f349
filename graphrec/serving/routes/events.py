"""`/v1/events`: what people do, taken in while the run is served."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from graphrec.serving.access import requires
from graphrec.serving.answers import WriteAnswer
from graphrec.serving.limits import MAX_ID_CHARACTERS
from graphrec.serving.openapi import rows_body, written_once
from graphrec.serving.problems import documented
from graphrec.serving.requests import Event, Events
from graphrec.serving.uploads import not_fitting, require_json
from graphrec.serving.writing import write_once

router = APIRouter(prefix="/v1/events", tags=["events"], dependencies=[Depends(requires("write"))])
Site = Annotated[
    str | None,
    Query(max_length=MAX_ID_CHARACTERS, description="Where sites describe their logs apart: whose these are."),
]
_EVENTS: TypeAdapter[list[Event]] = TypeAdapter(Events)


@router.post(
    "",
    response_model=WriteAnswer,
    responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
    openapi_extra=written_once(rows_body(Events, "events")),
)
async def add_events(request: Request, site: Site = None) -> Response:
    """Take in what people did: the next answer for them knows it, new people included."""
    require_json(request)
    body = await request.body()
    try:
        events = _EVENTS.validate_json(body, strict=True)
    except ValidationError as error:
        raise not_fitting(error) from None
    rows = [event.row() for event in events]
    return await write_once(request, body, len(rows), lambda live: live.add_events(rows, site=site))
