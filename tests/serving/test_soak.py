"""`graphrec serve` for a long time under reads and writes: every request is answered, and memory stays flat.

GRAPHREC_SOAK_SECONDS says how long (600); GRAPHREC_SOAK_REPORT names a file for what was found, as JSON.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from itertools import count, cycle
from pathlib import Path

import numpy as np
import pytest

COMMAND = [sys.executable, "-c", "from graphrec.cli import main; main()", "serve"]
SECONDS = float(os.environ.get("GRAPHREC_SOAK_SECONDS", "600"))
WRITES_PER_SECOND, READS_PER_SECOND = 5, 40
MOST_GROWTH = 0.05
WARM, EARLY, LATE = 0.2, 0.35, 0.85
"""Shares of the time: until the first things are loaded; medians of memory are taken up to the second, and from the
third."""


@pytest.fixture
def server(run_copy):
    """A service process of the small run, and its port."""
    with subprocess.Popen(
        [*COMMAND, run_copy, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process, int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="resident memory is read from /proc")
def test_memory_stays_flat_while_people_read_and_write(server, small_dataset):
    process, port = server
    clients = [Client(port, asked) for asked in (reads(small_dataset), reads(small_dataset), writes(small_dataset))]
    for one in clients:
        one.pause = 1 / WRITES_PER_SECOND if one is clients[-1] else 2 / READS_PER_SECOND
    started, samples = time.monotonic(), []
    for one in clients:
        one.start()
    while (passed := time.monotonic() - started) < SECONDS:
        time.sleep(min(1.0, SECONDS / 100))
        samples.append((passed / SECONDS, resident_megabytes(process.pid)))
    for one in clients:
        one.stop()
    early = np.median([megabytes for share, megabytes in samples if WARM <= share < EARLY])
    late = np.median([megabytes for share, megabytes in samples if share >= LATE])
    found = {
        "seconds": round(passed),
        "reads": sum(one.answered for one in clients[:-1]),
        "writes": clients[-1].answered,
        "megabytes_early": round(float(early), 1),
        "megabytes_late": round(float(late), 1),
        "growth": round(float(late / early) - 1, 4),
    }
    if report := os.environ.get("GRAPHREC_SOAK_REPORT"):
        Path(report).write_text(json.dumps(found), encoding="utf-8")
    assert [one.failure for one in clients] == [None] * len(clients)
    assert found["growth"] <= MOST_GROWTH, found
    assert found["writes"] > 0.2 * WRITES_PER_SECOND * SECONDS


class Client(threading.Thread):
    """Asks one request after the other over one connection, until it is stopped or one is not answered."""

    def __init__(self, port, requests):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.requests, self.pause = requests, 0.0
        self.answered, self.failure, self.is_stopped = 0, None, threading.Event()

    def run(self):
        while not self.is_stopped.wait(self.pause):
            method, path, body = next(self.requests)
            headers = {} if body is None else {"Content-Type": "application/json"}
            try:
                self.connection.request(method, path, None if body is None else json.dumps(body), headers)
                answer = self.connection.getresponse()
                said = answer.read()
            except OSError as error:
                self.failure = (method, path, repr(error))
                return
            if answer.status not in (200, 201):
                self.failure = (method, path, answer.status, said[:300])
                return
            self.answered += 1

    def stop(self):
        self.is_stopped.set()
        self.join(60)


def reads(dataset):
    """Lists for known and unknown users, for baskets, of new items alone, and searches."""
    users = cycle(dataset.user_ids[np.flatnonzero(dataset.interactions.user_degree() > 1)])
    items = cycle(dataset.catalogue.item_ids)
    for number in count():
        yield "GET", f"/v1/recommend?user_id={next(users)}&k=50", None
        yield "POST", "/v1/recommend", {"item_ids": [next(items), next(items)], "k": 20}
        if number % 10 == 0:
            yield "GET", f"/v1/recommend?user_id=nobody-{number}", None
            yield "POST", "/v1/recommend", {"user_id": next(users), "only_new": True}
            yield "POST", "/v1/search", {"text": ["red dress"], "k": 10}


def writes(dataset):
    """Items that come, change, are touched and leave; people who do something, some of them new."""
    users, items = cycle(dataset.user_ids), cycle(dataset.catalogue.item_ids[:60])
    for number in count():
        new = f"soak-{number % 200}"
        yield "POST", "/v1/items", [{"item_id": new, "title": f"red dress {number}"}]
        yield "PATCH", "/v1/items", [{"item_id": new, "title": f"blue dress {number}"}]
        events = [{"user_id": next(users), "item_id": item} for item in (new, next(items))]
        yield "POST", "/v1/events", [*events, {"user_id": f"soak-user-{number % 100}", "item_id": new}]
        yield "DELETE", f"/v1/items/{new}", None


def resident_megabytes(pid):
    """VmRSS."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024
