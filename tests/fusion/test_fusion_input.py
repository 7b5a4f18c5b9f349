"""Tables that cannot be fused are refused in one line that says what to change."""

import numpy as np
import pandas as pd
import pytest

from graphrec import Fusion, GraphRecError, fuse, learn_fusion


def table(*rows: tuple):
    return pd.DataFrame(list(rows), columns=["user_id", "item_id", "score"])


GOOD = table(("u1", "a", 2.0), ("u1", "b", 1.0), ("u2", "a", 1.0))
TRUTH = GOOD[["user_id", "item_id"]]
WRONG_LISTS = {
    "no column": (GOOD.drop(columns="score"), "theirs has no column score (it has: user_id, item_id); rename"),
    "no table": ([("u1", "a", 1.0)], "theirs: expected a pandas DataFrame with user_id, item_id, score, got list"),
    "no rows": (GOOD[:0], "theirs has no rows: there is no list to read"),
    "repeated": (
        pd.concat([GOOD, table(("u1", "a", 9.0))]),
        "theirs: a user and an item repeat (1 times), such as user 'u1', item 'a': keep one row",
    ),
    "nan": (
        table(("u1", "a", 1.0), ("u2", "b", np.nan)),
        "theirs: a score that is no finite number in 1 of 2 rows, the first is row 2 (user_id 'u2', item_id 'b')",
    ),
    "words": (GOOD.assign(score="high"), "theirs: column score holds str, expected numbers"),
    "numbers as items": (
        GOOD.assign(item_id=[1, 2, 1]),
        "theirs: item_id holds int64, expected strings: read the file with",
    ),
    "mixed": (GOOD.assign(user_id=["u1", 1, "u2"]), "theirs: user_id holds values of several types, expected strings"),
    "missing": (GOOD.assign(user_id=["u1", None, "u2"]), "theirs: no user_id in 1 of 3 rows, the first is row 2"),
    "strangers": (
        GOOD.assign(user_id=["x1", "x1", "x2"]),
        "theirs and ours have no user in common (such as 'x1' and 'u1'): both must name users alike",
    ),
}


@pytest.mark.parametrize("name", WRONG_LISTS)
def test_lists_that_cannot_be_read_are_refused_in_one_line(name):
    theirs, message = WRONG_LISTS[name]
    for call in (lambda: fuse(theirs, GOOD, Fusion(0.5)), lambda: learn_fusion(theirs, GOOD, TRUTH)):
        with pytest.raises(GraphRecError) as caught:
            call()
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


def test_our_table_is_checked_as_theirs_is():
    with pytest.raises(GraphRecError, match=r"^ours: a user and an item repeat"):
        fuse(GOOD, pd.concat([GOOD, GOOD[:1]]), Fusion(0.5))


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_ids_that_lost_their_leading_zeros_are_named(column):
    ours = GOOD.assign(**{column: ["007", "0070", "100"] if column == "item_id" else ["007", "007", "100"]})
    theirs = ours.assign(**{column: ours[column].str.lstrip("0")})
    for call in (lambda: fuse(theirs, ours, Fusion(0.5)), lambda: learn_fusion(ours, ours, theirs)):
        with pytest.raises(GraphRecError, match=f"{column} has lost its leading zeros \\('007' of .* is '7' there\\)"):
            call()


def test_ids_with_and_without_a_leading_zero_may_both_be_there():
    ours, theirs = table(("u1", "07", 1.0)), table(("u1", "7", 1.0), ("u1", "08", 0.5))
    assert fuse(theirs, ours, Fusion(0.5))["item_id"].tolist() == ["7", "07", "08"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight": 1.5}, "Expected a fusion weight between 0"),
        ({"weight": float("nan")}, "Expected a fusion weight between 0"),
        ({"weight": 0.5, "new_weight": -1.0}, "Expected a weight of new items of at least 0"),
        ({"weight": 0.5, "constant": float("inf")}, "Expected a fusion constant of at least 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(GraphRecError, match=message):
        Fusion(**wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "Expected k of at least 1, got 0"),
        ({"new_items": "a"}, "new_items: expected a list of item ids, got 'a': write \\['a'\\]"),
        ({"new_items": [7]}, "new_items: expected ids as strings, got 7"),
    ],
)
def test_other_wrong_arguments_are_refused(settings, message):
    for call in (
        lambda: fuse(GOOD, GOOD, Fusion(0.5), **settings),
        lambda: learn_fusion(GOOD, GOOD, TRUTH, **settings),
    ):
        with pytest.raises(GraphRecError, match=message):
            call()


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (TRUTH.drop(columns="item_id"), "^truth has no column item_id"),
        (TRUTH[:0], "^truth has no rows"),
        (TRUTH[:1], "^truth: 1 of its 1 users have a list of both systems, and at least 2 are needed"),
        (TRUTH.assign(user_id="nobody"), "^truth: 0 of its 1 users have a list of both systems"),
        (TRUTH.assign(item_id=[1, 2, 1]), "^truth: item_id holds int64"),
    ],
)
def test_a_truth_that_cannot_judge_is_refused(truth, message):
    with pytest.raises(GraphRecError, match=message):
        learn_fusion(GOOD, GOOD, truth)


def test_a_share_that_may_be_lost_lies_between_0_and_1():
    with pytest.raises(GraphRecError, match="Expected a known_loss between 0 \\(none\\) and 1"):
        learn_fusion(GOOD, GOOD, TRUTH, known_loss=3)
