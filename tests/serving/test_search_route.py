"""What /v1/search answers: what `Recommender.search` finds."""

import pytest
from in_process import lists

PATH = "/v1/search"


def expected(table):
    return list(zip(table["item_id"], table["score"], strict=True))


def test_text_picture_items_and_changes_find_what_the_library_finds(client, loaded, picture):
    first, other = (str(one) for one in loaded.train_.catalogue.item_ids[[2, 5]])
    parts = {"text": "hat", "items": first, "but": "red", "without": "blue", "weights": "text=0.3,image=0.7",
             "rerank": "50", "k": "8", "exclude": other}  # fmt: skip
    form = [(name, (None, value)) for name, value in parts.items()]
    answer = client.post(PATH, files=[*form, ("pictures", ("x.png", picture.read_bytes()))])
    from graphrec import Filters

    table = loaded.search(
        "hat", picture, first, 8, but="red", without="blue", weights="text=0.3,image=0.7", rerank=50,
        filters=Filters(exclude=[other]),
    )  # fmt: skip
    assert lists(answer) == expected(table)
    row = answer.json()["items"][0]
    assert row["from_image"] + row["from_text"] == pytest.approx(row["score"], abs=1e-4)
    assert row["site"] == table["site"][0]
    assert row["matched"] == table["matched"][0]


def test_a_query_string_searches_too(client, loaded):
    answer = client.get(PATH, params={"text": "red dress", "k": 3, "rerank": "none"})
    assert lists(answer) == expected(loaded.search("red dress", k=3, rerank="none"))


def test_an_item_that_nothing_can_be_compared_with_has_no_score(served, loaded, monkeypatch):
    table = loaded.search("hat", k=2)
    table.loc[1, ["score", "from_image", "from_text"]] = float("nan")
    monkeypatch.setattr(type(loaded), "search", lambda *_, **__: table)
    items = served.client.post(PATH, json={"text": ["hat"]}).json()["items"]
    assert items[0]["score"] == pytest.approx(table["score"][0])
    assert [items[1][name] for name in ("score", "from_image", "from_text")] == [None, None, None]


def test_a_mistake_is_told_in_the_words_of_the_request(client, loaded):
    known = str(loaded.train_.catalogue.item_ids[0])
    for body, detail in (
        ({}, "Nothing is looked for: give a text, a picture or items."),
        ({"text": ["hat"], "where": ["prise=..9"]}, "where prise=..9: no attribute 'prise'; did you mean 'price'?"),
        ({"items": ["no"]}, "items: unknown item 'no';"),
        ({"text": ["hat"], "but": ["red"]}, "but changes a picture or items: give pictures or items, or use text."),
        ({"items": [known], "rerank": 0}, "rerank."),
    ):
        answer = client.post(PATH, json=body)
        assert answer.status_code == 422, body
        assert answer.json()["detail"].startswith(detail), answer.json()["detail"]
