"""A new training replaces the run that is served: nobody notices but by better answers."""

import threading
import time

import pytest
from in_process import Served, when_ready

from graphrec.config import GraphRecConfig
from graphrec.live_run import LiveRun
from graphrec.recommender import Recommender
from graphrec.workflow import train_run

QUICK = ("seed=5", "model.encoder.dim=16", "model.training.max_epochs=1", "model.tuning.tries=2")


@pytest.fixture(scope="module")
def newer(small_dataset, tmp_path_factory):
    """Another training on the same data."""
    folder = tmp_path_factory.mktemp("newer") / "latest"
    return train_run(small_dataset, GraphRecConfig.load(None, QUICK), folder, device="cpu")


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def lists_of(model, users):
    return {user: model.recommend([user], 5)["item_id"].tolist() for user in users}


def test_a_swap_under_load_fails_no_request_and_mixes_no_two_runs(run_copy, newer):
    older = Recommender.load(run_copy, "cpu")
    users = [str(one) for one in older.train_.user_ids[:20]]
    expected, answers, is_over = {}, [], threading.Event()
    with Served(run_copy) as one:
        versions = [one.client.get("/readyz").json()["model_version"]]
        expected[versions[0]] = lists_of(older, users)

        def ask(first):
            turn = first
            while not is_over.is_set():
                user = users[turn % len(users)]
                answers.append((user, one.client.post("/v1/recommend", json={"user_id": user, "k": 5})))
                turn += 1

        threads = [threading.Thread(target=ask, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: len(answers) > 20)
            newer.save(run_copy)
            until(lambda: one.client.get("/readyz").json()["model_version"] != versions[0])
            num_before = len(answers)
            until(lambda: len(answers) > num_before + 20)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        versions.append(one.client.get("/readyz").json()["model_version"])
        expected[versions[1]] = lists_of(newer, users)
        assert "swapped" in one.lines.getvalue()
    assert expected[versions[0]] != expected[versions[1]]
    assert {answer.status_code for _, answer in answers} == {200}
    bodies = [(user, answer.json()) for user, answer in answers]
    assert {body["model_version"] for _, body in bodies} == set(versions)
    for user, body in bodies:
        assert [item["item_id"] for item in body["items"]] == expected[body["model_version"]][user]


def test_a_run_that_cannot_be_read_leaves_the_one_before_answering(run_copy, newer):
    with Served(run_copy) as one:
        before = one.client.get("/v1/recommend").json()
        manifest = (run_copy / "manifest.json").read_bytes()
        (run_copy / "manifest.json").write_text("{}")
        time.sleep(0.5)
        assert one.client.get("/v1/recommend").json() == before
        (run_copy / "manifest.json").write_bytes(manifest)
        newer.save(run_copy)
        until(lambda: one.client.get("/v1/recommend").json()["model_version"] == newer.version)


def test_a_look_that_fails_is_logged_once_and_the_service_says_that_it_is_behind(run_copy, monkeypatch):
    with Served(run_copy) as one:
        monkeypatch.setattr(LiveRun, "refresh", lambda _: 1 / 0)
        until(lambda: one.service.state == "catching up")
        time.sleep(0.5)
        assert one.client.get("/readyz").json()["status"] == "catching up"
        assert one.client.get("/v1/recommend").status_code == 200
        assert one.lines.getvalue().count("not refreshed") == 1
        monkeypatch.undo()
        when_ready(one.service)


def test_until_the_run_is_loaded_the_service_lives_and_is_not_ready(run_copy):
    may_load = threading.Event()

    def open_run():
        may_load.wait()
        return LiveRun.open(run_copy, "cpu")

    one = Served(run_copy, open_run=open_run)
    with one.client:
        assert one.client.get("/healthz").json() == {"status": "alive"}
        for path in ("/readyz", "/v1/recommend", "/v1/search?text=hat", "/v1/items/a"):
            answer = one.client.get(path)
            assert answer.status_code == 503, path
            assert answer.headers["retry-after"] == "1"
        assert "graphrec_ready 0.0" in one.client.get("/metrics").text
        may_load.set()
        when_ready(one.service)
        assert one.client.get("/readyz").json()["status"] == "ready"
