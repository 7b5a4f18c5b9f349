"""The learned weights: what a planted world is about, never worse than theirs, and not moved by noise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graphrec import Fusion, fuse, learn_fusion
from graphrec.evaluation.metrics import ndcg
from graphrec.fusion import judges

USERS, KNOWN, NEW = 90, 40, 7


@pytest.fixture(scope="module")
def store():
    """Users of two tastes. Theirs knows taste among known items, ours less of it, and which new item suits whom.

    Each likes five of the known items of their taste, and with `likes_new` two of three like the one new item
    that ours finds for them.
    """

    def make(likes_new=True, ours_is_noise=False, seed=0):
        rng = np.random.default_rng(seed)
        theirs, ours, truth = [], [], []
        for user in range(USERS):
            taste = user % 2
            own = np.arange(KNOWN) % 2 == taste
            suits = user % NEW
            by_theirs = own + rng.normal(0, 0.6, KNOWN)
            by_ours = (0 if ours_is_noise else own) + rng.normal(0, 1.5, KNOWN)
            theirs += [(f"u{user}", f"k{item}", by_theirs[item]) for item in range(KNOWN)]
            ours += [(f"u{user}", f"k{item}", by_ours[item]) for item in range(KNOWN)]
            if not ours_is_noise:
                ours += [(f"u{user}", f"n{item}", 9.0 if item == suits else -9.0) for item in range(NEW)]
            truth += [(f"u{user}", f"k{item}") for item in rng.choice(np.flatnonzero(own), 5, replace=False)]
            truth += [(f"u{user}", f"n{suits}")] if likes_new and user % 3 else []
        columns = ["user_id", "item_id", "score"]
        return (
            pd.DataFrame(theirs, columns=columns),
            pd.DataFrame(ours, columns=columns),
            pd.DataFrame(truth, columns=columns[:2]),
        )

    return make


NEW_IDS = [f"n{item}" for item in range(NEW)]


def mean_ndcg(table, truth, k):
    """A twin that goes by one user at a time."""
    values = []
    for user, pairs in truth.groupby("user_id"):
        shown = table[table["user_id"] == user].sort_values("score", ascending=False, kind="stable")["item_id"][:k]
        is_hit = np.zeros((1, k), dtype=bool)
        is_hit[0, : len(shown)] = shown.isin(pairs["item_id"])
        values.append(ndcg(is_hit, np.array([len(pairs)]), k)[0])
    return float(np.mean(values))


def test_new_items_that_matter_get_their_places_and_known_ones_keep_theirs(store):
    theirs, ours, truth = store()
    fusion = learn_fusion(theirs, ours, truth, 10, NEW_IDS, known_loss=0.2)
    assert fusion.new_weight >= 1
    assert fusion.weight < 0.5  # of known items theirs knows more
    assert fusion.learned.gain.low > 0
    fused = fuse(theirs, ours, fusion, 10, NEW_IDS)
    suiting = fused[fused["item_id"].str.startswith("n")]
    assert suiting["user_id"].tolist() == sorted(f"u{user}" for user in range(USERS))
    assert (suiting["item_id"] == [f"n{int(user[1:]) % NEW}" for user in suiting["user_id"]]).all()


def test_what_it_says_of_the_validation_is_what_the_lists_reach_there(store):
    theirs, ours, truth = store()
    fusion = learn_fusion(theirs, ours, truth, 10, NEW_IDS, known_loss=0.2)
    fused = fuse(theirs, ours, fusion, 10, NEW_IDS)
    said = fusion.learned
    assert (said.k, said.num_users) == (10, USERS)
    assert said.theirs == pytest.approx(mean_ndcg(theirs, truth, 10))
    assert said.ours == pytest.approx(mean_ndcg(ours, truth, 10))
    assert said.fused == pytest.approx(mean_ndcg(fused, truth, 10))
    assert said.gain.difference == pytest.approx(said.fused - said.theirs)
    known = truth[truth["item_id"].str.startswith("k")]
    assert said.known_loss == pytest.approx(1 - mean_ndcg(fused, known, 10) / mean_ndcg(theirs, known, 10))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("likes_new", [True, False])
@pytest.mark.parametrize("new_items", [NEW_IDS, []])
def test_it_is_never_worse_on_its_validation_than_theirs_alone(store, seed, likes_new, new_items):
    theirs, ours, truth = store(likes_new, seed=seed)
    fusion = learn_fusion(theirs, ours, truth, 10, new_items)
    assert mean_ndcg(fuse(theirs, ours, fusion, 10, new_items), truth, 10) >= mean_ndcg(theirs, truth, 10) - 1e-12


def test_noise_beside_theirs_is_left_out_and_the_answer_says_so(store):
    theirs, ours, truth = store(ours_is_noise=True)
    fusion = learn_fusion(theirs, ours, truth, 10)
    assert replace(fusion, learned=None) == Fusion(0.0)
    assert fusion.is_theirs_alone
    assert fusion.learned.fused == fusion.learned.theirs
    assert str(fusion).startswith("theirs alone: NDCG@10 of 90 users")
    assert str(fusion).endswith("which is within the noise; of theirs on known items +0.0%")


def test_ours_stands_where_theirs_finds_nothing(store):
    good, _, truth = store(likes_new=False)
    fusion = learn_fusion(good.assign(item_id="z" + good["item_id"]), good, truth, 10)
    assert fusion.learned.theirs == 0
    assert fusion.learned.fused == fusion.learned.ours == pytest.approx(mean_ndcg(good, truth, 10))
    assert fusion.learned.gain.low > 0


def test_where_nobody_finds_anything_theirs_alone_stays(store):
    theirs, ours, truth = store()
    fusion = learn_fusion(theirs, ours, truth.assign(item_id="z" + truth["item_id"]), 10, NEW_IDS)
    assert fusion.is_theirs_alone
    assert (fusion.learned.num_users, fusion.learned.fused, fusion.learned.known_loss) == (USERS, 0.0, 0.0)


def test_no_more_of_what_is_known_is_given_up_than_allowed(store):
    theirs, ours, truth = store()
    # New items have all of their history here: one for each of the seven, though ours lists all seven of them first.
    ours.loc[ours["item_id"].str.startswith("n"), "score"] += 30
    truth = pd.concat(
        [truth, pd.DataFrame([(f"u{u}", n) for u in range(USERS) for n in NEW_IDS], columns=truth.columns)]
    )
    loss = {most: learn_fusion(theirs, ours, truth, 10, NEW_IDS, most).learned.known_loss for most in (0.05, 0.3, 1.0)}
    assert loss[0.05] <= 0.05 < loss[1.0]
    assert loss[0.3] <= 0.3 < loss[1.0]


def test_repeated_pairs_of_a_truth_and_the_order_of_rows_change_nothing(store):
    theirs, ours, truth = store()
    one = learn_fusion(theirs, ours, truth, 10, NEW_IDS)
    shuffled = [table.sample(frac=1, random_state=5) for table in (theirs, ours, pd.concat([truth, truth[::3]]))]
    assert learn_fusion(*shuffled, 10, iter(NEW_IDS)) == one


def test_users_of_one_list_and_items_that_nobody_lists_are_counted_rightly(store):
    theirs, ours, truth = store()
    stranger = pd.DataFrame([("only-theirs", "k1", 1.0)], columns=theirs.columns)
    more = pd.DataFrame([("only-theirs", "k1"), ("u0", "never-listed")], columns=truth.columns)
    one = learn_fusion(theirs, ours, truth, 10)
    other = learn_fusion(pd.concat([theirs, stranger]), ours, pd.concat([truth, more]), 10)
    assert other.learned.num_users == USERS
    # An item more to find for u0, which nobody can: the mean falls by a ninetieth of what u0 loses.
    assert 0 < one.learned.theirs - other.learned.theirs < 1 / USERS


def test_of_many_users_a_share_drawn_by_the_seed_judges(store, monkeypatch):
    theirs, ours, truth = store()
    monkeypatch.setattr(judges, "MOST_USERS", 50)
    one, again, other = (learn_fusion(theirs, ours, truth, 10, seed=seed).learned for seed in (1, 1, 2))
    assert one.num_users == other.num_users == 50
    assert one == again
    assert one.theirs != other.theirs
