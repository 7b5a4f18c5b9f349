"""Value maps, units, currencies and extracted columns: values by hand, and a line for whatever is not said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.dataset import Dataset
from graphrec.data.normalise.numbers import split_number
from graphrec.data.normalise.unit_table import UNITS, factor_between
from graphrec.errors import GraphRecError

ITEMS = """item_id,title,kind,tags,height,price,cur
a,Mug (1999),cup,red|big,4,10,USD
b,Plate (2005),dish,Rot|small,10 cm,"1,000.50",EUR
c,Bowl,Cup,blue,half,12,SEK
d,Jug (1999) (2001),,red,2 kg,x,usd
"""


def shop(folder, settings, items=ITEMS, interactions="interactions: {file: log.csv}", log="user_id,item_id\nu,a\n"):
    (folder / "items.csv").write_text(items, encoding="utf-8")
    (folder / "log.csv").write_text(log, encoding="utf-8")
    text = f"items:\n  file: items.csv\n{settings}\n{interactions}\n"
    (folder / "dataset.yaml").write_text(text, encoding="utf-8")
    return Dataset.load(folder)


def said(dataset):
    return " ".join([*dataset.set_aside.notes, *dataset.set_aside.warnings])


def aside(dataset):
    return [(r.row, r.column, r.reason.split(";")[0]) for r in dataset.set_aside.rows.itertuples()]


def test_a_year_out_of_the_title(tmp_path):
    pattern = r"'\((\d{4})\)\s*$'"
    dataset = shop(tmp_path, f"  numeric: [year]\n  extract: {{year: {{from: title, pattern: {pattern}, cut: true}}}}")
    assert dataset.catalogue.attributes.numeric["year"].tolist()[:2] == [1999, 2005]
    assert dataset.catalogue.attributes.numeric["year"].tolist()[3] == 2001, "the one at the end"
    assert dataset.catalogue.title.tolist() == ["Mug", "Plate", "Bowl", "Jug (1999)"]
    assert "1 of 4 rows have no year in column 'title', such as row 3" in said(dataset)


def test_the_first_match_counts(tmp_path):
    dataset = shop(tmp_path, r"  numeric: [year]" + "\n" + r"  extract: {year: {from: title, pattern: '\((\d{4})\)'}}")
    assert dataset.catalogue.attributes.numeric["year"].tolist()[3] == 1999


def test_a_pattern_that_would_run_for_ever_elsewhere_does_not(tmp_path):
    items = f"item_id,title\na,{'a' * 5000}\nb,x\n"
    dataset = shop(tmp_path, "  categorical: [end]\n  extract: {end: {from: title, pattern: '((?:a+)+)b'}}", items)
    assert dataset.catalogue.attributes.categorical["end"].tolist() == ["", ""]


def test_values_are_mapped_and_the_others_are_reported(tmp_path):
    settings = (
        '  categorical: [kind]\n  multi_valued: {tags: "|"}\n  values: {kind: {cup: mug}, tags: {Rot: red, big: null}}'
    )
    dataset = shop(tmp_path, settings)
    attributes = dataset.catalogue.attributes
    assert attributes.categorical["kind"].tolist() == ["mug", "dish", "Cup", ""]
    assert attributes.multi_valued["tags"] == [("red",), ("red", "small"), ("blue",), ("red",)]
    text = said(dataset)
    assert (
        "column 'kind': 2 values are not in its value map and stay as they are: 'dish' (1 rows), 'Cup' (1 rows)" in text
    )
    assert "'red' (2 rows) is not in the value map, but 'Rot' becomes 'red' by it" in text


def test_unmapped_values_can_count_as_missing(tmp_path):
    settings = "  categorical: [kind]\n  values: {kind: {cup: mug, pot: jug}}\n  unmapped: {kind: set_missing}"
    dataset = shop(tmp_path, settings)
    assert dataset.catalogue.attributes.categorical["kind"].tolist() == ["mug", "", "", ""]
    (warning,) = [one for one in dataset.set_aside.warnings if "value map" in one]
    assert "2 values are not in its value map and count as missing" in warning
    assert "1 names in its value map occur in no row, such as 'pot'" in said(dataset)


def test_numbers_and_words_that_yaml_reads_otherwise(tmp_path):
    items = "item_id,title,sex\na,Mug,1\nb,Cup,no\n"
    dataset = shop(tmp_path, '  categorical: [sex]\n  values: {sex: {1: men, "no": none}}', items)
    assert dataset.catalogue.attributes.categorical["sex"].tolist() == ["men", "none"]


def test_units(tmp_path):
    dataset = shop(tmp_path, "  numeric: [height]\n  units: {height: {from: in, to: cm}}")
    height = dataset.catalogue.attributes.numeric["height"]
    assert height[:2].tolist() == pytest.approx([10.16, 10])
    assert aside(dataset) == [
        (3, "height", "not one number (with a unit or without)"),
        (4, "height", "kg is no length"),
    ]


def test_a_number_without_a_unit_is_not_guessed(tmp_path):
    dataset = shop(tmp_path, "  numeric: [height]\n  units: {height: {to: m}}")
    assert dataset.catalogue.attributes.numeric["height"][1] == pytest.approx(0.1)
    assert (1, "height", "no unit, and no from") in [(r, c, why.split(":")[0]) for r, c, why in aside(dataset)]


def test_a_factor(tmp_path):
    dataset = shop(tmp_path, "  numeric: [height]\n  units: {height: {factor: 0.5}}")
    assert dataset.catalogue.attributes.numeric["height"][0] == 2
    assert (2, "height", "not a plain number") in aside(dataset)


def test_prices_in_one_currency_and_an_unknown_one_reported(tmp_path):
    dataset = shop(tmp_path, "  numeric: [price]\n  currency: {price: {code_column: cur, to: EUR, rates: {USD: 0.9}}}")
    price = dataset.catalogue.attributes.numeric["price"]
    assert price[:2].tolist() == pytest.approx([9, 1000.5])
    assert aside(dataset) == [(3, "cur", "a currency without a rate"), (4, "price", "not one price such as 12.99")]
    (warning,) = [one for one in dataset.set_aside.warnings if "rate" in one]
    assert "such as 1 in SEK; add rates: {SEK: <what one SEK is worth in EUR>}" in warning


def test_a_sign_is_checked_and_never_decides(tmp_path):
    items = "item_id,title,price\na,Mug,$10\nb,Cup,€10\nc,Jug,10 USD\nd,Pan,10\n"
    dataset = shop(tmp_path, "  numeric: [price]\n  currency: {price: {from: USD, to: EUR, rates: {USD: 0.9}}}", items)
    price = dataset.catalogue.attributes.numeric["price"]
    assert price[[0, 2, 3]].tolist() == pytest.approx([9, 9, 9])
    assert aside(dataset) == [(2, "price", "what stands beside the number is not its currency")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("  values: {colour: {a: b}}", "no column 'colour', which dataset.yaml names under items"),
        ("  units: {heigth: {from: cm, to: m}}", "did you mean 'height'?"),
        ("  units: {height: {from: cmm, to: m}}", "unknown unit 'cmm' (known: mm, cm"),
        ("  units: {height: {from: kg, to: m}}", "kg is a mass and m a length"),
        ("  units: {height: {}}", "give either to: <unit>"),
        ("  units: {price: {factor: 2}}\n  currency: {price: {from: EUR, to: EUR}}", "under units and under currency"),
        ("  currency: {price: {from: USD, to: EUR}}", "no rate for USD: add rates: {USD:"),
        ("  currency: {price: {from: usd, to: EUR}}", "items.currency.price.from: expected"),
        ("  currency: {price: {to: EUR}}", "give either from: <code> or code_column"),
        ("  currency: {price: {code_column: curr, to: EUR}}", "did you mean 'cur'?"),
        ("  currency: {price: {from: USD, to: EUR, rates: {USD: -1}}}", "greater than 0"),
        ("  currency: {price: {from: EUR, to: EUR, rates: {EUR: 2}}}", "one EUR is worth 1 EUR"),
        ("  extract: {kind: {from: title, pattern: '(a)'}}", "has a column 'kind' already"),
        ("  extract: {year: {from: titel, pattern: '(a)'}}", "did you mean 'title'?"),
        ("  extract: {year: {from: title, pattern: 'a'}}", "expected one group in round brackets, got 0"),
        ("  extract: {year: {from: title, pattern: '(a'}}", "not a regular expression"),
        ("  extract: {year: {from: title, pattern: '(?<=x)(a)'}}", "not a regular expression"),
        ("  extract: {year: {form: title, pattern: '(a)'}}", "unknown key, did you mean from?"),
        ("  unmapped: {kind: keep}", "unmapped: 'kind' has no map under values"),
        ("  values: {kind: {no: b}}", "put the value in quotation marks"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path, settings, message):
    with pytest.raises(GraphRecError) as caught:
        shop(tmp_path, settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_events_and_ratings_of_another_site_in_the_own_words(tmp_path):
    interactions = """interactions:
  file: log.csv
  columns: {event: was}
  values: {event: {kauf: purchase}}
  events: {purchase: 1, view: 0.5}
  units: {rating: {factor: 0.5}}
  minimum_rating: 3
"""
    log = "user_id,item_id,was,rating\nu,a,kauf,10\nu,b,kauf,5\nu,c,view,6\n"
    dataset = shop(tmp_path, "  categorical: []", interactions=interactions, log=log)
    assert dataset.interactions.weight_E.tolist() == [1, 0.5]
    assert dataset.set_aside.left_out == {"rating below 3": 1}


@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)))
def test_there_and_back_is_one(one, other):
    if UNITS[one][0] == UNITS[other][0]:
        assert factor_between(one, other) * factor_between(other, one) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", (12, "")),
        ("-1.5e3 kg", (-1500, "kg")),
        ("1,299.00", (1299, "")),
        ('12"', (12, '"')),
        ("US$ 3", (3, "US$")),
        (".5 lb.", (0.5, "lb")),
        ("12,99", None),
        ("1 x 2", None),
        ("1.2.3", None),
        ("none", None),
        ("", None),
    ],
)
def test_split_number(text, expected):
    assert split_number(text) == expected
