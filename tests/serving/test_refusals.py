"""Every refusal has its own status, is a problem document (RFC 9457), and says what to do."""

import json
from pathlib import Path

import pytest
from in_process import Served, png

from graphrec.serving.limits import Limits

PATH = "/v1/recommend"
JSON = {"content-type": "application/json"}
DOCUMENT = Served(Path("not-started")).app.openapi()


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert "\n" not in body["detail"]
    operation = DOCUMENT["paths"].get(answer.request.url.path, {}).get(answer.request.method.lower())
    assert operation is None or status == 500 or str(status) in operation["responses"]
    return body["detail"]


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"user_id": "\\ud800"}', b"nan"])
def test_what_is_no_json_is_400(client, body):
    assert problem(client.post(PATH, content=body, headers=JSON), 400).startswith("The body is not JSON in UTF-8")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"k": 0}, "k"), ({"k": 1001}, "k"), ({"k": "5"}, "k"), ({"userid": "u1"}, "userid"),
        ({"user_id": ""}, "user_id"),
        ({"texts": ["x" * 4001]}, "texts.0"), ({"item_ids": ["i"] * 1001}, "item_ids"), ([], "request"),
        ({"user_id": "u1", "item_ids": ["a"]}, "request"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_422_and_names_the_field_without_repeating_it(client, body, field):
    answer = client.post(PATH, json=body)
    assert problem(answer, 422).startswith(f"{field}: ")
    assert "u1" not in answer.text


def test_another_type_of_body_is_415(client):
    problem(client.post(PATH, data={"k": "5"}), 415)  # a form that any web page may send
    problem(client.post(PATH, content=b"<k>5</k>", headers={"content-type": "application/xml"}), 415)


def test_a_form_that_is_none_is_400(client):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        problem(client.post(PATH, content=b"--y\r\n\r\n", headers={"content-type": kind}), 400)


def test_a_path_or_method_that_is_not_there_is_404_or_405(client):
    problem(client.get("/v2/recommend"), 404)
    answer = client.put(PATH, json={})
    problem(answer, 405)
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


def test_an_address_in_place_of_a_picture_is_never_fetched(client):
    answer = client.post(PATH, files=[("pictures", (None, "http://127.0.0.1:1/x.png"))])
    assert "no address is fetched" in problem(answer, 422)


def test_what_is_no_picture_is_told_by_its_place(client, picture):
    whole = picture.read_bytes()
    for data in (b"no picture", whole[:200], b"", b"%PDF-1.4", b"<svg/>"):
        answer = client.post(PATH, files=[("pictures", ("a.png", whole)), ("pictures", ("b.png", data))])
        detail = problem(answer, 422)
        assert detail.startswith("pictures.1: "), detail
        assert "/" not in detail


@pytest.fixture(scope="module")
def strict(folder):
    with Served(folder, limits=Limits(body_bytes=50_000, picture_bytes=20_000, picture_pixels=1_000_000)) as one:
        yield one.client


def test_a_body_that_is_too_large_is_413_whether_or_not_it_says_so(strict):
    long = json.dumps({"texts": ["x" * 4000] * 13}).encode()
    assert "50,000 bytes" in problem(strict.post(PATH, content=long, headers=JSON), 413)
    chunks = (long[start : start + 1000] for start in range(0, len(long), 1000))
    answer = strict.post(PATH, content=chunks, headers=JSON)
    assert "content-length" not in answer.request.headers
    assert "50,000 bytes" in problem(answer, 413)
    short = json.dumps({"k": 3}).encode()
    assert strict.post(PATH, content=iter([short[:3], short[3:]]), headers=JSON).status_code == 200


def test_a_picture_of_too_many_bytes_or_pixels_is_413_before_it_is_decoded(strict):
    assert "20,000 bytes" in problem(strict.post(PATH, files=[("pictures", ("a.png", b"x" * 20_001))]), 413)
    bomb = png(4000, 4000)
    assert len(bomb) < 20_000
    assert "1,000,000 pixels" in problem(strict.post(PATH, files=[("pictures", ("a.png", bomb))]), 413)
    assert strict.post(PATH, files=[("pictures", ("a.png", png(900, 900)))]).status_code == 200


def test_a_bug_is_500_without_a_word_of_what_was_sent(served, monkeypatch):
    def broken(*_: object):
        raise RuntimeError("secret-user-7")

    monkeypatch.setattr("graphrec.serving.routes.recommend.recommend", broken)
    answer = served.client.post(PATH, json={"user_id": "secret-user-7"})
    assert answer.headers["x-request-id"] in problem(answer, 500)
    line = next(line for line in served.lines.getvalue().splitlines() if answer.headers["x-request-id"] in line)
    assert json.loads(line)["error"] == "RuntimeError"
    assert "secret-user-7" not in served.lines.getvalue() + answer.text


def test_a_misspelt_query_parameter_is_refused_by_name(client):
    answer = client.post("/v1/items?sites=harbour", json=[{"item_id": "new"}])
    assert answer.status_code == 422
    assert "Unknown query parameter 'sites'; it knows site" in answer.text
