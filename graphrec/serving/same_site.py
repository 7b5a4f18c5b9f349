"""Without API keys, other web sites in the same browser must not reach the service.

A page of any site may send a form to 127.0.0.1, and one that points its own name there may even read the answer (DNS
rebinding). Neither can do so without naming itself in `Origin` or `Host`.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from graphrec.serving.problems import problem_response

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SameSite:
    """ASGI middleware: 403 for a request that a foreign web page sent."""

    def __init__(self, app: ASGIApp, origins: Collection[str], hosts: Collection[str] | None) -> None:
        """`origins` are let in; `hosts` are the names by which the service may be called, None: any."""
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and (reason := self._reason(scope)) is not None:
            await problem_response(403, reason)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _reason(self, scope: Scope) -> str | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if self._hosts is not None and _host_name(f"//{host}") not in self._hosts:
            return "Without API keys the service answers to 127.0.0.1 and localhost alone: start it with --keys."
        if origin is None or origin in self._origins or urlsplit_or_none(origin) == host:
            return None
        return "Another web site sent this request: name it with --cors."


def urlsplit_or_none(origin: str) -> str | None:
    """The host and port of an origin; None where it has none ("null")."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
