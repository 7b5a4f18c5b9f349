"""Web pages: those that are named may call the service, others may not even without a key."""

import pytest
from in_process import Served

from graphrec.errors import GraphRecError
from graphrec.serving.app import check_origins
from graphrec.serving.same_site import LOOPBACK

SHOP, OTHER = "https://shop.example", "https://other.example"


@pytest.fixture(scope="module")
def client(folder):
    with Served(folder, cors=[SHOP], hosts=LOOPBACK) as one:
        yield one.client


def test_only_a_named_site_may_read_answers(client):
    answer = client.get("/v1/recommend", headers={"origin": SHOP})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SHOP
    ask = {"origin": SHOP, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    assert client.options("/v1/recommend", headers=ask).headers["access-control-allow-origin"] == SHOP
    assert (
        "access-control-allow-origin" not in client.options("/v1/recommend", headers={**ask, "origin": OTHER}).headers
    )


def test_by_default_no_site_may(served):
    ask = {"origin": SHOP, "access-control-request-method": "GET"}
    assert "access-control-allow-origin" not in served.client.options("/v1/recommend", headers=ask).headers


def test_a_page_of_another_site_cannot_write_without_a_key(client):
    form = [("items", (None, '[{"item_id": "planted"}]'))]
    for origin in (OTHER, "null", "http://127.0.0.1.other.example", "http://127.0.0.1:1"):
        assert client.post("/v1/items", files=form, headers={"origin": origin}).status_code == 403, origin
    assert client.get("/v1/items/planted").status_code == 404
    assert client.get("/v1/recommend", headers={"origin": "http://127.0.0.1"}).status_code == 200


def test_a_name_that_points_here_is_not_this_service(client):
    for host in ("rebound.example", "127.0.0.1.rebound.example", "", "[::1"):
        assert client.get("/v1/recommend", headers={"host": host}).status_code == 403, host
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.get("/v1/recommend", headers={"host": host}).status_code == 200, host


@pytest.mark.parametrize(
    "origin", ["*", "shop.example", "https://shop.example/", "https://*.example", "ftp://a", "https://"]
)
def test_an_origin_that_is_none_is_refused(origin):
    with pytest.raises(GraphRecError, match="expected an origin such as"):
        check_origins([SHOP, origin])
