"""What people hand over, carelessly: one line for a mistake, the good rows taken in, and never half of anything."""

import datetime
import decimal
import shutil
import struct
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from living_worlds import NUM_ITEMS, dataset_of_two, fresh, own_vectors, record_of, world_of

from graphrec.data.dataset import Dataset, OwnVectors
from graphrec.data.description import DatasetDescription
from graphrec.data.filters import Filters
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender

STYLE = np.ones((1, 5), dtype=np.float32)


@pytest.fixture
def model(make_world):
    return fresh(make_world())


def described(**description: object):
    """A recommender of the small world whose dataset.yaml says this."""
    data = replace(dataset_of_two(False), description=DatasetDescription.model_validate(description))
    return fresh(world_of(1, False, data=data))


def added(model):
    return model.live.state.items.item_ids.full()[NUM_ITEMS:].tolist()


def card(model, item_id):
    items = model.live.state.items
    return items.card(int(items.id_index.indices([item_id])[0]))


def event(**more: object):
    return {"user_id": "u1", "item_id": "i1", **more}


ITEM_MISTAKES = {
    "nothing": None,
    "a number": 7,
    "one record": record_of("n1"),
    "bytes": b"item_id,title",
    "no rows": [],
    "an empty frame": pd.DataFrame(),
    "a frame without rows": pd.DataFrame({"item_id": []}),
    "strings": ["n1", "n2"],
    "no id": [{"title": "red"}],
    "empty ids": [{"item_id": ""}, {"item_id": None}, {"item_id": float("nan")}, {"item_id": pd.NA}],
    "known items": [record_of("i1"), record_of("i2")],
    "an object": [{"item_id": "n1", "title": object()}],
    "raw bytes": [{"item_id": "n1", "title": b"red"}],
    "an object inside": [{"item_id": "n1", "title": {"de": object()}}],
    "two columns of one name": pd.DataFrame([["n1", "n2"]], columns=["item_id", "item_id"]),
    "a column of everything": pd.DataFrame({"item_id": ["n1", 7], "title": [["red"], "red"]}),
    "complex numbers": pd.DataFrame({"item_id": ["n1"], "price": [1 + 2j]}),
    "a file that is not there": "no-such.csv",
    "a folder": ".",
}


@pytest.mark.parametrize("name", ITEM_MISTAKES)
def test_what_cannot_be_read_as_items_is_one_line_and_changes_nothing(model, name):
    before = model.live
    with pytest.raises(GraphRecError) as caught:
        model.add_items(ITEM_MISTAKES[name])
    assert "\n" not in str(caught.value)
    assert model.live is before
    assert model.changes_.stored == ()


VECTOR_MISTAKES = {
    "another width": ("style", OwnVectors(np.array(["n1"], object), np.ones((1, 3), np.float32)), "expected 5 numbers"),
    "not a number": ("style", OwnVectors(np.array(["n1"], object), np.full((1, 5), np.nan)), "no finite number"),
    "too large": ("style", OwnVectors(np.array(["n1"], object), np.full((1, 5), 1e300)), "no finite number"),
    "flat": ("style", OwnVectors(np.array(["n1"], object), np.ones(5, np.float32)), "one row for each"),
    "none": ("style", OwnVectors(np.array([], object), np.ones((0, 5), np.float32)), "one row for each"),
    "twice": ("style", OwnVectors(np.array(["n1", "n1"], object), np.ones((2, 5))), "'n1' stands twice"),
    "of others": ("style", OwnVectors(np.array(["x"], object), STYLE), "none of their 1 ids is an item id"),
    "of another name": ("image", OwnVectors(np.array(["n1"], object), STYLE), "was not trained with vectors 'image'"),
    "no ids": ("style", STYLE, "expected OwnVectors"),
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("name", VECTOR_MISTAKES)
def test_vectors_that_do_not_fit_are_one_line_and_change_nothing(model, name):
    kind, vectors, says = VECTOR_MISTAKES[name]
    before = model.live
    with pytest.raises(GraphRecError, match=says) as caught:
        model.add_items([record_of("n1")], {kind: vectors})
    assert "\n" not in str(caught.value)
    assert model.live is before


EVENT_MISTAKES = {
    "no rows": [],
    "no item": [{"user_id": "u1"}],
    "unknown items": [event(item_id="x"), event(item_id="y")],
    "no user": [event(user_id=""), event(user_id=None)],
    "no time": [event(timestamp="yesterday")],
    "a file that is not there": "no-such.csv",
}


@pytest.mark.parametrize("name", EVENT_MISTAKES)
def test_what_cannot_be_read_as_events_is_one_line_and_changes_nothing(model, name):
    before = model.live
    with pytest.raises(GraphRecError) as caught:
        model.add_events(EVENT_MISTAKES[name])
    assert "\n" not in str(caught.value)
    assert model.live is before


def test_good_rows_are_taken_in_and_each_other_one_has_its_reason(model):
    model.remove_items(["i4"])
    records = [
        record_of("n1"), record_of("n1", 5), record_of("i1"), {"item_id": None}, record_of("n\n2"),
        record_of("n\x003"), record_of("n4") | {"price": "cheap"}, record_of("i4"),
    ]  # fmt: skip
    rows = model.add_items(records).rows
    assert added(model) == ["n1", "n4"]
    assert dict(zip(rows["row"], rows["reason"], strict=True)) == {
        2: "item id stands before; its first row is kept",
        3: "the item is in the catalogue already: update-items changes it",
        4: "empty item id",
        5: "the id holds a line break (is a quotation mark not closed?)",
        6: "the id holds a NUL byte (was the file cut off while it was written?)",
        7: "not a finite number; the value counts as missing, the item stays",
    }
    assert model.live.state.items.removed.tolist() == []  # the one that was removed is back
    rows = model.update_items([record_of("n1", 5), record_of("x"), record_of("n4", 5)]).rows
    assert rows["value"].tolist() == ["x"]
    assert card(model, "n1").title[0] == record_of("n1", 5)["title"]


def test_ids_are_strings_as_they_came(model):
    ids = ["007", "7", "'q\"", "ü→😀", "a,b", "x" * 500, "True", "1.0"]
    warnings = model.add_items([record_of(one) for one in ids]).warnings
    assert added(model) == ids
    assert any("leading zeros" in one for one in warnings)
    model.add_events([{"user_id": "007", "item_id": one} for one in ids])
    assert model.live.state.users.names.full()[-1] == "007"
    state = model.live.state
    assert state.degree[state.items.indices(ids, "")].tolist() == [1] * len(ids)
    assert model.add_events([event(item_id="07"), event()]).rows["reason"].tolist() == [
        "unknown item: the items file has this id with other leading zeros (did a spreadsheet drop them?)"
    ]


def test_frames_are_read_as_files_are(model):
    model.add_items(pd.DataFrame({"item_id": [7, 8], "title": ["red", "blue"]}))
    model.add_items(pd.DataFrame({"item_id": [9.0, np.nan], "title": ["red", "blue"]}))  # as pandas makes of gaps
    model.add_items(pd.DataFrame({"item_id": ["a"], "title": ["red"]}).set_index("item_id"))
    model.add_items(pd.DataFrame({"item_id": ["b"], "title": ["red"]}).set_index("item_id", drop=False))
    model.add_items(pd.DataFrame({"item_id": ["c", "x", "d"], "title": ["red"] * 3}).iloc[[0, 2]])
    model.add_items(pd.DataFrame({"item_id": pd.Categorical(["e"]), "kind": pd.Categorical(["shoe"])}))
    assert added(model) == ["7", "8", "9", "a", "b", "c", "d", "e"]
    assert card(model, "8").title[0] == "blue"
    assert card(model, "e").attributes.categorical["kind"][0] == "shoe"


def test_records_may_hold_what_python_has(model):
    model.add_items(
        iter([
            {"item_id": 7, "title": pd.NA, "price": decimal.Decimal("3.5"), "tags": np.array(["red", "long"])},
            {"item_id": np.int64(8), "title": datetime.date(2024, 5, 1), "price": np.float32(0.5), "tags": ("red",)},
            {"item_id": "n9", "title": None, "price": float("nan"), "tags": set()},
        ])
    )  # fmt: skip
    assert added(model) == ["7", "8", "n9"]
    assert [card(model, one).attributes.numeric["price"][0] for one in ("7", "8")] == [3.5, 0.5]
    assert np.isnan(card(model, "n9").attributes.numeric["price"][0])
    assert card(model, "7").attributes.multi_valued["tags"] == [("red", "long")]
    assert card(model, "8").title[0] == "2024-05-01"
    model.add_events([event(user_id="v", timestamp=pd.Timestamp("2024-05-01")), event(user_id="w", timestamp=pd.NaT)])
    assert model.drift.events == 2


def test_columns_that_the_run_does_not_know_are_said_and_not_used(model):
    notes = model.add_items([record_of("n1") | {"colour": "red", "size": "9"}]).notes
    assert "items: columns that the run knows nothing of are not used: colour, size" in notes
    assert card(model, "n1").attributes.names == ["kind", "tags", "price"]


def test_attributes_of_other_kinds_are_read_as_the_run_has_them(model):
    swapped = record_of("n1") | {"kind": ["shoe", "hat"], "tags": "red|long", "price": ["1", "2"]}
    model.add_items([swapped])
    attributes = card(model, "n1").attributes
    assert attributes.multi_valued["tags"] == [("red", "long")]
    assert attributes.categorical["kind"][0] == "shoe, hat"
    assert np.isnan(attributes.numeric["price"][0])


def test_a_huge_text_is_an_item_like_any_other(model):
    model.add_items([record_of("n1") | {"title": "red " * 1_000_000}, record_of("n2") | {"title": "red"}])
    vectors = model.live.state.index.vectors_ID[np.array([NUM_ITEMS, NUM_ITEMS + 1])]
    assert np.isfinite(vectors).all()


def test_nothing_to_remove_is_nothing_done(model):
    model.remove_items([])
    assert model.changes_.stored == ()
    for wrong in (None, "i1", [7], ["i1", "x"]):
        with pytest.raises(GraphRecError):
            model.remove_items(wrong)
    assert model.live.state.items.removed.tolist() == []
    model.remove_items(["i1", "i1"])
    with pytest.raises(GraphRecError, match="was removed"):
        model.remove_items(["i2", "i1"])
    assert model.live.state.items.removed.tolist() == [1]


@pytest.mark.parametrize(
    ("change", "title", "text"),
    [
        ({"title": "blue"}, "blue", "blue. A long one"),
        ({"description": "Short"}, "red", "red. Short"),
        ({"title": "blue", "description": "Short"}, "blue", "blue. Short"),
        ({"title": ""}, "", "A long one"),
        ({"description": ""}, "red", "red"),
        ({"price": "3"}, "red", "red. A long one"),
    ],
)
def test_the_part_of_a_text_that_an_update_does_not_name_stays(model, change, title, text):
    model.add_items([record_of("n1") | {"title": "red", "description": "A long one"}, record_of("n2")])
    model.update_items([{"item_id": "n1"} | change])
    assert (card(model, "n1").title[0], card(model, "n1").text[0]) == (title, text)
    whole = {"title": title, "description": text.removeprefix("red. ").removeprefix("blue. ") if ". " in text else ""}
    if not title:
        whole["description"] = text
    price = card(model, "n1").attributes.numeric["price"][0]
    model.add_items([record_of("n1") | whole | {"item_id": "n3", "price": str(price)}])
    vectors = model.live.state.index.vectors_ID
    np.testing.assert_allclose(vectors[NUM_ITEMS], vectors[NUM_ITEMS + 2], rtol=1e-5, atol=1e-5)


def test_a_text_of_other_columns_is_changed_by_all_of_them_or_not_at_all():
    model = described(items={"text": ["title", "maker"], "categorical": ["kind"], "multi_valued": {"tags": "|"}})
    model.add_items([record_of("n1") | {"title": "red", "maker": "Acme"}])
    assert card(model, "n1").text[0] == "red. Acme"
    warnings = model.update_items([{"item_id": "n1", "title": "blue"}]).warnings
    assert card(model, "n1").text[0] == "red. Acme"
    assert "The texts stay as they are: they are made of maker too, which the file does not have." in warnings
    model.update_items([{"item_id": "n1", "title": "blue", "maker": "Best"}])
    assert card(model, "n1").text[0] == "blue. Best"


def test_an_update_keeps_the_vectors_that_it_does_not_bring(model):
    model.add_items([record_of("n1"), record_of("n2")], own_vectors(["n1"]))
    items = np.array([NUM_ITEMS, NUM_ITEMS + 1])
    before, _ = model.live.vectors.take("style", items)
    model.update_items([{"item_id": "n1", "price": "9"}, {"item_id": "n2", "price": "9"}])
    now, present = model.live.vectors.take("style", items)
    assert (now.tobytes(), present.tolist()) == (before.tobytes(), [True, False])
    model.update_items([{"item_id": "n1"}, {"item_id": "n2"}], own_vectors(["n2"]))
    now, present = model.live.vectors.take("style", items)
    assert present.tolist() == [True, True]
    assert now[0].tobytes() == before[0].tobytes()


def test_columns_go_by_the_names_of_the_dataset():
    model = described(
        items={"columns": {"item_id": "sku", "title": "name"}, "item_prefix": "s-"},
        interactions={"columns": {"user_id": "customer", "item_id": "sku"}, "item_prefix": "s-", "user_prefix": "c-"},
    )
    model.add_items([{"sku": "1", "name": "red", "price": "3"}])
    model.add_events([{"customer": "9", "sku": "1"}])
    assert added(model) == ["s-1"]
    assert card(model, "s-1").title[0] == "red"
    assert model.live.state.users.names.full()[-1] == "c-9"


def test_events_are_weighed_and_left_out_as_in_the_dataset():
    model = described(interactions={"events": {"view": 1, "buy": 3, "return": 0}, "minimum_rating": 3})
    answer = model.add_events([
        event(user_id="a", event="view"), event(user_id="b", event="buy", weight="2"),
        event(user_id="c", event="return"), event(user_id="d", event="lick"),
        event(user_id="e", event="buy", rating="2"),
        event(user_id="f", event="buy", rating="4"),
    ])  # fmt: skip
    state = model.live.state
    assert state.users.names.full()[-3:].tolist() == ["a", "b", "f"]
    assert state.seen.take(np.arange(len(state.users) - 3, len(state.users))).data.tolist() == [1, 6, 3]
    assert answer.rows["reason"].tolist() == ["unknown event type: expected view, buy, return"]
    assert answer.left_out == {"event 'return' has weight 0": 1, "rating below 3": 1}


def test_who_did_not_agree_is_never_looked_at():
    model = described(privacy={"consent": {"column": "agreed"}})
    model.add_events([event(user_id="a", agreed="yes"), event(user_id="b", agreed="no"), event(user_id="c", agreed="")])
    assert model.live.state.users.names.full()[-1] == "a"
    before = model.live
    for events in ([event(user_id="b", agreed="no")], [event(user_id="b")]):
        with pytest.raises(GraphRecError) as caught:
            model.add_events(events)
        assert "\n" not in str(caught.value)
    assert model.live is before


def test_people_come_under_the_pseudonyms_of_the_dataset(monkeypatch):
    model = described(privacy={"pseudonyms": {"scope": "shop", "key_env": "SHOP_KEY"}})
    monkeypatch.delenv("SHOP_KEY", raising=False)
    with pytest.raises(GraphRecError, match="SHOP_KEY"):
        model.add_events([event(user_id="Ada")])
    monkeypatch.setenv("SHOP_KEY", bytes(range(32)).hex())
    answer = model.add_events([event(user_id="Ada"), event(user_id="Ada", item_id="x")])
    assert answer.rows["value"].tolist() == ["(not kept)"]
    (name,) = model.live.state.users.names.full()[len(model.train_.user_ids) :]
    assert name.startswith("u1_")
    assert "Ada" not in str(model.changes_)


def test_of_several_sites_the_one_that_is_meant_has_to_be_named():
    sites = [{"file": f"{one}.csv", "site": one, "item_prefix": f"{one}-"} for one in ("here", "there")]
    model = described(items=sites, interactions=sites)
    for site in (None, "nowhere"):
        for call, rows in ((model.add_items, [record_of("n1")]), (model.add_events, [event()])):
            with pytest.raises(GraphRecError, match=r"name one with --site \(here, there\)"):
                call(rows, site=site)
    model.add_items([record_of("n1")], site="there")
    assert added(model) == ["there-n1"]
    assert card(model, "there-n1").site[0] == "there"
    model.add_events([{"user_id": "v", "item_id": "n1"}], site="there")
    assert model.drift.users_added == 1


def test_items_of_other_sites_than_the_target_are_said(make_world):
    model = fresh(make_world(1, True))
    answer = model.add_items([record_of("n1"), record_of("n2") | {"site": "there"}, record_of("n3") | {"site": "here"}])
    assert answer.warnings == (
        "2 of the items are of no site, there: this run recommends those of here alone; say of which site they are in "
        "a column site, or with --site.",
    )
    assert model.add_items([record_of("n4")], site="here").warnings == ()
    found = set(model.recommend(["u3"], k=NUM_ITEMS + 4)["item_id"])
    assert found & {"n1", "n2", "n3", "n4"} == {"n3", "n4"}


def png_header(width, height):
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def test_pictures_that_cannot_be_used_cost_the_item_its_picture_alone(saved_run, small_store, tmp_path):
    model = Recommender.load(saved_run, "cpu")
    known = next(path for path in model.train_.catalogue.image if path)
    (tmp_path / "shop").mkdir()
    shutil.copy(small_store / known, tmp_path / "shop" / "good.png")
    shutil.copy(small_store / known, tmp_path / "outside.png")
    (tmp_path / "shop" / "link.png").symlink_to(tmp_path / "outside.png")
    (tmp_path / "shop" / "bomb.png").write_bytes(png_header(60_000, 60_000))
    (tmp_path / "shop" / "text.png").write_text("no picture")
    (tmp_path / "shop" / "folder.png").mkdir()
    names = ["good", "missing", "bomb", "text", "folder", "link"]
    paths = [
        *(f"{name}.png" for name in names),
        "../outside.png",
        str(tmp_path / "outside.png"),
        "https://x.y/z.png",
        "",
    ]
    records = [{"item_id": f"n{place}", "title": "red shoe", "image": path} for place, path in enumerate(paths)]
    answer = model.add_items(records, root=tmp_path / "shop")
    state, count = model.live.state, len(model.train_.catalogue)
    items = count + np.arange(len(paths))
    assert state.items.item_ids[items].tolist() == [one["item_id"] for one in records]
    assert model.live.vectors.present["image"][items].tolist() == [True] + [False] * 9
    assert model.live.vectors.present["text"][items].all()
    reason = "the image path leaves the dataset folder; it counts as missing, the item stays"
    assert answer.rows["row"][answer.rows["reason"] == reason].tolist() == [7, 8, 9]
    assert any("damaged or no picture" in note for note in answer.notes)
    twin = model.train_.catalogue.item_ids[model.train_.catalogue.image.tolist().index(known)]
    assert model.search(image=tmp_path / "shop" / "good.png", k=2)["item_id"].tolist() in (["n0", twin], [twin, "n0"])
    model.update_items([{"item_id": "n0", "title": "blue hat"}])  # the picture may be gone by now
    assert model.live.vectors.present["image"][items[:1]].all()
    model.update_items([{"item_id": "n0", "image": ""}])
    assert not model.live.vectors.present["image"][items[:1]].any()


def test_with_a_gate_an_added_item_is_its_twin_in_training(small_store):
    """What the gate trusts of an item does not depend on when it came."""
    data = Dataset.load(small_store)
    model = fresh(world_of(1, False, data=data, use="[words,attributes]", gate=True))
    cold = int(np.flatnonzero(model.model_.degree_I == 0)[0])
    one = data.catalogue.take(np.array([cold]))
    attributes = one.attributes
    record = {
        "item_id": "twin", "title": one.title[0], "description": one.text[0].removeprefix(f"{one.title[0]}. "),
        "site": one.site[0], **{name: values[0] for name, values in attributes.categorical.items()},
        **{name: list(values[0]) for name, values in attributes.multi_valued.items()},
        **{name: str(values[0]) for name, values in attributes.numeric.items()},
    }  # fmt: skip
    model.add_items([record])
    assert model.live.state.items.card(len(data.catalogue)).text[0] == one.text[0]
    vectors = model.live.state.index.vectors_ID
    np.testing.assert_allclose(vectors[len(data.catalogue)], vectors[cold], rtol=1e-4, atol=1e-5)
    model.update_items([{"item_id": "twin", "price": record["price"]}])
    np.testing.assert_allclose(
        model.live.state.index.vectors_ID[len(data.catalogue)], vectors[cold], rtol=1e-4, atol=1e-5
    )


def test_a_filter_that_only_a_new_item_meets_finds_it(model):
    model.add_items([record_of("n1") | {"kind": "umbrella"}])
    assert model.recommend(["u3"], filters=Filters(where=("kind=umbrella",)))["item_id"].tolist() == ["n1"]
