"""`/v1/items`: items come, change and go while the run is served."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from graphrec.serving.access import requires
from graphrec.serving.answers import ItemAnswer, WriteAnswer
from graphrec.serving.limits import MAX_ID_CHARACTERS, MAX_ITEMS
from graphrec.serving.looking_up import look_up
from graphrec.serving.openapi import query_body, rows_body, written_once
from graphrec.serving.problems import ProblemError, documented
from graphrec.serving.reply import reply
from graphrec.serving.requests import Items, RemoveRequest
from graphrec.serving.service import service_of
from graphrec.serving.uploads import parsed, require_json
from graphrec.serving.writing import read_items, write_once

router = APIRouter(prefix="/v1/items", tags=["items"])
_READ, _WRITE = [Depends(requires("read"))], [Depends(requires("write"))]
_WRITING = documented(400, 401, 403, 409, 413, 415, 422, 503)
Site = Annotated[
    str | None,
    Query(max_length=MAX_ID_CHARACTERS, description="Where sites describe their items apart: whose these are."),
]
ItemId = Annotated[str, Path(min_length=1, max_length=MAX_ID_CHARACTERS)]


@router.post(
    "",
    response_model=WriteAnswer,
    responses=_WRITING,
    dependencies=_WRITE,
    openapi_extra=written_once(rows_body(Items, "items", MAX_ITEMS)),
)
async def add_items(request: Request, site: Site = None) -> Response:
    """Add items: recommendable with the answer, by their content alone until somebody touches them."""
    sent = await read_items(request)
    return await write_once(request, sent.digest, len(sent.items), lambda live: sent.write(live, live.add_items, site))


@router.patch(
    "",
    response_model=WriteAnswer,
    responses=_WRITING,
    dependencies=_WRITE,
    openapi_extra=written_once(rows_body(Items, "items", MAX_ITEMS)),
)
async def update_items(request: Request, site: Site = None) -> Response:
    """Change items that are there; columns that are not given stay as they are, null empties one.

    All items of one call name the same columns.
    """
    sent = await read_items(request)
    sent.check_columns()
    return await write_once(
        request, sent.digest, len(sent.items), lambda live: sent.write(live, live.update_items, site)
    )


@router.post(
    "/remove",
    response_model=WriteAnswer,
    responses=_WRITING,
    dependencies=_WRITE,
    openapi_extra=written_once(query_body(RemoveRequest)),
)
async def remove_items(request: Request) -> Response:
    """Show several items to nobody from now on."""
    require_json(request)
    body = await request.body()
    asked = parsed(RemoveRequest, body)
    return await write_once(request, body, len(asked.item_ids), lambda live: live.remove_items(asked.item_ids))


@router.delete(
    "/{item_id:path}",
    response_model=WriteAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 503),
    dependencies=_WRITE,
    openapi_extra=written_once(),
)
async def remove_item(request: Request, item_id: ItemId) -> Response:
    """Show an item to nobody from now on."""
    if look_up(service_of(request).snapshot(), item_id).is_removed:
        raise ProblemError(404, "The item was removed before.")
    return await write_once(request, b"", 1, lambda live: live.remove_items([item_id]))


@router.get(
    "/{item_id:path}", response_model=ItemAnswer, responses=documented(401, 403, 404, 413, 422, 503), dependencies=_READ
)
async def get_item(request: Request, item_id: ItemId) -> Response:
    """What is known of an item."""
    return reply(look_up(service_of(request).snapshot(), item_id))
