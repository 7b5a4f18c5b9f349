"""`graphrec serve` as a process of its own: what it says, and how it ends."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from graphrec.serving.keys import ApiKeys

COMMAND = [sys.executable, "-c", "from graphrec.cli import main; main()", "serve"]


@pytest.fixture
def process(run_copy):
    """A service on a free port, and its address."""
    with subprocess.Popen(
        [*COMMAND, run_copy, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        try:
            said = [one.stdout.readline() for _ in range(6)]
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)", said[0])[1])
            yield one, port, "".join(said)
        finally:
            one.kill()


def test_a_request_in_flight_is_answered_when_the_service_is_told_to_stop(process):
    one, port, said = process
    assert re.search(r"120 items, 151 users", said)
    assert "none: this machine alone" in said
    body = json.dumps({"k": 3}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        slow.sendall(head + body[:4])
        assert asked(port, "/healthz") == 200  # by now the first request is being read
        one.send_signal(signal.SIGTERM)
        until(lambda: asked(port, "/healthz") is None)
        assert one.poll() is None
        slow.sendall(body[4:])
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        assert answer.status == 200
        assert len(json.loads(answer.read())["items"]) == 3
    assert one.wait(30) == 0
    lines = [json.loads(line) for line in one.stderr.read().splitlines()]
    assert [line["route"] for line in lines][:1] == ["/healthz"]
    assert lines[-1]["route"] == "/v1/recommend"


def asked(port, path):
    """The status, or None where nobody listens any longer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def line(graphrec):
    """The one line that a refused command says."""

    def run(*arguments: object):
        code, out, err = graphrec("serve", *arguments)
        assert code == 1
        assert out == ""
        (said,) = err.splitlines()
        return said

    return run


def test_others_are_let_in_only_with_keys_or_on_purpose(line, saved_run):
    said = line(saved_run, "--host", "0.0.0.0", "--port", 0)
    assert "--new-key" in said
    assert "--no-keys" in said


def test_what_cannot_be_served_is_told_in_one_line(line, saved_run, tmp_path):
    assert "There is no run at" in line(tmp_path / "none")
    assert "expected an origin" in line(saved_run, "--cors", "*")
    assert "cannot be read" in line(saved_run, "--keys", tmp_path / "none")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "choose another --port" in line(saved_run, "--port", taken.getsockname()[1])


def test_a_run_that_was_changed_ends_the_service_in_one_line(line, run_copy):
    with (run_copy / "served.npy").open("ab") as file:
        file.write(b"x")
    assert "served.npy" in line(run_copy, "--port", 0)


def test_a_missing_package_names_the_extra_that_brings_it(line, saved_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "structlog", None)
    assert line(saved_run).endswith("serve needs structlog: pip install 'graphrec[serve]'.")


def test_a_new_key_is_shown_once_and_let_in_afterwards(graphrec, tmp_path):
    file = tmp_path / "keys.jsonl"
    code, out, err = graphrec("serve", "--new-key", "read,write", "--name", "shop", "--keys", file)
    assert code == 0
    key = out.strip()
    assert key not in err + file.read_text()
    assert ApiKeys.read(file).find(key).name == "shop"
    code, out, err = graphrec("serve", "--new-key", "read")
    assert ApiKeys.read(text=err.splitlines()[-1]).find(out.strip()).scopes == ("read",)
