"""API keys: who is let in, and what is kept of a key."""

import json
import stat

import pytest
from in_process import Served

from graphrec.errors import GraphRecError
from graphrec.serving.keys import ApiKeys, append_key, new_key

READER, READER_RECORD = new_key(["read"], "shop")
WRITER, WRITER_RECORD = new_key(["write"], "feed")
READING = [("GET", "/v1/recommend"), ("POST", "/v1/recommend"), ("GET", "/v1/search"), ("POST", "/v1/search"),
           ("GET", "/v1/items/a"), ("GET", "/metrics")]  # fmt: skip
WRITING = [("POST", "/v1/items"), ("PATCH", "/v1/items"), ("POST", "/v1/items/remove"), ("DELETE", "/v1/items/a"),
           ("POST", "/v1/events")]  # fmt: skip


@pytest.fixture(scope="module")
def guarded(folder):
    with Served(folder, keys=ApiKeys((READER_RECORD, WRITER_RECORD))) as one:
        yield one


def status(guarded, method, path, key):
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return guarded.client.request(method, path, headers=headers, content=b"{").status_code


def test_every_path_asks_for_a_key_but_those_that_watch_and_describe(guarded):
    paths = {
        (method.upper(), path.replace("{item_id}", "a"))
        for path, operations in guarded.client.get("/openapi.json").json()["paths"].items()
        for method in operations
    }
    assert paths == {*READING, *WRITING, ("GET", "/healthz"), ("GET", "/readyz")}
    for method, path in READING + WRITING:
        for key in (None, "gr_wrong", READER[:-1], ""):
            answer = guarded.client.request(method, path, headers={"authorization": f"Bearer {key}"} if key else {})
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.client.get("/healthz").status_code == guarded.client.get("/readyz").status_code == 200


def test_a_key_opens_what_its_scope_names_and_nothing_else(guarded):
    for method, path in READING:
        assert status(guarded, method, path, WRITER) == 403
        assert status(guarded, method, path, READER) not in (401, 403)
    for method, path in WRITING:
        assert status(guarded, method, path, READER) == 403
        assert status(guarded, method, path, WRITER) not in (401, 403)


def test_a_key_is_kept_as_its_hash_in_a_file_of_its_owner(tmp_path):
    file = tmp_path / "kept" / "keys.jsonl"
    keys = [new_key(["read", "write", "read"], name) for name in ("one", "two")]
    for _, record in keys:
        append_key(record, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert not any(key in text or key[3:] in text for key, _ in keys)
    read = ApiKeys.read(file)
    assert [read.find(key) for key, _ in keys] == [record for _, record in keys]
    assert read.find(keys[0][0][:-1]) is None
    assert read.records[0].scopes == ("read", "write")
    assert ApiKeys.read(text=text) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"), ("\n \n", "holds no key"), ("gr_thekeyitself", "line 1: "), ("{}", "line 1: name: "),
        ('{"name": "a", "scopes": ["admin"], "sha256": "' + "0" * 64 + '"}', "line 1: scopes.0: "),
        ('{"name": "a", "scopes": ["read"], "sha256": "gr_plain"}', "line 1: sha256: "),
    ],
)  # fmt: skip
def test_a_line_that_is_no_key_is_refused_in_one_line_that_does_not_show_it(tmp_path, text, said):
    file = tmp_path / "keys.jsonl"
    file.write_text(text)
    with pytest.raises(GraphRecError) as caught:
        ApiKeys.read(file)
    assert said in str(caught.value)
    assert "gr_" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_file_nobody_is_asked(tmp_path):
    assert not ApiKeys.read().are_required
    with pytest.raises(GraphRecError, match="--new-key"):
        ApiKeys.read(tmp_path / "none.jsonl")
    with pytest.raises(GraphRecError, match="No scope 'admin'"):
        new_key(["admin"], "x")
    assert json.loads(READER_RECORD.model_dump_json())["scopes"] == ["read"]
