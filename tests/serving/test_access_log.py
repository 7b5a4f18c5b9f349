"""What is logged of a request tells how it went and never about whom."""

import json

import pytest
from in_process import Served

from graphrec.serving.keys import ApiKeys, new_key

KEY, RECORD = new_key(["read", "write"], "shop")


def test_a_line_has_the_size_of_a_request_and_nothing_that_was_sent(run_copy, loaded, known_user, picture):
    item = str(loaded.train_.catalogue.item_ids[4])
    private = [known_user, item, "fallen-angel-hat", "somebody-unknown", KEY, "user_id=", "testclient", "127.0.0.1"]
    with Served(run_copy, keys=ApiKeys((RECORD,))) as one:
        one.client.headers["authorization"] = f"Bearer {KEY}"
        ask = one.client.request
        ask("POST", "/v1/recommend", json={"user_id": known_user, "k": 3})
        ask("GET", "/v1/recommend", params={"user_id": "somebody-unknown"})
        ask("POST", "/v1/recommend", json={"item_ids": [item, "fallen-angel-hat"]})
        ask(
            "POST",
            "/v1/search",
            files=[("text", (None, "fallen-angel-hat")), ("pictures", ("fallen-angel-hat", picture.read_bytes()))],
        )
        ask("GET", f"/v1/items/{item}")
        ask("GET", f"/v1/items/{known_user}")
        ask("POST", "/v1/events", json=[{"user_id": known_user, "item_id": item}])
        ask("DELETE", f"/v1/items/{item}")
        ask("GET", f"/{known_user}?user_id={known_user}")
        ask("POST", "/v1/recommend", json={"user_id": known_user, known_user: 1})
        ask("POST", "/v1/search", json={"items": ["fallen-angel-hat"]})
        ask(f"X{known_user}".upper().replace("-", ""), "/v1/search")
        ask("GET", "/metrics")
        metrics = ask("GET", "/metrics").text
    lines = [json.loads(line) for line in one.lines.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in requests] == [
        ("POST", "/v1/recommend", 200), ("GET", "/v1/recommend", 200), ("POST", "/v1/recommend", 200),
        ("POST", "/v1/search", 200), ("GET", "/v1/items/{item_id}", 200), ("GET", "/v1/items/{item_id}", 404),
        ("POST", "/v1/events", 200), ("DELETE", "/v1/items/{item_id}", 200), ("GET", "(none)", 404),
        ("POST", "/v1/recommend", 422), ("POST", "/v1/search", 422), ("(other)", "/v1/search", 405),
        ("GET", "/metrics", 200), ("GET", "/metrics", 200),
    ]  # fmt: skip
    assert requests[0] | {"time": 0, "ms": 0, "request_id": 0} == {
        "event": "request", "level": "info", "time": 0, "request_id": 0, "method": "POST", "route": "/v1/recommend",
        "status": 200, "ms": 0, "client": "shop", "k": 3, "ids": 1, "texts": 0, "pictures": 0,
    }  # fmt: skip
    assert requests[2]["ids"] == 2
    for text in (one.lines.getvalue(), metrics):
        assert not [word for word in private if word.lower() in text.lower()]


def test_every_answer_has_an_id_of_its_own_that_is_in_the_log(served):
    answers = [served.client.get("/v1/recommend", headers={"x-request-id": "mine"}) for _ in range(2)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert "mine" not in ids
    assert all(one in served.lines.getvalue() for one in ids)


def test_metrics_count_by_route_and_status(folder, loaded):
    with Served(folder) as one:
        for k in (1, 2, 0):
            one.client.get("/v1/recommend", params={"k": k})
        lines = one.client.get("/metrics").text.splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}
    of = '{method="GET",route="/v1/recommend"'
    assert values[f'graphrec_http_requests_total{of},status="200"}}'] == 2
    assert values[f'graphrec_http_requests_total{of},status="422"}}'] == 1
    assert values[f"graphrec_http_request_seconds_count{of}}}"] == 3
    assert values["graphrec_items"] == len(loaded.train_.catalogue)
    assert values["graphrec_users"] == len(loaded.train_.user_ids)
    assert values["graphrec_ready"] == 1
    assert values[f'graphrec_model_info{{version="{loaded.version}"}}'] == 1


@pytest.mark.parametrize("path", ["/v1/recommend", "/healthz"])
def test_answers_are_not_kept_by_caches(client, path):
    assert client.get(path).headers["cache-control"] == "no-store"
