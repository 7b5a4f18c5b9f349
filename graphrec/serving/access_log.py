"""One JSON line for each request, and its place in the metrics. Nobody can be recognised by either.

What is written: time, request id, method, route template, status, milliseconds, and what a handler notes of the
request's size (k, number of ids), never who or what was asked for: no user ids, item ids, texts, query strings,
addresses or headers.
"""

import logging
import sys
import time
import traceback
import uuid
from typing import Any, TextIO

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphrec.serving.metrics import Metrics
from graphrec.serving.problems import problem_response

_NOTES = "graphrec.log"


def json_lines(file: TextIO | None = None) -> Any:
    """A logger that writes JSON lines, to standard error by default."""
    return structlog.wrap_logger(
        structlog.WriteLogger(file or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.BoundLogger,
    )


def note(scope: Scope, **sizes: int | str) -> None:
    """Add to the line of this request: numbers, never what somebody sent."""
    scope.setdefault(_NOTES, {}).update(sizes)


class AccessLog:
    """ASGI middleware, the outermost: request ids, log lines, metrics, and a 500 without details for what is a bug."""

    def __init__(self, app: ASGIApp, log: Any, metrics: Metrics) -> None:
        self._app = app
        self._log = log
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # One of our own making: a caller's could name somebody.
        request_id, started, status = uuid.uuid4().hex, time.perf_counter(), 0
        scope[_NOTES] = {}

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except Exception as error:
            self._log.error("failed", request_id=request_id, error=type(error).__name__, where=_places(error))
            if status == 0:
                detail = f"Something went wrong inside; the log has it as request {request_id}."
                await problem_response(500, detail)(scope, receive, marked)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "(none)").replace(":path}", "}")
            method = scope["method"] if scope["method"] in _METHODS else "(other)"
            self._metrics.count(method, route, status, seconds)
            self._log.info(
                "request", request_id=request_id, method=method, route=route, status=status, ms=round(seconds * 1e3, 2),
                **scope[_NOTES],
            )  # fmt: skip


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}


def _places(error: BaseException) -> list[str]:
    """Files and lines, innermost last. Not the message: it may repeat what somebody sent."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]


class JsonLinesHandler(logging.Handler):
    """What the web server itself has to say, in the same lines; tracebacks as places alone."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; never raises."""
        error = record.exc_info[1] if record.exc_info else None
        places = {} if error is None else {"error": type(error).__name__, "where": _places(error)}
        message = record.msg % record.args if error is None and record.args else record.msg
        getattr(self._log, record.levelname.lower(), self._log.info)("server", message=str(message)[:500], **places)
