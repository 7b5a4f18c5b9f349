"""The web server around the application: one process, stopped gracefully by SIGTERM and Ctrl+C."""

import logging
import signal
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import uvicorn
from pydantic import BaseModel

from graphrec.device import Device
from graphrec.errors import GraphRecError
from graphrec.live_run import LiveRun
from graphrec.serving.access_log import JsonLinesHandler, json_lines
from graphrec.serving.app import create_app
from graphrec.serving.keys import ApiKeys
from graphrec.serving.limits import Limits
from graphrec.serving.same_site import LOOPBACK
from graphrec.serving.service import Service

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_GRACE = 30
"""Seconds that requests in flight get when the service is told to stop."""


class ServeSettings(BaseModel, extra="forbid", frozen=True, arbitrary_types_allowed=True):
    """What is served, to whom, and how."""

    run: Path
    device: Device = "auto"
    host: str = "127.0.0.1"
    keys: ApiKeys = ApiKeys()
    cors: tuple[str, ...] = ()
    """Origins whose web pages may call the service."""
    limits: Limits = Limits()
    docs: bool = False
    """A page at /docs, whose script the reader's browser fetches from a CDN."""

    @property
    def is_local(self) -> bool:
        """Whether this machine alone can reach it."""
        return self.host in LOOPBACK


def listen(host: str, port: int) -> socket.socket:
    """A bound socket: a port in use is found out before a run is loaded.

    Raises GraphRecError where the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise GraphRecError(f"{host}:{port} cannot be listened on ({error.strerror}): choose another --port.") from None
    except OverflowError:
        raise GraphRecError(f"No port {port}: expected 0 to 65535.") from None
    return bound


def serve(settings: ServeSettings, bound: socket.socket, announce: Callable[[LiveRun], None]) -> None:
    """Answer until told to stop; requests in flight are finished then.

    The run is loaded while the service listens; `announce` is called once it answers. Raises GraphRecError where the
    run cannot be loaded.
    """
    log, failures = json_lines(), list[Exception]()

    def give_up(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    service = Service(
        lambda: LiveRun.open(settings.run, settings.device), settings.keys, settings.limits, log, announce, give_up
    )
    app = create_app(service, log, settings.cors, LOOPBACK if settings.is_local else None, settings.docs)
    server = uvicorn.Server(
        uvicorn.Config(
            app, access_log=False, log_config=None, server_header=False, proxy_headers=False, lifespan="on",
            timeout_graceful_shutdown=_GRACE,
        )
    )  # fmt: skip
    _log_as_json(log)
    warnings.simplefilter("ignore")  # of Pillow and torch: nobody reads them among the lines of the log
    # uvicorn raises the signal again when it has stopped, to end the process: being stopped is no failure.
    before = {one: signal.signal(one, lambda *_: setattr(server, "should_exit", True)) for one in _STOPPING}
    try:
        server.run(sockets=[bound])
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if failures:
        raise failures[0]


def check_reach(settings: ServeSettings, is_open: bool) -> None:
    """Raise GraphRecError where the network could reach a service that asks nobody for a key, unless that is wanted."""
    if not settings.is_local and not settings.keys.are_required and not is_open:
        raise GraphRecError(
            f"--host {settings.host} lets others in, and there is no API key: make one with `graphrec serve --new-key "
            "read,write --keys keys.jsonl`, or say --no-keys."
        )


def _log_as_json(log: object) -> None:
    """What the web server says itself, from warnings on, goes into the same lines."""
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [] if name == "uvicorn.error" else [JsonLinesHandler(log)]
        logger.setLevel(logging.WARNING)
        logger.propagate = name == "uvicorn.error"
