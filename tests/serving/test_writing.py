"""Items and events over HTTP: what is answered 200 is in the next answer."""

import json

import pytest
from in_process import lists

ITEMS, EVENTS, RECOMMEND = "/v1/items", "/v1/events", "/v1/recommend"


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["item_id"] for one in answer.json()["items"]]


def twin(model, item_id):
    """A row with everything that is known of an item, under another id."""
    catalogue = model.train_.catalogue
    row = catalogue.id_index.get_loc(item_id)
    attributes = catalogue.attributes
    return {
        "item_id": f"twin-of-{item_id}", "title": catalogue.title[row],
        **{name: values[row] for name, values in attributes.categorical.items() if values[row]},
        **{name: list(values[row]) for name, values in attributes.multi_valued.items() if values[row]},
        **{name: float(values[row]) for name, values in attributes.numeric.items() if values[row] == values[row]},
    }  # fmt: skip


def test_an_added_item_is_recommended_in_the_next_answer_and_a_removed_one_in_none(writable, loaded):
    client = writable.client
    rows = [{"item_id": "new-1", "title": "red straw hat"}, {"item_id": "007", "title": "ink"}]
    added = client.post(ITEMS, json=rows)
    assert added.status_code == 200
    body = added.json()
    assert body == {
        "model_version": loaded.version, "sequence": body["sequence"], "ids": ["new-1", "007"], "set_aside": [],
        "left_out": {}, "notes": body["notes"], "retrain_due": False,
    }  # fmt: skip
    found = client.post("/v1/search", json={"text": ["red straw hat"], "k": 3}).json()
    assert found["items"][0]["item_id"] == "new-1"
    assert found["sequence"] >= body["sequence"]
    assert {"new-1", "007"} < set(ids(client.post(RECOMMEND, json={"only_new": True, "k": 500})))
    one = client.get(f"{ITEMS}/new-1").json()
    assert (one["title"], one["degree"], one["source"], one["is_removed"]) == ("red straw hat", 0, "content", False)
    assert client.delete(f"{ITEMS}/new-1").status_code == 200
    assert "new-1" not in ids(client.post(RECOMMEND, json={"only_new": True, "k": 500}))
    assert client.get(f"{ITEMS}/new-1").json()["is_removed"]
    assert client.delete(f"{ITEMS}/new-1").status_code == 404


def test_an_added_item_stands_where_its_twin_stands(writable, loaded, small_store, known_user):
    catalogue = loaded.train_.catalogue
    degree_I, rows = loaded.model_.degree_I, range(len(catalogue))
    row = next(row for row in rows if degree_I[row] == 0 and (small_store / catalogue.image[row]).is_file())
    item_id = str(catalogue.item_ids[row])
    item = {**twin(loaded, item_id), "image": "photo.png"}
    data = (small_store / catalogue.image[row]).read_bytes()
    parts = [("items", (None, json.dumps([item]))), ("pictures", ("photo.png", data))]
    assert writable.client.post(ITEMS, files=parts).status_code == 200
    answer = writable.client.post("/v1/search", json={"items": [item_id], "k": 1, "weights": "image=1"}).json()
    assert answer["items"][0]["item_id"] == item["item_id"]
    assert answer["items"][0]["matched"] in ("both", "image")


def test_a_new_person_is_known_after_the_first_event(writable, loaded):
    client, item = writable.client, str(loaded.train_.catalogue.item_ids[7])
    ask = {"user_id": "new-person", "k": 200}
    assert client.post(RECOMMEND, json=ask).json()["basis"] == "popular"
    done = client.post(EVENTS, json=[{"user_id": "new-person", "item_id": item, "timestamp": 1_780_000_000}])
    assert done.status_code == 200
    answer = client.post(RECOMMEND, json=ask)
    assert answer.json()["basis"] == "user"
    assert item not in ids(answer)
    from_items = client.post(RECOMMEND, json={"item_ids": [item], "k": 200})
    assert lists(answer) == lists(from_items)
    before = int(loaded.model_.degree_I[7])
    assert client.get(f"{ITEMS}/{item}").json()["degree"] == before + 1


def test_an_update_changes_what_it_names_and_leaves_the_rest(writable, loaded):
    client, item = writable.client, str(loaded.train_.catalogue.item_ids[3])
    price = f"price=..{float(loaded.train_.catalogue.attributes.numeric['price'][3]) + 0.01}"
    assert client.patch(ITEMS, json=[{"item_id": item, "title": "another name"}]).json()["ids"] == [item]
    assert client.get(f"{ITEMS}/{item}").json()["title"] == "another name"
    assert item in ids(client.post(RECOMMEND, json={"where": [price], "k": 500}))
    assert client.patch(ITEMS, json=[{"item_id": item, "price": 999_999}]).status_code == 200
    assert item not in ids(client.post(RECOMMEND, json={"where": [price], "k": 500}))
    mixed = client.patch(ITEMS, json=[{"item_id": item, "title": "a"}, {"item_id": item, "price": 1}])
    assert mixed.status_code == 422
    assert "send items with other columns apart" in mixed.json()["detail"]


def test_rows_that_cannot_be_used_are_named_and_the_others_are_taken(writable, loaded):
    known = str(loaded.train_.catalogue.item_ids[0])
    body = writable.client.post(ITEMS, json=[{"item_id": known, "title": "x"}, {"item_id": "new", "title": "y"}]).json()
    assert body["ids"] == ["new"]
    assert body["set_aside"] == [
        {"row": 1, "column": "item_id", "reason": "the item is in the catalogue already: PATCH /v1/items changes it"}
    ]
    refused = writable.client.post(ITEMS, json=[{"item_id": known, "title": "x"}])
    assert refused.status_code == 422
    assert "in the catalogue already" in refused.json()["detail"]
    events = [{"user_id": "u", "item_id": known}, {"user_id": "u", "item_id": "none"}]
    body = writable.client.post(EVENTS, json=events).json()
    assert [one["row"] for one in body["set_aside"]] == [2]


def test_several_items_are_removed_at_once_or_none(writable, loaded):
    two = [str(one) for one in loaded.train_.catalogue.item_ids[:2]]
    refused = writable.client.post(f"{ITEMS}/remove", json={"item_ids": [*two, "none"]})
    assert refused.status_code == 422
    assert not writable.client.get(f"{ITEMS}/{two[0]}").json()["is_removed"]
    assert writable.client.post(f"{ITEMS}/remove", json={"item_ids": two}).json()["ids"] == two
    assert writable.client.get(f"{ITEMS}/{two[1]}").json()["is_removed"]


def test_the_same_write_sent_twice_with_one_key_is_done_once(writable, loaded):
    client, item = writable.client, str(loaded.train_.catalogue.item_ids[7])
    events = [{"user_id": "someone", "item_id": item}]
    answers = [client.post(EVENTS, json=events, headers={"idempotency-key": "k1"}) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    other = client.post(EVENTS, json=[{"user_id": "other", "item_id": item}], headers={"idempotency-key": "k1"})
    assert other.status_code == 409
    assert client.get("/readyz").json()["sequence"] == answers[0].json()["sequence"]


@pytest.mark.parametrize("image", ["photo.png", "http://127.0.0.1:1/a.png", "/etc/passwd", "../a.png"])
def test_a_picture_that_was_not_uploaded_is_never_looked_for(writable, small_store, monkeypatch, image):
    monkeypatch.chdir(small_store)
    answer = writable.client.post(ITEMS, json=[{"item_id": "new", "title": "hat", "image": image}])
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("items.0.image: no such file was sent")


def test_pictures_that_cannot_be_placed_are_refused(writable, picture):
    item, data = json.dumps([{"item_id": "new", "title": "hat", "image": "a.png"}]), picture.read_bytes()
    for parts, said in (
        ([("items", (None, item)), ("pictures", ("a.png", data)), ("pictures", ("b.png", data))], "belong to no item"),
        ([("items", (None, item)), ("pictures", ("a.png", data)), ("pictures", ("a.png", data))], "one name"),
        ([("items", (None, item)), ("pictures", ("a.png", b"no picture"))], "items.0.image: damaged or no picture"),
        ([("pictures", ("a.png", data))], "one part items"),
        ([("items", (None, item)), ("other", (None, "x"))], "one part items"),
    ):
        answer = writable.client.post(ITEMS, files=parts)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]
    assert writable.client.get(f"{ITEMS}/new").status_code == 404


def test_an_id_with_slashes_and_spaces_is_one_id(writable):
    odd = "shoes/red 42?%#/Ü"
    assert writable.client.post(ITEMS, json=[{"item_id": odd, "title": "hat"}]).status_code == 200
    from urllib.parse import quote

    assert writable.client.get(f"{ITEMS}/{quote(odd, safe='')}").json()["item_id"] == odd


def test_paths_in_rows_start_in_an_empty_folder_and_not_where_the_service_runs(writable, small_store, monkeypatch):
    monkeypatch.chdir(small_store)
    roots = []

    def add_items(_, rows, root, site):
        roots.append(
            (root.resolve().is_relative_to(small_store.resolve()), [p for p in root.rglob("*") if p.is_file()])
        )
        return real(writable.service.live, rows, root=root, site=site)

    real = type(writable.service.live).add_items
    monkeypatch.setattr(type(writable.service.live), "add_items", add_items)
    assert writable.client.post(ITEMS, json=[{"item_id": "new", "title": "hat"}]).status_code == 200
    assert roots == [(False, [])]


def test_an_event_that_is_here_already_counts_once_and_a_column_nobody_knows_is_named(writable, loaded):
    event = {"user_id": "u", "item_id": str(loaded.train_.catalogue.item_ids[7]), "timestamp": 1_780_000_000}
    first, again = (writable.client.post(EVENTS, json=[event]).json() for _ in range(2))
    assert (len(first["ids"]), again["ids"]) == (1, [])
    assert list(again["left_out"].values()) == [1]
    body = writable.client.post(ITEMS, json=[{"item_id": "new", "title": "hat", "titel": "hat"}]).json()
    assert any("titel" in note for note in body["notes"])
