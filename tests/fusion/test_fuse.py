"""Two lists become one: by hand, against a slow twin, and what may not change it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec import Fusion, fuse


def lists(**of_user: str):
    """A table of lists, best first: u1="abc" gives user u1 the items a, b, c with scores 3, 2, 1."""
    rows = [
        (user, item, float(len(items) - place)) for user, items in of_user.items() for place, item in enumerate(items)
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "score"])


def order(fused, user="u"):
    return "".join(fused[fused["user_id"] == user]["item_id"])


def slow_fuse(theirs, ours, fusion, k, new_items):
    """The same, one user and one item at a time."""
    fused = {}
    for user in sorted(set(theirs["user_id"]) | set(ours["user_id"])):
        ranks = []
        for table in (theirs, ours):
            rows = table[table["user_id"] == user]
            best_first = sorted(zip(-rows["score"], rows["item_id"], strict=True))
            ranks.append({item: place for place, (_, item) in enumerate(best_first, start=1)})
        of_theirs, of_ours = ranks
        weight, new_weight = fusion.weight, fusion.new_weight
        if not of_theirs or not of_ours:
            weight, new_weight = (1, 1) if of_ours else (0, None)
        scores = {}
        for item in {**of_theirs, **of_ours}:
            if new_weight is not None and item in new_items and item not in of_theirs:
                scores[item] = new_weight / (fusion.constant + of_ours[item])
                continue
            mine = weight / (fusion.constant + of_ours[item]) if item in of_ours else 0
            other = (1 - weight) / (fusion.constant + of_theirs[item]) if item in of_theirs else 0
            scores[item] = mine + other
        last = 10**9
        ranked = sorted(
            (item for item in scores if scores[item] > 0),
            key=lambda item: (-scores[item], of_theirs.get(item, last), of_ours.get(item, last)),
        )
        fused[user] = ranked[:k]
    return fused


def test_scores_are_those_of_reciprocal_rank_fusion_by_hand():
    fused = fuse(lists(u="abc"), lists(u="bd"), Fusion(0.25, constant=60.0), k=3)
    assert fused.columns.tolist() == ["user_id", "rank", "item_id", "score", "from"]
    assert fused["item_id"].tolist() == ["b", "a", "c"]
    np.testing.assert_allclose(fused["score"], [0.75 / 62 + 0.25 / 61, 0.75 / 61, 0.75 / 63], rtol=1e-15)
    assert fused["from"].tolist() == ["both", "theirs", "theirs"]
    assert fused["rank"].tolist() == [1, 2, 3]


def test_a_new_item_has_a_weight_of_its_own_and_its_rank_is_that_in_our_list():
    theirs, ours = lists(u="abcd"), lists(u="bxay")
    plain = fuse(theirs, ours, Fusion(0.0), 10, ["x", "y"])
    assert order(plain) == "abcd"
    # At 1, x stands where an item would that both lists have at rank 2: level with b's place in theirs, and after it.
    inserted = fuse(theirs, ours, Fusion(0.0, new_weight=1.0), 10, ["x", "y"])
    assert order(inserted) == "abxcdy"
    assert inserted["score"].tolist()[2] == pytest.approx(1 / 62)
    assert order(fuse(theirs, ours, Fusion(0.0, new_weight=1.1), 10, ["x", "y"])) == "xyabcd"


def test_an_item_called_new_that_they_do_list_counts_as_any_other():
    theirs, ours = lists(u="ab"), lists(u="bx")
    fusion = Fusion(0.3, new_weight=2.0)
    pd.testing.assert_frame_equal(fuse(theirs, ours, fusion, 5, ["x"]), fuse(theirs, ours, fusion, 5, ["x", "b", "zz"]))


def test_weight_0_gives_theirs_exactly_and_weight_1_ours():
    theirs, ours = lists(u="gacb", v="hij"), lists(u="xacy", v="j")
    assert [order(fuse(theirs, ours, Fusion(0.0), 3), user) for user in "uv"] == ["gac", "hij"]
    assert [order(fuse(theirs, ours, Fusion(1.0), 3), user) for user in "uv"] == ["xac", "j"]


def test_of_two_equal_scores_theirs_stands_first():
    assert order(fuse(lists(u="z"), lists(u="a"), Fusion(0.5), 5)) == "za"


def test_who_is_in_one_table_alone_keeps_that_list():
    fused = fuse(lists(u="ab", v="cd"), lists(u="b", w="xa"), Fusion(0.0), 5, ["x"])
    assert [order(fused, user) for user in "uvw"] == ["ab", "cd", "xa"]
    assert set(fused[fused["user_id"] == "w"]["from"]) == {"ours"}


def test_equal_scores_of_one_list_stand_by_item_id_and_only_the_order_of_scores_counts():
    theirs = lists(u="cab")
    theirs["score"] = [1e9, -5.0, -5.0]
    assert order(fuse(theirs, lists(u="x"), Fusion(0.0), 5)) == "cab"
    theirs["score"] = 0.0
    assert order(fuse(theirs, lists(u="x"), Fusion(0.0), 5)) == "abc"


def test_other_columns_and_the_index_of_a_table_play_no_part():
    theirs, ours = lists(u="abc", v="ca"), lists(u="cx", v="xb")
    dressed = ours.assign(rank=9, degree=0, title="t").set_index(pd.Index([7, 7, 7, 7]))
    pd.testing.assert_frame_equal(fuse(theirs, dressed, Fusion(0.4), 5), fuse(theirs, ours, Fusion(0.4), 5))


ITEMS = "abcdefgh"
USERS = ("u", "v", "w")
SCORES = st.sampled_from([-1.0, 0.0, 0.25, 3.0])
COLUMNS = ["user_id", "item_id", "score"]
TABLES = st.dictionaries(st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS)), SCORES, min_size=1).map(
    lambda scores: pd.DataFrame(
        [(*pair, score) for pair, score in scores.items()], columns=["user_id", "item_id", "score"]
    )
)
FUSIONS = st.builds(
    Fusion,
    st.sampled_from([0.0, 0.05, 0.5, 0.7, 1.0]),
    st.sampled_from([None, 0.0, 1.0, 1.1, 3.0]),
    st.sampled_from([0.0, 10.0, 60.0]),
)


def has_user_in_common(theirs, ours):
    return bool(set(theirs["user_id"]) & set(ours["user_id"]))


@settings(deadline=None, max_examples=80)
@given(TABLES, TABLES, FUSIONS, st.integers(1, 9), st.sets(st.sampled_from(ITEMS)))
def test_fusing_is_what_a_slow_twin_does(theirs, ours, fusion, k, new_items):
    if not has_user_in_common(theirs, ours):
        return
    fused = fuse(theirs, ours, fusion, k, new_items)
    found = {user: list(rows["item_id"]) for user, rows in fused.groupby("user_id")}
    assert found == {user: items for user, items in slow_fuse(theirs, ours, fusion, k, new_items).items() if items}


@settings(deadline=None, max_examples=30)
@given(TABLES, TABLES, FUSIONS, st.integers(1, 9), st.sets(st.sampled_from(ITEMS)), st.randoms())
def test_the_order_of_rows_changes_nothing(theirs, ours, fusion, k, new_items, random):
    if not has_user_in_common(theirs, ours):
        return
    shuffled = [table.iloc[random.sample(range(len(table)), len(table))] for table in (theirs, ours)]
    pd.testing.assert_frame_equal(fuse(*shuffled, fusion, k, new_items), fuse(theirs, ours, fusion, k, new_items))


@settings(deadline=None, max_examples=30)
@given(TABLES, FUSIONS, st.sets(st.sampled_from(ITEMS)))
def test_a_list_fused_with_itself_keeps_its_order(table, fusion, new_items):
    fused = fuse(table, table, fusion, 9, new_items)
    alone = table.sort_values(["user_id", "score", "item_id"], ascending=[True, False, True])
    assert fused["item_id"].tolist() == alone["item_id"].tolist()
    assert set(fused["from"]) == {"both"}


@settings(deadline=None, max_examples=30)
@given(TABLES, TABLES, FUSIONS, st.integers(1, 9), st.sets(st.sampled_from(ITEMS)))
def test_an_answer_does_not_depend_on_who_else_asks(theirs, ours, fusion, k, new_items):
    if not has_user_in_common(theirs, ours):
        return
    fused = fuse(theirs, ours, fusion, k, new_items)
    for user in set(theirs["user_id"]) & set(ours["user_id"]):
        alone = fuse(*(table[table["user_id"] == user] for table in (theirs, ours)), fusion, k, new_items)
        pd.testing.assert_frame_equal(fused[fused["user_id"] == user].reset_index(drop=True), alone)


def test_an_empty_answer_has_the_columns_and_types_of_any_other():
    theirs, ours = lists(u="a"), lists(u="x")
    nothing = fuse(theirs, ours, Fusion(1.0, new_weight=0.0), 5, ["x"])
    assert len(nothing) == 0
    assert (nothing.dtypes == fuse(theirs, ours, Fusion(0.5), 5).dtypes).all()


def test_blocks_of_users_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(0)
    pairs = [(f"u{user:02}", f"i{item:02}") for user in range(17) for item in range(rng.integers(1, 30))]
    theirs, ours = (
        pd.DataFrame(pairs, columns=["user_id", "item_id"])
        .assign(score=rng.random(len(pairs)))
        .sample(frac=0.7, random_state=seed)
        for seed in (1, 2)
    )
    whole = fuse(theirs, ours, Fusion(0.4, 1.2), 8, ["i03", "i11"])
    monkeypatch.setattr("graphrec.fusion.candidates._CELLS", 40)
    pd.testing.assert_frame_equal(fuse(theirs, ours, Fusion(0.4, 1.2), 8, ["i03", "i11"]), whole)
