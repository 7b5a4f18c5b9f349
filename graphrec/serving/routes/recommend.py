"""`/v1/recommend`: a list for a user, a visitor, or somebody of whom nothing is known."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from graphrec.serving.access import requires
from graphrec.serving.access_log import note
from graphrec.serving.answers import RecommendAnswer
from graphrec.serving.limits import MAX_PICTURES
from graphrec.serving.openapi import query_body
from graphrec.serving.problems import ProblemError, documented
from graphrec.serving.recommending import recommend
from graphrec.serving.reply import reply
from graphrec.serving.requests import RecommendRequest
from graphrec.serving.service import service_of
from graphrec.serving.uploads import Upload, read_query

router = APIRouter(prefix="/v1/recommend", tags=["recommend"], dependencies=[Depends(requires("read"))])


@router.get("", response_model=RecommendAnswer, responses=documented(401, 403, 413, 422, 503))
async def recommend_by_query(request: Request, query: Annotated[RecommendRequest, Query()]) -> Response:
    """Candidates for a user or a basket. Addresses end up in logs: where ids tell who somebody is, use POST."""
    return await _answer(request, query, [])


@router.post(
    "",
    response_model=RecommendAnswer,
    responses=documented(400, 401, 403, 413, 415, 422, 503),
    openapi_extra=query_body(RecommendRequest, MAX_PICTURES),
)
async def recommend_by_body(request: Request) -> Response:
    """Candidates for a user, or for a visitor with items, texts and pictures of products from anywhere.

    Somebody unknown gets what is popular, and `basis` says so.
    """
    query, pictures = await read_query(request, RecommendRequest, MAX_PICTURES)
    if query.user_id is not None and pictures:
        raise ProblemError(422, "Give user_id, or item_ids, texts and pictures, not both.")
    return await _answer(request, query, pictures)


async def _answer(request: Request, query: RecommendRequest, pictures: list[Upload]) -> Response:
    service = service_of(request)
    ids = len(query.item_ids) + (query.user_id is not None)
    note(request.scope, k=query.k, ids=ids, texts=len(query.texts), pictures=len(pictures))
    work = service.work_long if query.texts or pictures else service.work
    return reply(await work(recommend, service.snapshot(), query, pictures, service.limits))
