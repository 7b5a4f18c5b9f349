import numpy as np
import pytest

from graphrec.data.dataset import Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.evaluation.protocol import build_pool
from graphrec.models.mixture_search import choose_mixture
from graphrec.models.parts import Mixture, Parts, Placed
from graphrec.models.scoring import QueryScale

NUM_USERS, NUM_WARM, NUM_ITEMS, DIM = 60, 60, 120, 4
POPULARITY_WEIGHTS = (0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6)
FOLD_IN_SHARES = (0, 0.25, 0.5, 0.75, 1)
RAW_SHARES = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1)


class World:
    """60 users, each with a warm item of their own, and 60 masked items; only the named parts say what users like."""

    def __init__(self, as_dataset, *telling: str, seed=0):
        rng = np.random.default_rng(seed)

        def noise(*shape: int):
            return rng.normal(size=shape).astype(np.float32)

        taste_UD, raw_taste_UD = noise(NUM_USERS, DIM), noise(NUM_USERS, DIM)
        self.raw_taste_UD = raw_taste_UD
        z_ID, folded_ID, raw_ID, term_I = (noise(NUM_ITEMS, *more) for more in ((DIM,), (DIM,), (DIM,), ()))
        raw_ID[:NUM_WARM] = raw_taste_UD  # what a user's only item says is their taste
        liked_UI = noise(NUM_USERS, NUM_ITEMS)
        for name, score_UI in {
            "z": taste_UD @ z_ID.T,
            "fold-in": taste_UD @ folded_ID.T,
            "raw": raw_taste_UD @ raw_ID.T,
            "popularity": 2 * np.broadcast_to(term_I, liked_UI.shape),
        }.items():
            if name in telling:
                liked_UI = liked_UI + 3 * score_UI
        known = np.arange(NUM_USERS)
        train = as_dataset(Interactions.from_pairs(known, known, NUM_USERS, NUM_ITEMS))
        best_UK = NUM_WARM + np.argsort(-liked_UI[:, NUM_WARM:], axis=1)[:, :5]
        truth = Truth(np.repeat(np.arange(NUM_USERS), 5), best_UK.ravel())
        self.pool = build_pool(Split(train, truth), "cold")
        warm = np.arange(NUM_WARM)
        # Judged is what items are served with, which is what other sites say of them where there are any.
        noisy = Placed(noise(NUM_ITEMS, DIM), noise(NUM_ITEMS, DIM), noise(NUM_ITEMS, DIM), noise(NUM_ITEMS))
        self.parts = Parts(
            q_UD=taste_UD, matrix_UI=train.interactions.user_item_matrix(), z_ID=z_ID, folded_ID=folded_ID,
            content=noisy, unseen=Placed(z_ID, folded_ID, raw_ID, term_I),
            raw_scale=QueryScale.fit(raw_taste_UD, raw_ID[warm]), observed_popularity_I=term_I,
            known_users=np.arange(NUM_USERS), warm=warm, placement=None,
        )  # fmt: skip

    def chosen(self, has_raw=True):
        return choose_mixture(self.parts, has_raw, self.pool, self.pool.users)


@pytest.fixture
def world(as_dataset):
    return lambda *telling, **more: World(as_dataset, *telling, **more)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_share_of_the_only_part_that_says_something_goes_up(world, seed):
    raw, fold_in, popularity, z = (world(name, seed=seed).chosen() for name in ("raw", "fold-in", "popularity", "z"))
    start = Mixture()
    assert raw.raw_share >= 0.8 > start.raw_share
    assert fold_in.fold_in_share >= 0.75 > start.fold_in_share
    assert popularity.popularity_weight >= 0.8 > start.popularity_weight
    assert z.fold_in_share <= 0.25 < start.fold_in_share
    for other in (fold_in, z):
        assert other.raw_share <= 0.1
    for other in (raw, fold_in, z):
        assert other.popularity_weight <= 0.2


def test_without_a_raw_block_it_has_no_share(world):
    assert world("raw", "z").chosen(has_raw=False).raw_share == 0


def naive_ndcg(world, mixture, popularity):
    """The formula of `parts`, a sort, and discounted gains, user by user."""
    parts, pool = world.parts, world.pool
    s, f, w = mixture.raw_share, mixture.fold_in_share, mixture.popularity_weight
    learned_UI = parts.q_UD @ ((1 - f) * parts.z_ID + f * parts.folded_ID).T
    raw_UI = world.raw_taste_UD @ parts.unseen.raw_IR.T
    learned_UI, raw_UI = (one / one[:, :NUM_WARM].std(axis=1, keepdims=True) for one in (learned_UI, raw_UI))
    if popularity:
        score_UI = (1 - s) * learned_UI + s * raw_UI + w * parts.unseen.popularity_I
    else:
        score_UI = (1 - s) * (learned_UI - learned_UI.mean(axis=0)) + s * (raw_UI - raw_UI.mean(axis=0))
    truth_UI = pool.truth.toarray()
    gains = []
    for user in pool.users:
        order = pool.items[np.argsort(-score_UI[user, pool.items])][:20]
        discount_K = 1 / np.log2(2 + np.arange(20))
        gains.append(truth_UI[user, order] @ discount_K / discount_K[: min(20, truth_UI[user].sum())].sum())
    return np.mean(gains)


def naive_choice(world, shares_of_raw=RAW_SHARES):
    def worth(mixture):
        return 2 / 3 * naive_ndcg(world, mixture, True) + 1 / 3 * naive_ndcg(world, mixture, False)

    mixture = Mixture()
    for name, values in 2 * (
        ("raw_share", shares_of_raw),
        ("fold_in_share", FOLD_IN_SHARES),
        ("popularity_weight", POPULARITY_WEIGHTS),
    ):
        tried = [mixture.model_copy(update={name: float(value)}) for value in values]
        mixture = tried[int(np.argmax([worth(one) for one in tried]))]
    return mixture


@pytest.mark.parametrize("telling", [("raw", "z"), ("fold-in", "popularity"), ("z", "fold-in", "raw", "popularity")])
def test_the_choice_is_that_of_a_naive_search_along_each_value_in_turn_twice(world, telling):
    one = world(*telling)
    assert one.chosen() == naive_choice(one)
    assert one.chosen(has_raw=False) == naive_choice(one, (0,))


@pytest.mark.parametrize(("telling", "seed"), [(("z", "popularity"), 2), ((), 1)])
def test_lists_with_popularity_count_twice_as_much(world, telling, seed):
    """Another weight would choose otherwise in one of these worlds: all weight on, and a third."""
    one = world(*telling, seed=seed)
    assert one.chosen() == naive_choice(one)
