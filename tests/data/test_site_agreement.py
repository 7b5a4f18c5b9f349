"""Sites that speak of the same things in other words: each told once, nothing put right."""

import numpy as np
import pytest

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs
from graphrec.data.site_agreement import disagreements


def world(**attributes: dict):
    """25 items on each of two sites; values are given as (north, south)."""
    ids = np.array([f"{site}{number}" for site in "ns" for number in range(25)], dtype=object)
    site = np.array(["north"] * 25 + ["south"] * 25, dtype=object)
    nothing = np.full(50, "", dtype=object)
    keys = {
        name: np.array([*north, *south], dtype=object) for name, (north, south) in attributes.pop("keys", {}).items()
    }
    kinds = {
        kind: {name: [*north, *south] for name, (north, south) in attributes.get(kind, {}).items()}
        for kind in ("categorical", "multi_valued", "numeric")
    }
    categorical = {name: np.array(values, dtype=object) for name, values in kinds["categorical"].items()}
    numeric = {name: np.array(values, dtype=float) for name, values in kinds["numeric"].items()}
    catalogue = Catalogue(
        ids, nothing, nothing, nothing, None, site, Attributes(categorical, kinds["multi_valued"], numeric), keys
    )
    none = np.zeros(0, np.int64)
    return Dataset(
        "world",
        catalogue,
        np.array([], dtype=object),
        ("north", "south"),
        Interactions.from_pairs(none, none, 0, 50),
        same_as=SameAs.of(np.array([0, 1]), np.array([25, 26]), np.ones(2)),
    )


def test_categories_without_a_value_in_common():
    (line,) = disagreements(world(categorical={"kind": (["cup"] * 25, ["Becher"] * 25)}))
    assert "Attribute 'kind' has no value in common on 'north' (such as 'cup') and 'south' (such as 'Becher')" in line


def test_lists_that_differ_by_case_or_spaces_only():
    tags = ([("Sci-Fi", "Drama")] * 25, [("sci-fi",), ("Drama",)] + [()] * 23)
    (line,) = disagreements(world(multi_valued={"tags": tags}))
    assert (
        "'tags': 1 values differ by case or spaces only on 'north' and 'south', such as 'Sci-Fi' and 'sci-fi'" in line
    )


def test_numbers_of_another_size():
    (line,) = disagreements(world(numeric={"height": ([10.0] * 25, [254.0] * 25)}))
    assert "the median is 10 on 'north' and 254 on 'south'; are they in one unit" in line


def test_linked_items_with_another_key():
    gtin = (["1", "2", *[""] * 23], ["1", "3", *[""] * 23])
    (line,) = disagreements(world(keys={"gtin": gtin}))
    assert line.startswith("1 pairs that same_as links have another gtin on either site, such as 'n1' (2) and 's1' (3)")


@pytest.mark.parametrize(
    "agreeing",
    [
        {"categorical": {"kind": (["cup"] * 25, ["cup"] * 24 + ["mug"])}},
        {"categorical": {"kind": (["cup"] * 25, [""] * 25)}},
        {"numeric": {"price": ([10.0] * 25, [20.0] * 25)}},
        {"numeric": {"price": ([10.0] + [np.nan] * 24, [1000.0] * 25)}},
        {"keys": {"url": (["a"] * 25, ["b"] * 25)}},
    ],
)
def test_sites_that_agree(agreeing):
    assert disagreements(world(**agreeing)) == []
