"""Keys of products in one spelling each; expected values by hand or by the GS1 examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.product_keys import normal_asin, normal_gtin, normal_url, read_keys
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, to_strings


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4006381333931", "04006381333931"),  # EAN-13
        ("036000291452", "00036000291452"),  # UPC-A, with its zero
        ("36000291452", "00036000291452"),  # and without, as a spreadsheet leaves it
        ("0036000291452", "00036000291452"),
        ("96385074", "00000096385074"),  # GTIN-8
        ("10614141000415", "10614141000415"),  # a case of them: another trade item
        ("4006381-333931", "04006381333931"),
        ("4006381333931.0", "04006381333931"),
        ("4 006381 333931", "04006381333931"),
        ("4006381333932", None),  # check digit
        ("4006381333913", None),  # two digits changed places
        ("0000000000000", None),
        ("2012345678900", None),  # for the shop's own use
        ("0212345678909", None),
        ("ABC", None),
        ("1234567", None),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", None),  # digits, but not these
    ],
)
def test_gtin(value, expected):
    assert normal_gtin(value) == expected


@given(st.integers(3, 9), st.text("0123456789", min_size=11, max_size=11))
def test_every_number_has_one_right_check_digit(first, middle):
    right = [digit for digit in "0123456789" if normal_gtin(f"{first}{middle}{digit}")]
    assert len(right) == 1
    thirteen = f"{first}{middle}{right[0]}"
    assert normal_gtin(thirteen) == normal_gtin(f"0{thirteen}") == normal_gtin(normal_gtin(thirteen))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("HTTPS://WWW.Shop.example:443/Red%20dress/?b=2&a=1&utm_source=x#top", "shop.example/Red%20dress?a=1&b=2"),
        ("http://shop.example/Red dress", "shop.example/Red%20dress"),
        ("http://shop.example:8080/", "shop.example:8080"),
        ("http://shop.example:x/", None),
        ("http://[::1", None),
        ("shop.example/dress", None),
        ("ftp://shop.example/dress", None),
        ("javascript:alert(1)", None),
    ],
)
def test_url(value, expected):
    assert normal_url(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("b00005n5pf", "B00005N5PF"), ("B00005N5P", None), ("B0000-N5PF", None)]
)
def test_asin(value, expected):
    assert normal_asin(value) == expected


def test_a_wrong_key_is_reported_with_its_row_and_counts_as_missing():
    table = Table("items.csv", np.array([1, 2, 4]), {"ean": to_strings(["4006381333931", "", "4006381333932"])})
    collector = SetAsideCollector()
    keys = read_keys(table, {"gtin": "ean", "item_id": "id"}, collector)
    assert {name: values.tolist() for name, values in keys.items()} == {"gtin": ["04006381333931", "", ""]}
    ((file, row, column, value, reason),) = collector.finish().rows.itertuples(index=False)
    assert (file, row, column, value) == ("items.csv", 4, "ean", "4006381333932")
    assert reason.startswith("not a GTIN")
