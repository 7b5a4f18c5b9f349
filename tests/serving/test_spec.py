"""The OpenAPI document and the service say the same, whatever is sent (schemathesis: Hatfield-Dodds & Dygalo 2022)."""

import socket
import threading

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from in_process import Served, when_ready
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from graphrec.serving.keys import ApiKeys, new_key

KEY, RECORD = new_key(["read", "write"], "spec")
EXAMPLES = 20
NOT_ASKED = {"positive_data_acceptance"}
"""Whether a request can be met depends on the catalogue too: an unknown id fits the schema."""
NOT_ASKED_OF_QUERIES = NOT_ASKED | {"negative_data_rejection"}
"""What stands in an address has no type: 7 is as good an id as any."""


@pytest.fixture(scope="module")
def guarded(folder):
    """Behind a socket: some of what is sent never gets through a client in this process."""
    one = Served(folder, keys=ApiKeys((RECORD,)))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        one.address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(one.app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        when_ready(one.service)
        yield one
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def document(guarded):
    return schemathesis.openapi.from_url(f"{guarded.address}/openapi.json")


def test_the_document_names_every_path(document):
    assert {found.ok().label for found in document.get_all_operations()} == {
        "GET /v1/recommend", "POST /v1/recommend", "GET /v1/search", "POST /v1/search", "POST /v1/items",
        "PATCH /v1/items", "POST /v1/items/remove", "GET /v1/items/{item_id}", "DELETE /v1/items/{item_id}",
        "POST /v1/events", "GET /healthz", "GET /readyz", "GET /metrics",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    "operation",
    ["GET /v1/recommend", "POST /v1/recommend", "GET /v1/search", "POST /v1/search", "POST /v1/items",
     "PATCH /v1/items", "POST /v1/items/remove", "GET /v1/items/{item_id}", "DELETE /v1/items/{item_id}",
     "POST /v1/events", "GET /metrics"],
)  # fmt: skip
def test_no_request_makes_the_service_fail_or_answer_what_is_not_documented(guarded, document, operation, mode):
    method, path = operation.split(" ")
    names = NOT_ASKED_OF_QUERIES if method == "GET" else NOT_ASKED
    excluded = [check for check in CHECKS.get_all() if check.__name__ in names]
    assert len(excluded) == len(names)
    asked = []

    @given(case=document[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def ask(case):
        asked.append(case)
        if mode == GenerationMode.NEGATIVE and not (case.body or case.query):
            return  # what is wrong with it is that it has no key, and here it gets one
        case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=excluded)

    ask()
    assert len(asked) >= EXAMPLES // 2
    assert '"failed"' not in guarded.lines.getvalue()


def test_the_document_asks_for_a_key_only_where_one_is_needed(guarded, client):
    with_keys, without = guarded.app.openapi(), client.get("/openapi.json").json()
    assert with_keys["paths"]["/v1/search"]["post"]["security"] == [{"HTTPBearer": []}]
    assert "security" not in str(without)
    for path, operations in with_keys["paths"].items():
        for operation in operations.values():
            assert (
                ("401" in operation["responses"]) == ("security" in operation) == (path not in ("/healthz", "/readyz"))
            )
