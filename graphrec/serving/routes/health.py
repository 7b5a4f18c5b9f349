"""`/healthz`, `/readyz` and `/metrics`: for what runs and watches the service."""

from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from graphrec.serving.access import requires
from graphrec.serving.metrics import CONTENT_TYPE
from graphrec.serving.problems import ProblemError, documented
from graphrec.serving.reply import reply
from graphrec.serving.service import service_of

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """A run is loaded."""

    status: Literal["ready", "catching up"]
    """"catching up": the run before answers, while a newer one is loaded or cannot be."""
    model_version: str
    sequence: int


@router.get("/healthz", response_model=Alive)
async def healthz() -> Response:
    """Whether the process lives; needs no key."""
    return reply(Alive())


@router.get("/readyz", response_model=Ready, responses=documented(503))
async def readyz(request: Request) -> Response:
    """Whether requests can be answered; needs no key.

    It stays so while a new run is loaded: every copy of a service loads it at the same time, and the old one answers.
    """
    service = service_of(request)
    state = service.state
    if state == "loading" or state == "stopping":
        raise ProblemError(503, f"The service is {state}.", headers={"Retry-After": "1"})
    now = service.snapshot()
    return reply(Ready(status=state, model_version=now.version, sequence=now.sequence))


@router.get(
    "/metrics",
    dependencies=[Depends(requires("read"))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(401, 403)},
)
async def metrics(request: Request) -> Response:
    """For Prometheus: requests by route and status, the run and what changed in it."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE)
