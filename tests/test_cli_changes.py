"""The commands that change a run after training, as a user types them."""

import csv
import json

import pytest


@pytest.fixture
def shop(small_store, run_copy, tmp_path, monkeypatch):
    """A folder with a run, and a file of three new items, of which one has no picture, and one that is known."""
    monkeypatch.chdir(tmp_path)
    rows = list(csv.DictReader((small_store / "items.csv").open(encoding="utf-8")))
    new = [dict(row, item_id=f"00-{place}") for place, row in enumerate(rows[:3])]
    new[2]["image"] = ""
    write(tmp_path / "new.csv", [*new, rows[5]])
    return rows


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def answer(out):
    return json.loads(out)


def test_items_are_found_as_soon_as_the_command_is_back(graphrec, shop, small_store, tmp_path):
    code, out, err = graphrec("add-items", "new.csv", "--root", small_store)
    assert (code, out) == (0, "Added 3 items in runs/latest (change 1).\n")
    assert "1 row set aside: the item is in the catalogue already: update-items changes it" in err
    assert (tmp_path / "new.set_aside.csv").read_text(encoding="utf-8").splitlines()[1].startswith("new.csv,4,item_id,")
    code, out, _ = graphrec("search", "--items", shop[0]["item_id"], "-k", 1, "--json")
    assert (code, answer(out)[0]["item_id"]) == (0, "00-0")  # its twin, and so the nearest of all
    code, out, _ = graphrec("recall", "--only-new", "-k", 200, "--json")
    assert {"00-0", "00-1", "00-2"} <= {row["item_id"] for row in answer(out)}


def test_events_bring_people_and_make_items_warm(graphrec, shop, small_store):
    graphrec("add-items", "new.csv", "--root", small_store)
    write_events = [{"user_id": "somebody", "item_id": "00-1", "timestamp": "2024-05-01"}]
    write(small_store.parent / "events.csv", write_events)
    code, out, _ = graphrec("add-events", small_store.parent / "events.csv", "--json")
    assert (code, answer(out)["item_ids"], answer(out)["drift"]["users_added"]) == (0, ["00-1"], 1)
    code, out, _ = graphrec("add-events", small_store.parent / "events.csv", "--json")
    assert (code, answer(out)["drift"]["events"], list(answer(out)["left_out"].values())) == (0, 1, [1])
    code, out, _ = graphrec("recall", "--user", "somebody", "-k", 3, "--include-seen", "--json")
    assert (code, len(answer(out))) == (0, 3)
    code, out, _ = graphrec("recall", "-k", 200, "--json")
    assert {row["item_id"]: row["degree"] for row in answer(out)}["00-1"] == 1


def test_what_an_update_does_not_name_stays(graphrec, shop, small_store, tmp_path):
    item_id, title = shop[0]["item_id"], shop[0]["title"]
    write(tmp_path / "prices.csv", [{"item_id": item_id, "price": "1.00"}, {"item_id": "no-such", "price": "2"}])
    code, out, err = graphrec("update-items", "prices.csv")
    assert (code, out) == (0, "Changed 1 item in runs/latest (change 1).\n")
    assert "unknown item: add-items adds it" in err
    code, out, _ = graphrec("recall", "--where", "price=..1.00", "-k", 5, "--json")
    assert [(row["item_id"], row["title"]) for row in answer(out)] == [(item_id, title)]


def test_removed_items_are_gone_at_once(graphrec, shop, tmp_path):
    gone = [row["item_id"] for row in shop[:4]]
    (tmp_path / "gone.csv").write_text("\n".join(["item_id", *gone[1:]]) + "\n", encoding="utf-8")
    code, out, _ = graphrec("remove-items", gone[0], "--file", "gone.csv")
    assert (code, out) == (0, "Removed 4 items in runs/latest (change 1).\n")
    _, out, _ = graphrec("recall", "-k", 500, "--json")
    assert not set(gone) & {row["item_id"] for row in answer(out)}
    code, _, err = graphrec("remove-items", gone[0])
    assert (code, err) == (1, f"graphrec: remove-items: item {gone[0]!r} was removed; add it again, or leave it out.\n")
    code, _, err = graphrec("search", "--items", gone[0])
    assert code == 1
    assert "was removed" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add-items", "no-such.csv"), "no-such.csv does not exist"),
        (("add-items", "new.csv", "--run", "elsewhere"), "There is no run at "),
        (("add-events", "new.csv"), "has no column user_id"),
        (("remove-items", "no-such"), "unknown item 'no-such'"),
        (("add-items", "new.csv", "--vectors", "image=no-such.npy"), "no-such.npy"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(graphrec, shop, tmp_path, arguments, says):
    code, out, err = graphrec(*arguments)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs/latest/changes.sqlite-wal").exists()


def test_an_evaluation_says_that_it_is_of_the_run_as_trained(graphrec, shop, small_store):
    graphrec("add-items", "new.csv", "--root", small_store)
    _, _, err = graphrec("eval", "--cold-items", "--arms", "graph,popularity")
    assert "as it was trained, without the 1 change since" in err
