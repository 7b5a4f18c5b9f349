"""Bodies that are too large are refused before they fill the memory, also those that do not say how long they are."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphrec.serving.problems import problem_response


class _TooLargeError(Exception):
    """A body went on after its limit."""


class BodyLimit:
    """ASGI middleware: 413 for a body of more than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        num_bytes, has_started = 0, False

        async def counted() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_bytes:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooLargeError:
            if has_started:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What is left of the body is not read: the connection cannot be used again.
        detail = f"The body has more than {self._max_bytes:,} bytes: send it in several requests, or smaller pictures."
        await problem_response(413, detail, headers={"Connection": "close"})(scope, receive, send)


def _declared(scope: Scope) -> int:
    """What the header says; 0 where it says nothing or nonsense, which counting then finds out."""
    value = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(value) if value.isdigit() else 0
