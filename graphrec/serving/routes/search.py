"""`/v1/search`: items by text, picture, items, or any mix; nobody's history is looked at."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from graphrec.serving.access import requires
from graphrec.serving.access_log import note
from graphrec.serving.answers import SearchAnswer
from graphrec.serving.limits import MAX_PICTURES
from graphrec.serving.openapi import query_body
from graphrec.serving.problems import documented
from graphrec.serving.recommending import search
from graphrec.serving.reply import reply
from graphrec.serving.requests import SearchRequest
from graphrec.serving.service import service_of
from graphrec.serving.uploads import Upload, read_query

router = APIRouter(prefix="/v1/search", tags=["search"], dependencies=[Depends(requires("read"))])


@router.get("", response_model=SearchAnswer, responses=documented(401, 403, 413, 422, 503))
async def search_by_query(request: Request, query: Annotated[SearchRequest, Query()]) -> Response:
    """Items nearest to a text or to items."""
    return await _answer(request, query, [])


@router.post(
    "",
    response_model=SearchAnswer,
    responses=documented(400, 401, 403, 413, 415, 422, 503),
    openapi_extra=query_body(SearchRequest, MAX_PICTURES),
)
async def search_by_body(request: Request) -> Response:
    """Items nearest to texts, pictures, items, or any mix ("like this, but red, not blue")."""
    query, pictures = await read_query(request, SearchRequest, MAX_PICTURES)
    return await _answer(request, query, pictures)


async def _answer(request: Request, query: SearchRequest, pictures: list[Upload]) -> Response:
    service = service_of(request)
    note(request.scope, k=query.k, ids=len(query.items), texts=len(query.text), pictures=len(pictures))
    # Items alone have their vectors; anything else goes through CLIP first.
    is_looked_up = not (query.text or query.but or query.without or pictures)
    work = service.work if is_looked_up else service.work_long
    return reply(await work(search, service.snapshot(), query, pictures, service.limits))
