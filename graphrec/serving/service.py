"""The run that is served: loaded in the background, followed as it changes, swapped without a request noticing.

A request takes one snapshot and answers from it to its end. Loading a new training takes as long as it takes, beside
the requests, which go on with the run before; then one reference is set.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Request

from graphrec.errors import GraphRecError
from graphrec.live_run import LiveRun
from graphrec.living.live_state import LiveState
from graphrec.recommender import Recommender
from graphrec.serving.idempotency import Remembered
from graphrec.serving.keys import ApiKeys
from graphrec.serving.limits import Limits
from graphrec.serving.problems import ProblemError

P = ParamSpec("P")
T = TypeVar("T")
State = Literal["loading", "ready", "catching up", "stopping"]
_EVERY = 0.2
"""Seconds between two looks at what other processes changed."""
_REST = 5
"""How many times as long as a look took the next one waits at least."""
_LONG = 1.0
"""Seconds after which a look is more than one: a new training is being loaded."""
_PATIENCE = 30.0
"""Seconds that stopping waits for a look to end."""
_LIGHT = max(2, os.cpu_count() or 1)
_HEAVY = max(2, (os.cpu_count() or 1) // 2)


@dataclass(frozen=True)
class Snapshot:
    """What one request answers from."""

    model: Recommender
    version: str
    sequence: int
    """Every change up to this one is in the model; a later one may be."""

    @property
    def state(self) -> LiveState:
        """The model with what changed since it was trained."""
        return self.model.live.state


class Service:
    """A run behind HTTP. `open_run` loads it, once, in a thread of its own; then one of the other two is called."""

    def __init__(
        self,
        open_run: Callable[[], LiveRun],
        keys: ApiKeys,
        limits: Limits,
        log: Any,
        on_loaded: Callable[[LiveRun], None] = lambda live: None,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self.keys = keys
        self.limits = limits
        self.remembered = Remembered()
        self._open_run = open_run
        self._log = log
        self._on_loaded = on_loaded
        self._on_failure = on_failure
        self._live: LiveRun | None = None
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._refreshing_since: float | None = None
        self._problem = ""

    def start(self) -> None:
        """Begin to load the run, and then to follow it, in a thread."""
        self._limiters = {False: CapacityLimiter(_LIGHT), True: CapacityLimiter(_HEAVY)}
        self._thread = threading.Thread(target=self._load_and_follow, name="graphrec-follow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following and close the run; the requests in flight have to be answered before."""
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        if self._live is not None:
            self._live.close()

    @property
    def live(self) -> LiveRun:
        """The run, to write to. Raises ProblemError (503) while it is being loaded."""
        if self._live is None:
            raise ProblemError(503, "The run is still being loaded: try again soon.", headers={"Retry-After": "1"})
        return self._live

    def snapshot(self) -> Snapshot:
        """What a request answers from: to be taken once. Raises ProblemError (503) while the run is being loaded."""
        live = self.live
        while True:
            version, sequence = live.version, live.sequence  # before the model: it holds these changes at least
            model = live.model
            if live.version == version:
                return Snapshot(model, version, sequence)

    def snapshot_or_none(self) -> Snapshot | None:
        """The same, None while the run is being loaded."""
        return None if self._live is None else self.snapshot()

    @property
    def state(self) -> State:
        """What the service does at the moment."""
        if self._is_stopping.is_set():
            return "stopping"
        if self._live is None:
            return "loading"
        since = self._refreshing_since
        is_behind = self._problem != "" or (since is not None and time.monotonic() - since > _LONG)
        return "catching up" if is_behind else "ready"

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in a thread what looks up vectors: a few at a time, more would only wait for each other."""
        return await self._in_thread(False, function, *args, **kwargs)

    async def work_long(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in a thread what reads pictures or texts, or writes; it never keeps `work` waiting."""
        return await self._in_thread(True, function, *args, **kwargs)

    async def _in_thread(self, is_long: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._limiters[is_long])

    def _load_and_follow(self) -> None:
        try:
            self._live = self._open_run()
        except Exception as error:
            self._problem = "failed"
            self._on_failure(error)
            return
        self._on_loaded(self._live)
        seconds = 0.0
        # A run that takes long to read, and in vain where it is damaged, is not read all the time.
        while not self._is_stopping.wait(max(_EVERY, _REST * seconds)):
            started = time.monotonic()
            self._refresh(self._live)
            seconds = time.monotonic() - started

    def _refresh(self, live: LiveRun) -> None:
        version, self._refreshing_since = live.version, time.monotonic()
        try:
            live.refresh()
        except Exception as error:  # whatever happens to the files, the run that is loaded goes on answering
            problem = str(error) if isinstance(error, GraphRecError) else type(error).__name__
            if problem != self._problem:
                self._log.warning("not refreshed", problem=problem)
            self._problem = problem
        else:
            self._problem = ""
            if live.version != version:
                self._log.info("swapped", before=version, model_version=live.version, sequence=live.sequence)
        finally:
            self._refreshing_since = None


def service_of(request: Request) -> Service:
    """The service that the application was made for."""
    return request.app.state.service
