"""What goes wrong when shops are put side by side, through `graphrec check`: a clear line each."""

import json
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.usefixtures("elsewhere")

NORTH = "item_id,title,kind,ean,price,currency\nn1,Mug,cup,4006381333931,4,EUR\nn2,Jug,jug,036000291452,5,EUR\n"
SOUTH = "item_id,title,kind,ean,price,currency\ns1,Tasse,Becher,4006381333931,4,SEK\ns2,Krug,Krug,,5,EUR\n"
SITES = """
items:
  - {{file: north.csv, site: north, columns: {{gtin: ean}}, categorical: [kind], numeric: [price], {north}}}
  - {{file: south.csv, site: south, columns: {{gtin: ean}}, categorical: [kind], numeric: [price], {south}}}
interactions: {{file: log.csv}}
{rest}
"""


def shops(rest="same_as: {keys: [gtin]}", north=NORTH, south=SOUTH, say_north="", say_south="", **files: str):
    folder = Path("shops")
    folder.mkdir(exist_ok=True)
    yaml = SITES.format(north=say_north, south=say_south, rest=rest)
    contents = {
        "north.csv": north,
        "south.csv": south,
        "log.csv": "user_id,item_id\nu,n1\nv,s1\n",
        "dataset.yaml": yaml,
    }
    for name, text in {**contents, **{name.replace("__", "."): text for name, text in files.items()}}.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def check(graphrec):
    def run():
        code, out, err = graphrec("check", "shops", "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def failure(graphrec):
    def run():
        code, out, err = graphrec("check", "shops")
        assert (code, out) == (1, ""), err
        (line,) = [one for one in err.splitlines() if one.strip()]
        return line.removeprefix("graphrec: ")

    return run


def warning(report, start):
    (line,) = [one for one in report["warnings"] if one.startswith(start)]
    return line


def pairs(report):
    return sum(linked["pairs"] for linked in report["linked"])


def test_the_same_key_for_two_products_on_one_site(check):
    shops(north=NORTH + "n3,Mug again,cup,4006381333931,4,EUR\n")
    report = check()
    assert pairs(report) == 0
    assert warning(report, "same_as: the same gtin") == (
        "same_as: the same gtin stands at two items of one site (1 times, such as '04006381333931' at 'n1' and 'n3' of "
        "site 'north'); nothing is linked by it. Put the gtin right, or set same_as.many_per_site."
    )
    aside = pd.read_csv("runs/check/set_aside.csv", dtype=str)
    assert aside[["file", "row", "column"]].to_numpy().tolist() == [
        ["north.csv", "1", "gtin"],
        ["north.csv", "3", "gtin"],
    ]


def test_a_contradictory_same_as(check):
    shops(
        rest="same_as: {keys: [gtin], file: same.csv}",
        same__csv="item_id,same_item_id,verdict\nn1,s2,yes\n",
    )
    report = check()
    assert pairs(report) == 0
    assert warning(report, "Contradictory") == (
        "Contradictory same_as (1 times): a product would have two items of one site, or hold a pair with the verdict "
        "no, such as 'n1', 's1', 's2'; nothing of it is linked. Take out the wrong pair, or set same_as.many_per_site."
    )
    aside = pd.read_csv("runs/check/set_aside.csv", dtype=str)
    assert sorted(aside["file"]) == ["north.csv", "same.csv", "south.csv"]


def test_a_check_digit_that_is_wrong(check):
    shops(south=SOUTH.replace("4006381333931", "4006381333930"))
    report = check()
    assert pairs(report) == 0
    ((reason, rows),) = [(one["reason"], one["rows"]) for one in report["set_aside"]]
    assert reason.startswith("not a GTIN that holds across shops")
    assert (rows, report["items"]) == (1, 4)


def test_sites_without_names(check):
    shops()
    yaml = Path("shops/dataset.yaml")
    yaml.write_text(yaml.read_text().replace("site: north, ", "").replace("site: south, ", ""))
    report = check()
    assert pairs(report) == 0
    assert "'n1' and 's1' without a site" in warning(report, "same_as: the same gtin")


def test_an_unknown_currency(check):
    currency = "currency: {price: {code_column: currency, to: EUR}}"
    shops(say_north=currency, say_south=currency)
    report = check()
    assert warning(report, "south.csv: 1 prices") == (
        "south.csv: 1 prices count as missing for want of a rate, such as 1 in SEK; add rates: {SEK: <what one SEK is "
        "worth in EUR>} under currency: in dataset.yaml."
    )
    assert report["attributes"]["price"]["items"] == 3
    assert report["items"] == 4


def test_several_currencies_and_no_word_about_them(check):
    shops()
    assert "prices in several currencies (EUR, SEK)" in warning(check(), "south.csv")


def test_a_site_without_text(check):
    shops(south=SOUTH.replace("title", "titel_de"))
    assert warning(check(), "No item of site").startswith(
        "No item of site 'south' has a text: its items meet the other sites' through pictures, attributes and same_as"
    )


def test_categories_that_no_map_aligns(check):
    shops(say_south="values: {kind: {Becher: cup}}, unmapped: {kind: set_missing}")
    assert warning(check(), "south.csv, column") == (
        "south.csv, column 'kind': 1 values are not in its value map and count as missing: 'Krug' (1 rows); add them "
        "under values: in dataset.yaml."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"say_south": "values: {kindd: {a: b}}"},
            "south.csv has no column 'kindd', which dataset.yaml names under items: ",
        ),
        ({"say_south": "units: {weight: {from: stone, to: kg}}"}, "unknown unit 'stone'"),
        ({"say_south": "extract: {year: {from: title, pattern: '(((('}}"}, "not a regular expression"),
        (
            {"rest": "same_as: {keys: [ean]}"},
            "same_as.keys[0]: expected 'product_key', 'gtin', 'url' or 'asin', got 'ean'",
        ),
        ({"rest": "same_as: {keys: [asin]}"}, "no item has the key asin; name the column that holds it"),
        ({"rest": "same_as: {file: review.csv}"}, "review.csv does not exist"),
        ({"rest": "format: movilens"}, "format: expected 'recbole', 'movielens', 'amazon-reviews-2023'"),
    ],
)
def test_a_wrong_setting(failure, settings, message):
    shops(**settings)
    assert message in failure()


def test_a_folder_that_has_not_the_format_that_is_named(failure):
    shops()
    Path("shops/dataset.yaml").write_text("format: movielens\n")
    assert failure() == (
        "shops is not in the format movielens: expected u.item and u.data, movies.dat and ratings.dat, or movies.csv "
        "and ratings.csv."
    )
