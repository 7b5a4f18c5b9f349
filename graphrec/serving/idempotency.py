"""The same write sent twice is done once (`Idempotency-Key`): a client that heard no answer may ask again.

Remembered by this process, for the latest keys only; a process that starts anew has forgotten them.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from graphrec.serving.problems import ProblemError

HEADER = "idempotency-key"
MAX_KEY_CHARACTERS = 255


class Remembered:
    """Answers by key, the oldest forgotten first. To be used in one event loop."""

    def __init__(self, max_answers: int = 10_000) -> None:
        self._max_answers = max_answers
        self._answers: OrderedDict[tuple[str, str], tuple[bytes, asyncio.Future[Response]]] = OrderedDict()

    async def once(
        self, client: str, key: str | None, content: bytes, write: Callable[[], Awaitable[Response]]
    ) -> Response:
        """What `write` answers, or what it answered when this client last sent this key.

        `content` is what is written: another one under the same key is refused (409). Whoever comes while the first is
        still writing waits for its answer; what failed is forgotten, so it can be tried again.
        """
        if key is None:
            return await write()
        if not 0 < len(key) <= MAX_KEY_CHARACTERS:
            raise ProblemError(422, f"Idempotency-Key: expected 1 to {MAX_KEY_CHARACTERS} characters.")
        digest = hashlib.sha256(content).digest()
        known = self._answers.get((client, key))
        if known is None:
            return await self._first(client, key, digest, write)
        if known[0] != digest:
            raise ProblemError(409, "This Idempotency-Key came with another request before: use a new one.")
        return await asyncio.shield(known[1])

    async def _first(self, client: str, key: str, digest: bytes, write: Callable[[], Awaitable[Response]]) -> Response:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[client, key] = digest, answer
        try:
            answer.set_result(await write())
        except BaseException as error:
            del self._answers[client, key]
            answer.set_exception(error if isinstance(error, Exception) else ProblemError(503, "Cut short: try again."))
            answer.exception()  # nobody need wait for it
            raise
        if len(self._answers) > self._max_answers:
            self._answers.popitem(last=False)
        return answer.result()
