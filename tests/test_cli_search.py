"""`graphrec search` and the filters of `graphrec recall`, as a user types them."""

import io
import json

import pandas as pd
import pytest
from rich.console import Console

from graphrec.screen import search_table

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def search(graphrec, saved_run):
    return lambda *arguments: graphrec("search", "--run", saved_run, *arguments)


def records(answer):
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)


def failure(answer):
    code, out, err = answer
    assert code == 1, err
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("graphrec: ")
    return line


def test_a_search_prints_a_table_with_what_the_scores_consist_of(search):
    code, out, err = search("--text", "red dress", "-k", 3)
    assert code == 0, err
    header = next(line for line in out.splitlines() if "score" in line)
    assert header.split() == ["#", "item", "title", "score", "picture", "text", "degree", "site"]
    assert sum(line.strip().startswith(("1 ", "2 ", "3 ")) for line in out.splitlines()) == 3


def test_text_picture_items_and_filters_go_together(search, fitted, small_store):
    catalogue = fitted.train_.catalogue
    ids = [str(one) for one in catalogue.item_ids[:2]]
    picture = next((small_store / "images").glob("*.png"))
    found = records(
        search(
            "--text", "hat", "--image", picture, "--items", ",".join(ids), "--not", "blue", "--weights",
            "text=0.4,image=0.6", "--rerank", 50, "--site", "harbour", "--where", "price=..90", "--exclude",
            catalogue.item_ids[5], "-k", 4, "--json",
        )
    )  # fmt: skip
    assert [row["rank"] for row in found] == [1, 2, 3, 4]
    assert {row["site"] for row in found} == {"harbour"}
    assert not {*ids, str(catalogue.item_ids[5])} & {row["item_id"] for row in found}
    table = fitted.search(items=ids[0], but="red", k=2)
    but = records(search("--items", ids[0], "--but", "red", "-k", 2, "--json"))
    assert [row["item_id"] for row in but] == list(table["item_id"])


def test_recall_takes_the_same_filters(graphrec, saved_run, fitted):
    user = fitted.train_.user_ids[4]
    rows = records(graphrec("recall", "--run", saved_run, "--user", user, "--site", "meadow", "-k", 500, "--json"))
    everything = fitted.recommend([str(user)], 1000)
    sites = dict(zip(fitted.train_.catalogue.item_ids, fitted.train_.catalogue.site, strict=True))
    assert [row["item_id"] for row in rows] == [i for i in everything["item_id"] if sites[i] == "meadow"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--text", " "], "text is empty"),
        (["--image", "none.png"], "Picture none.png: missing"),
        (["--items", "no-such"], "unknown item 'no-such'"),
        (["--text", "hat", "--but", "red"], "--but changes a picture or items"),
        (["--text", "hat", "--weights", "text"], "expected text=0.9,image=0.1"),
        (["--text", "hat", "--where", "category=dres"], "No category 'dres'; did you mean 'dress'?"),
        (["--text", "hat", "--where", "price=9000.."], "--where price=9000.. leaves 0 of the"),
        (["--text", "hat", "--site", "harbor"], "No site 'harbor'; did you mean 'harbour'?"),
        (["--text", "hat", "--run", "runs/none"], "There is no run at runs/none"),
    ],
)
def test_a_mistake_is_one_line(search, arguments, told):
    assert told in failure(search(*arguments))


@pytest.mark.parametrize("arguments", [[], ["--but", "red"], ["--text", "hat", "--rerank", "few"], ["-k", "0"]])
def test_a_usage_error_is_exit_code_2(search, arguments):
    assert search(*arguments)[0] == 2


def test_an_item_without_picture_and_text_is_shown_as_such():
    rows = [
        (1, "a", "Red hat", 1.25, 3, "blend", "", "both", 1.0, 0.25),
        (2, "b", "", 0.5, 0, "content", "", "text", 0.0, 0.5),
        (3, "c", "Thing", float("nan"), 0, "content", "", "neither", 0.0, 0.0),
    ]
    columns = ["rank", "item_id", "title", "score", "degree", "source", "site", "matched", "from_image", "from_text"]
    console = Console(width=90, record=True, file=io.StringIO())
    console.print(search_table(pd.DataFrame(rows, columns=columns), "Found"))
    lines = [line.split() for line in console.export_text().splitlines() if line.strip()]
    assert lines[1] == ["#", "item", "title", "score", "picture", "text", "degree"]  # no site, no such column
    assert lines[3:] == [
        ["1", "a", "Red", "hat", "1.250", "+1.00", "+0.25", "3"],
        ["2", "b", "untitled", "0.500", "-", "+0.50", "0"],
        ["3", "c", "Thing", "no", "picture,", "no", "text", "-", "-", "0"],
    ]
