"""The small store's run behind the application, in this process and without a socket."""

import io
import shutil
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


def when_ready(service, seconds=60):
    """Wait until the run is loaded."""
    end = time.monotonic() + seconds
    while service.state != "ready":
        assert time.monotonic() < end, service.state
        time.sleep(0.01)


class Served:
    """An application, a client of it, and what it writes to its log."""

    def __init__(self, folder, keys=ApiKeys(), limits=Limits(), open_run=None, **settings):  # noqa: B008
        self.lines = io.StringIO()
        log = json_lines(self.lines)
        self.service = Service(open_run or (lambda: LiveRun.open(folder, "cpu")), keys, limits, log)
        self.app = create_app(self.service, log, **settings)
        self.client = TestClient(self.app, base_url="http://127.0.0.1", raise_server_exceptions=True)

    def __enter__(self):
        self.client.__enter__()
        when_ready(self.service)
        return self

    def __exit__(self, *error):
        self.client.__exit__(*error)


@pytest.fixture(scope="session")
def served(saved_run, tmp_path_factory):
    """Everybody may read; tests that write take `writable`."""
    with Served(shutil.copytree(saved_run, tmp_path_factory.mktemp("served") / "latest")) as one:
        yield one


@pytest.fixture
def writable(run_copy):
    """A copy of the run, to be changed."""
    with Served(run_copy) as one:
        yield one


@pytest.fixture(scope="session")
def client(served):
    return served.client


@pytest.fixture(scope="session")
def known_user(fitted):
    """Somebody with a history."""
    degree_U = fitted.train_.interactions.user_degree()
    return str(fitted.train_.user_ids[int(degree_U.argmax())])


@pytest.fixture(scope="session")
def picture(small_store):
    """The path of one of the store's pictures."""
    return sorted((small_store / "images").glob("*.png"))[0]


def png(width, height):
    """A picture file of one colour."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def lists(answer):
    """(item id, score) of an answer, best first."""
    assert answer.status_code == 200, answer.text
    return [(one["item_id"], pytest.approx(one["score"], abs=1e-5)) for one in answer.json()["items"]]
