from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.data.dataset import Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.models.calibration import choose_stretch
from graphrec.models.parts import Mixture, Parts, Placed
from graphrec.models.scoring import QueryScale
from graphrec.models.tuning import MaskedSplit

LEARNED_ALONE = Mixture(fold_in_share=0, raw_share=0, popularity_weight=0)
JUDGES, WARM, ITEMS = 200, 30, 33
USERS = JUDGES + 1
TWENTIETH = 1.1


def masked_of(as_dataset, judges):
    user = np.append(np.full(WARM, JUDGES), np.arange(judges))
    train = as_dataset(Interactions.from_pairs(user, np.append(np.arange(WARM), np.full(judges, 29)), USERS, ITEMS))
    pairs = np.append(np.arange(judges), [JUDGES, JUDGES]), np.append(19 * (np.arange(judges) % 2), [30, 31])
    return MaskedSplit(Split(train, Truth(*pairs)), max_users=1000, seed=0)


@pytest.fixture
def masked(as_dataset):
    """200 users know the worst warm item; each has one masked pair, of the 20th or of the best. One more knows all.

    Items 30 and 31 are masked, item 32 is nobody's.
    """
    return masked_of(as_dataset, JUDGES)


@pytest.fixture
def parts():
    """One number is all there is: warm items score 3.0, 2.9, …, 0.1, the masked ones 0.8 and 0.7, the last one 9."""
    warm_I = np.round(3.0 - 0.1 * np.arange(WARM), 1)
    z_ID = np.append(warm_I, [0, 0, 0])[:, None].astype(np.float32)
    content_ID = np.append(np.zeros(WARM), [0.8, 0.7, 9])[:, None].astype(np.float32)
    placed = Placed(content_ID, 0 * content_ID, np.zeros((ITEMS, 0), np.float32), np.zeros(ITEMS, np.float32))
    return Parts(
        q_UD=np.ones((USERS, 1), dtype=np.float32), matrix_UI=sp.csr_matrix((USERS, ITEMS)), z_ID=z_ID,
        folded_ID=0 * z_ID, content=placed, unseen=placed, raw_scale=QueryScale(np.zeros((0, 0)), np.zeros(0)),
        observed_popularity_I=np.zeros(ITEMS, np.float32), known_users=np.arange(USERS), warm=np.arange(WARM),
            placement=None,
    )  # fmt: skip


def placing(parts, content_ID):
    """The same, with items without an edge elsewhere."""
    placed = replace(parts.content, z_ID=content_ID)
    return replace(parts, content=placed, unseen=placed)


@pytest.mark.parametrize(
    ("most_warm_loss", "factor"),
    [
        (0.03, 1.35),  # 1.35 · 0.8 is below the 20th score, 1.1; 1.4 · 0.8 is above, and one of two pairs is lost
        (0.49, 1.35),
        (0.5, 1.6),  # the half that is lost is allowed
        (0.0, 1.0),
    ],
)
def test_the_factor_is_the_largest_that_costs_no_more_than_is_allowed(parts, masked, most_warm_loss, factor):
    assert 1.35 * 0.8 < TWENTIETH < 1.4 * 0.8
    assert choose_stretch(parts, LEARNED_ALONE, 0.0, masked, most_warm_loss) == factor


def test_warm_items_that_are_blended_with_longer_content_are_not_taken_for_lost(parts, masked):
    """At degree 1 to 3 and a half degree of 1e9, warm items are content as well: stretched alike, nothing moves."""
    everything = np.append(parts.z_ID[:WARM, 0], [0.8, 0.7, 0])[:, None].astype(np.float32)
    alike = placing(parts, everything)
    assert choose_stretch(alike, LEARNED_ALONE, 1e9, masked, 0.03) == 1.6


def test_a_factor_beyond_one_that_costs_too_much_is_not_taken(parts, masked):
    """The 20th, half content, is passed by a masked item at 1.05 and passes the 19th itself at 1.3: found again."""
    content_ID = np.zeros((ITEMS, 1), dtype=np.float32)
    content_ID[[19, 30, 31], 0] = 0.08, 0.57, 0.1
    winding = placing(parts, content_ID)
    assert choose_stretch(winding, LEARNED_ALONE, 1.0, masked, 0.03) == 1.0
    assert choose_stretch(winding, LEARNED_ALONE, 1.0, masked, 0.5) == 1.6


def test_where_no_masked_pair_can_judge_nothing_is_stretched(parts, masked):
    truth = Truth(np.array([JUDGES, JUDGES]), np.array([30, 31]))
    assert choose_stretch(parts, LEARNED_ALONE, 0.0, MaskedSplit(Split(masked.split.train, truth), 100, 0), 0.5) == 1.0


@pytest.mark.parametrize(("judges", "factor"), [(98, 1.0), (100, 1.6)])
def test_fewer_than_a_hundred_found_pairs_say_nothing(parts, as_dataset, judges, factor):
    assert choose_stretch(parts, LEARNED_ALONE, 0.0, masked_of(as_dataset, judges), 0.5) == factor
