"""The application: routes, middleware and handlers put together, each of which knows nothing of the others."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from graphrec import __version__
from graphrec.errors import GraphRecError
from graphrec.serving.access_log import AccessLog
from graphrec.serving.body_limit import BodyLimit
from graphrec.serving.metrics import Metrics
from graphrec.serving.openapi import describe
from graphrec.serving.parameters import refuse_unknown
from graphrec.serving.problems import add_handlers
from graphrec.serving.routes import events, health, items, recommend, search
from graphrec.serving.same_site import SameSite
from graphrec.serving.service import Service


def create_app(
    service: Service, log: Any, cors: Sequence[str] = (), hosts: Sequence[str] | None = None, docs: bool = False
) -> FastAPI:
    """An ASGI application that answers from the service's run, which it starts to load when it starts.

    `cors` are origins whose pages may call it; `hosts` are the names by which it may be called where there are no keys
    (None: any); `docs` adds a page at /docs whose script the reader's browser fetches from a CDN. Raises GraphRecError
    for an origin that is none.
    """
    check_origins(cors)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="graphrec",
        version=__version__,
        description="Candidates, search and changes of one graphrec run.",
        lifespan=running,
        docs_url="/docs" if docs else None,
        redoc_url=None,
        redirect_slashes=False,
    )
    metrics = Metrics(service.snapshot_or_none)
    app.state.service, app.state.metrics = service, metrics
    for module in (recommend, search, items, events):
        app.include_router(module.router, dependencies=[Depends(refuse_unknown)])
    app.include_router(health.router)
    add_handlers(app)
    describe(app, service.keys.are_required)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=service.limits.body_bytes)
    if not service.keys.are_required:
        app.add_middleware(SameSite, origins=cors, hosts=hosts)
    if cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["X-Request-ID"],
        )
    app.add_middleware(AccessLog, log=log, metrics=metrics)
    return app


def check_origins(origins: Sequence[str]) -> None:
    """Raise GraphRecError for the first that is no origin of a web page."""
    for origin in origins:
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or not rest or not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", rest):
            raise GraphRecError(f"--cors {origin}: expected an origin such as https://shop.example, no path and no *.")
