"""Conditions leave exactly the items that meet them, and say in one line what they cannot do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.filters import NO_FILTERS, Filters
from graphrec.errors import GraphRecError

KINDS = ["shoes", "boots", "", "Shoes", "dress", "a|b", "boots"]
TAGS = [("new",), (), ("new", "sale"), ("sale",), (), ("new",), ("a=b",)]
PRICE = [10.0, 50.0, np.nan, 9.99, 50.01, -1.0, 30.0]
SITE = ["north", "south", "north", "", "south", "north", "north"]
DEGREE = np.array([0, 3, 0, 0, 1, 0, 2])


def catalogue_of(kinds=KINDS, tags=TAGS, price=PRICE, site=SITE):
    blank = np.full(len(kinds), "", dtype=object)
    return Catalogue(
        item_ids=np.array([f"i{number}" for number in range(len(kinds))], dtype=object),
        title=blank,
        text=blank,
        image=blank,
        image_root=None,
        site=np.array(site, dtype=object),
        attributes=Attributes(
            categorical={"kind": np.array(kinds, dtype=object)},
            multi_valued={"tags": tags},
            numeric={"price": np.array(price)},
        ),
    )


def left(*where: str, catalogue=None, **others: object):
    return Filters(where=where, **others).eligible(catalogue or catalogue_of(), DEGREE)


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_conditions_nothing_is_filtered():
    assert NO_FILTERS.eligible(catalogue_of(), DEGREE) is None
    assert Filters(site=()) == NO_FILTERS


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["kind=boots"], [1, 6]),
        (["kind=shoes"], [0, 3]),  # upper and lower case are one
        (["kind=dress|BOOTS"], [1, 4, 6]),
        (["kind=a|b"], [5]),  # a value that holds a "|" itself
        (["tags=new"], [0, 2, 5]),
        (["tags=new|sale"], [0, 2, 3, 5]),
        (["tags=new", "tags=sale"], [2]),
        (["tags=a=b"], [6]),
        (["price=10..50"], [0, 1, 6]),  # both ends included, nan never
        (["price=..9.99"], [3, 5]),
        (["price=50.."], [1, 4]),
        (["price=-1"], [5]),
        (["price=10..50", "kind=boots"], [1, 6]),
        (["site=south"], [1, 4]),
    ],
)
def test_conditions_leave_the_items_that_meet_them(where, expected):
    assert left(*where).tolist() == expected


def test_sites_ids_and_newness_are_conditions_too():
    assert left(site="north").tolist() == [0, 2, 5, 6]
    assert left(site=("north", "south"), only_new=True).tolist() == [0, 2, 5]
    assert left(exclude=["i0", "i6"]).tolist() == [1, 2, 3, 4, 5]
    assert left("tags=new", only_new=True, exclude=("i5",), site=("north",)).tolist() == [0, 2]


def test_what_does_not_exist_is_told_with_what_is_close():
    assert error_of(lambda: left("kind=shoe")) == "No kind 'shoe'; did you mean 'shoes'?"
    assert error_of(lambda: left("knd=shoes")) == "--where knd=shoes: no attribute 'knd'; did you mean 'kind'?"
    assert "there is: kind, price, site, tags" in error_of(lambda: left("wood=oak"))
    assert error_of(lambda: left("kind=xyz")) == "No kind 'xyz'; there is: shoes, a|b, boots, dress"
    assert error_of(lambda: left(site="nort")) == "No site 'nort'; did you mean 'north'?"
    assert "--exclude: unknown item 'i9'; there is: i0, i1" in error_of(lambda: left(exclude=("i1", "i9")))
    no_site = catalogue_of(site=[""] * 7)
    assert "the catalogue names no site" in error_of(lambda: left(site="north", catalogue=no_site))


@pytest.mark.parametrize("where", ["price=cheap", "price=10..x", "price=..", "price=nan", "price=nan..5"])
def test_a_range_that_is_none_is_told(where):
    assert "expected a number or a range" in error_of(lambda: left(where))


@pytest.mark.parametrize("where", ["kind", "", "=boots", "kind=", "tags= "])
def test_a_condition_without_name_or_value_is_told(where):
    assert "expected name=value" in error_of(lambda: left(where))


def test_a_filter_that_leaves_nothing_is_named():
    assert error_of(lambda: left("price=1000..")) == "--where price=1000.. leaves 0 of the 7 items: widen or drop it."
    assert error_of(lambda: left("kind=dress", "tags=new")) == (
        "--where tags=new leaves 0 of the 1 items that the conditions before it left: widen or drop it."
    )
    assert "upper end" in error_of(lambda: left("price=50..10"))
    warm = np.ones(7, dtype=int)
    assert "--only-new leaves 0 of the 7 items" in error_of(
        lambda: Filters(only_new=True).eligible(catalogue_of(), warm)
    )


VALUE = st.sampled_from(["red", "Red", "blue", ""])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(VALUE, st.lists(VALUE, max_size=3), st.one_of(st.floats(-9, 9), st.just(np.nan))),
        min_size=1,
        max_size=12,
    ),
    wanted=st.lists(st.sampled_from(["red", "blue"]), min_size=1, max_size=2),
    low=st.floats(-9, 9),
    high=st.floats(-9, 9),
)
def test_any_catalogue_is_filtered_as_item_by_item(rows, wanted, low, high):
    kinds = [kind for kind, _, _ in rows]
    tags = [tuple(dict.fromkeys(tag for tag in held if tag)) for _, held, _ in rows]
    price = [number for _, _, number in rows]
    catalogue = catalogue_of(kinds, tags, price, [""] * len(rows))
    asked = "|".join(wanted)
    known_kinds, known_tags = ({one.lower() for one in values} for values in (kinds, sum(tags, ())))
    for condition, is_known, expected in (
        (f"kind={asked}", set(wanted) <= known_kinds, [kind.lower() in wanted for kind in kinds]),
        (f"tags={asked}", set(wanted) <= known_tags, [any(tag.lower() in wanted for tag in held) for held in tags]),
        (f"price={low!r}..{high!r}", low <= high, [low <= number <= high for number in price]),
    ):
        filters = Filters(where=(condition,))
        if is_known and any(expected):
            assert filters.eligible(catalogue, np.zeros(len(rows))).tolist() == np.flatnonzero(expected).tolist()
        else:
            error_of(lambda filters=filters: filters.eligible(catalogue, np.zeros(len(rows))))
