"""A write that is sent again is not done again."""

import asyncio

import pytest
from starlette.responses import Response

from graphrec.serving.idempotency import Remembered
from graphrec.serving.problems import ProblemError


class Writing:
    """Counts how often something was written."""

    def __init__(self, fails=0):
        self.count = 0
        self._fails = fails

    async def __call__(self):
        self.count += 1
        mine = self.count
        await asyncio.sleep(0.01)
        if mine <= self._fails:
            raise ProblemError(422, "no")
        return Response(str(mine))


def run(make):
    return asyncio.run(make())


def test_the_same_key_is_written_once_also_at_the_same_time():
    async def twice():
        remembered, writing = Remembered(), Writing()
        ask = lambda key: remembered.once("shop", key, b"rows", writing)  # noqa: E731
        answers = [*await asyncio.gather(ask("a"), ask("a"), ask("b")), await ask("a")]
        assert writing.count == 2
        assert answers[0].body == answers[1].body == answers[3].body != answers[2].body
        await ask(None)
        await ask(None)
        assert writing.count == 4

    run(twice)


def test_another_content_under_the_same_key_is_refused_and_another_client_has_keys_of_its_own():
    async def differ():
        remembered, writing = Remembered(), Writing()
        await remembered.once("shop", "a", b"rows", writing)
        with pytest.raises(ProblemError) as caught:
            await remembered.once("shop", "a", b"other", writing)
        assert caught.value.status == 409
        await remembered.once("feed", "a", b"other", writing)
        assert writing.count == 2

    run(differ)


def test_what_failed_can_be_tried_again():
    async def retry():
        remembered, writing = Remembered(), Writing(fails=1)
        first = await asyncio.gather(
            *(remembered.once("shop", "a", b"rows", writing) for _ in range(2)), return_exceptions=True
        )
        assert [type(one) for one in first] == [ProblemError, ProblemError]
        assert (await remembered.once("shop", "a", b"rows", writing)).body == b"2"

    run(retry)


def test_the_oldest_keys_are_forgotten():
    async def many():
        remembered, writing = Remembered(max_answers=2), Writing()
        for key in ("a", "b", "c", "c", "b", "a"):
            await remembered.once("shop", key, b"rows", writing)
        assert writing.count == 4  # a was forgotten when c came

    run(many)


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_no_use_is_refused(key):
    with pytest.raises(ProblemError, match="1 to 255 characters"):
        run(lambda: Remembered().once("shop", key, b"", Writing()))
