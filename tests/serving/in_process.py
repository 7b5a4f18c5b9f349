"""The application in this process and without a socket, and what tests read from its answers."""

import io
import time

import pytest
from PIL import Image
from starlette.testclient import TestClient

from graphrec.live_run import LiveRun
from graphrec.serving.access_log import json_lines
from graphrec.serving.app import create_app
from graphrec.serving.keys import ApiKeys
from graphrec.serving.limits import Limits
from graphrec.serving.service import Service

NO_KEYS, LIMITS = ApiKeys(), Limits()


def when_ready(service, seconds=60):
    """Wait until the run is loaded."""
    end = time.monotonic() + seconds
    while service.state != "ready":
        assert time.monotonic() < end, service.state
        time.sleep(0.01)


class Served:
    """An application, a client of it, and what it writes to its log."""

    address = ""
    """Where it listens, if it does."""

    def __init__(self, folder, keys=NO_KEYS, limits=LIMITS, open_run=None, cors=(), hosts=None):
        self.lines = io.StringIO()
        log = json_lines(self.lines)
        self.service = Service(open_run or (lambda: LiveRun.open(folder, "cpu")), keys, limits, log)
        self.app = create_app(self.service, log, cors, hosts)
        self.client = TestClient(self.app, base_url="http://127.0.0.1", raise_server_exceptions=True)

    def __enter__(self):
        self.client.__enter__()
        when_ready(self.service)
        return self

    def __exit__(self, *error: object):
        self.client.__exit__(*error)


def png(width, height):
    """A picture file of one colour."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def lists(answer):
    """(item id, score) of an answer, best first."""
    assert answer.status_code == 200, answer.text
    return [(one["item_id"], pytest.approx(one["score"], abs=1e-5)) for one in answer.json()["items"]]
