"""What /v1/recommend answers: the library's lists, and what is popular for whoever is not known."""

import json

import pytest
from in_process import lists

PATH = "/v1/recommend"


def expected(table):
    return list(zip(table["item_id"], table["score"], strict=True))


def test_a_known_user_gets_the_list_of_the_library(client, loaded, known_user):
    answer = client.post(PATH, json={"user_id": known_user, "k": 7})
    assert lists(answer) == expected(loaded.recommend([known_user], 7))
    body = answer.json()
    assert body["basis"] == "user"
    assert body["model_version"] == loaded.version
    first = loaded.recommend([known_user], 7).iloc[0]
    assert body["items"][0] == {
        "item_id": first["item_id"], "rank": 1, "score": pytest.approx(first["score"]), "title": first["title"],
        "degree": first["degree"], "source": first["source"],
    }  # fmt: skip


def test_a_query_string_asks_what_a_body_asks(client, known_user):
    asked = {"user_id": known_user, "k": 5, "only_new": True, "where": ["price=..90", "site=harbour"]}
    by_query, by_body = client.get(PATH, params=asked).json(), client.post(PATH, json=asked).json()
    assert len(by_body["items"]) == 5
    assert by_query == by_body


def test_a_form_asks_what_json_asks(client):
    asked = {"k": 4, "item_ids": [], "texts": ["red dress", "hat"], "only_new": True, "site": ["harbour"]}
    form = {**asked, "only_new": "true"}
    parts = [(name, (None, str(value))) for name, values in form.items() for value in _listed(values)]
    by_form = client.post(PATH, files=parts)
    assert lists(by_form) == lists(client.post(PATH, json=asked))


def _listed(values):
    return values if isinstance(values, list) else [values]


@pytest.mark.parametrize("who", ["nobody-here", "zoë 'or 1=1", "u-without-history"])
def test_somebody_unknown_gets_what_is_popular_and_is_told_so(client, loaded, who):
    answer = client.post(PATH, json={"user_id": who, "k": 6, "site": ["harbour"]})
    from graphrec import Filters

    assert lists(answer) == expected(loaded.recommend_popular(6, filters=Filters(site=["harbour"])))
    assert answer.json()["basis"] == "popular"


def test_asking_for_nobody_is_asking_for_what_is_popular(client, loaded):
    assert lists(client.post(PATH, json={})) == expected(loaded.recommend_popular(20))


def test_a_visitor_is_recommended_to_from_items_texts_and_pictures(client, loaded, picture):
    ids = [str(one) for one in loaded.train_.catalogue.item_ids[[3, 8]]]
    query = [
        ("item_ids", (None, ids[0])),
        ("item_ids", (None, ids[1])),
        ("texts", (None, "straw hat")),
        ("k", (None, "9")),
    ]
    answer = client.post(PATH, files=[*query, ("pictures", ("any.png", picture.read_bytes()))])
    table = loaded.recommend_from_items(ids, 9, texts=["straw hat"], images=[picture])
    assert lists(answer) == expected(table)
    assert answer.json()["basis"] == "items"


def test_items_that_are_gone_are_named_and_the_others_answer(client, loaded):
    known = str(loaded.train_.catalogue.item_ids[3])
    answer = client.post(PATH, json={"item_ids": ["gone-1", known, "gone-2"], "k": 5})
    assert lists(answer) == expected(loaded.recommend_from_items([known], 5))
    assert answer.json()["unknown_items"] == ["gone-1", "gone-2"]
    only = client.post(PATH, json={"item_ids": ["gone-1"], "k": 5}).json()
    assert (only["basis"], only["unknown_items"]) == ("popular", ["gone-1"])


def test_excluding_an_item_that_is_gone_is_no_mistake(client, loaded, known_user):
    best = loaded.recommend([known_user], 3)["item_id"].tolist()
    answer = client.post(PATH, json={"user_id": known_user, "k": 2, "exclude": [best[0], "gone"]})
    assert [one["item_id"] for one in answer.json()["items"]] == best[1:]


def test_seen_items_come_back_only_when_they_are_asked_for(client, loaded, known_user):
    seen = set(loaded.train_.catalogue.item_ids[loaded.seen[loaded.train_.user_id_index.get_loc(known_user)].indices])
    asked = {"user_id": known_user, "k": 120}
    without, with_seen = (
        {one["item_id"] for one in client.post(PATH, json={**asked, "include_seen": flag}).json()["items"]}
        for flag in (False, True)
    )
    assert not without & seen
    assert with_seen - without == seen


def test_an_answer_does_not_depend_on_who_else_asks(client, loaded):
    from concurrent.futures import ThreadPoolExecutor

    users = [str(one) for one in loaded.train_.user_ids[:40]]
    ask = lambda user: json.dumps(client.post(PATH, json={"user_id": user, "k": 5}).json())  # noqa: E731
    alone = [ask(user) for user in users]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, users)) == alone
