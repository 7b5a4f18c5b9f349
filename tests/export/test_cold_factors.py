"""Items that a fitted ALS has never seen."""

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from graphrec.errors import GraphRecError
from graphrec.export.cold_factors import add_cold_items, largest_stretch
from graphrec.retrieval.embeddings import Embeddings

NUM_USERS, NUM_ITEMS, NUM_COLD, DIM = 45, 60, 12, 6
IDS = np.array([f"i{n:03d}" for n in range(NUM_ITEMS)], dtype=object)


def als_of(matrix_UI):
    als = pytest.importorskip("implicit.cpu.als").AlternatingLeastSquares(
        factors=5, iterations=8, random_state=1, num_threads=1
    )
    with threadpool_limits(1, "blas"):
        als.fit(matrix_UI, show_progress=False)
    return als


def embeddings_of(ids, vectors):
    size = len(ids)
    return Embeddings(ids, vectors, np.ones(size, np.int64), np.full(size, "graph", dtype=object))


@pytest.fixture(scope="module")
def log():
    """Users who like items near to them; every item has one but the last twelve."""
    rng = np.random.default_rng(0)
    places, users = rng.normal(size=(NUM_ITEMS, 3)), rng.normal(size=(NUM_USERS, 3))
    likes = (users @ places.T > 0.6).astype(np.float32)
    likes[(users @ places.T).argmax(axis=0), np.arange(NUM_ITEMS)] = 1
    likes[:, -NUM_COLD:] = 0
    return sp.csr_matrix(likes)


@pytest.fixture(scope="module")
def fitted(log):
    return als_of(log)


@pytest.fixture(scope="module")
def planted(fitted):
    """Vectors that the factors are a linear function of, with an intercept: vectors of all items, factors of all."""
    rng = np.random.default_rng(2)
    map_DF, shift_F = rng.normal(size=(DIM, 5)), rng.normal(size=5)
    x_ID = rng.normal(size=(NUM_ITEMS, DIM)).astype(np.float32)
    return x_ID, x_ID @ map_DF + shift_F


@pytest.fixture
def model(fitted, planted):
    """The fitted ALS, with the planted factors in place of those of the items with users."""
    from copy import copy

    model = copy(fitted)
    model.item_factors = fitted.item_factors.copy()
    model.item_factors[:-NUM_COLD] = planted[1][:-NUM_COLD]
    model._YtY = None
    return model


def test_rows_of_zeros_get_the_factors_that_the_planted_map_gives(model, planted):
    extended = add_cold_items(model, IDS, embeddings_of(IDS, planted[0]))
    assert extended.is_predicted_I.tolist() == [False] * (NUM_ITEMS - NUM_COLD) + [True] * NUM_COLD
    np.testing.assert_allclose(extended.model.item_factors[-NUM_COLD:], planted[1][-NUM_COLD:], atol=1e-3)
    assert extended.model.item_factors[:-NUM_COLD].tobytes() == model.item_factors[:-NUM_COLD].tobytes()
    assert not model.item_factors[-NUM_COLD:].any()
    assert extended.explained == pytest.approx(1, abs=1e-4)


def test_vectors_are_joined_by_id_and_unknown_items_put_behind(model, planted):
    """The model was fitted on some items alone, the vectors stand in another order and lack one item."""
    rng, known = np.random.default_rng(5), np.arange(3, NUM_ITEMS - NUM_COLD)
    model.item_factors = model.item_factors[known]
    order = rng.permutation(np.setdiff1d(np.arange(NUM_ITEMS), [7]))
    extended = add_cold_items(model, IDS[known], embeddings_of(IDS[order], planted[0][order]))
    assert extended.item_ids[: len(known)].tolist() == IDS[known].tolist()
    behind = extended.item_ids[len(known) :].tolist()
    assert sorted(behind) == [*IDS[:3], *IDS[-NUM_COLD:]]
    factors = dict(zip(extended.item_ids, extended.model.item_factors, strict=True))
    for item in behind:
        np.testing.assert_allclose(factors[item], planted[1][int(item[1:])], atol=1e-3)
    assert factors["i007"].tobytes() == model.item_factors[4].tobytes()


def test_recommend_returns_the_new_items_and_knows_the_users_as_before(log, fitted, planted):
    vectors = np.hstack([fitted.item_factors, planted[0]])  # content that tells the factors of the others
    vectors[-NUM_COLD:, :5] = fitted.user_factors[:NUM_COLD] * 9  # each of a user's own direction
    extended = add_cold_items(fitted, IDS, embeddings_of(IDS, vectors.astype(np.float32)))
    users = np.arange(NUM_USERS)
    best, _ = extended.model.recommend(users, log, N=10)
    scores = np.where(log.toarray() > 0, -np.inf, fitted.user_factors @ extended.model.item_factors.T)
    np.testing.assert_array_equal(best, np.argsort(-scores, axis=1)[:, :10])
    assert {NUM_ITEMS - NUM_COLD + n for n in range(NUM_COLD)} <= set(best.ravel())
    alone = fitted.recommend(users, log, N=10)[1]
    assert (fitted.user_factors @ fitted.item_factors[-NUM_COLD:].T == 0).all()
    assert (alone[:, 0] > 0).all()
    assert extended.model.user_factors is fitted.user_factors
    again = extended.model.recalculate_user(np.arange(9), log[:9])
    assert again.tobytes() == fitted.recalculate_user(np.arange(9), log[:9]).tobytes()
    assert not log[:, -NUM_COLD:].nnz  # a matrix as wide as before will do where items were put behind
    short = als_of(log[:, :-NUM_COLD])
    short.similar_items(0)  # it remembers the norms of its items
    wider = add_cold_items(short, IDS[:-NUM_COLD], embeddings_of(IDS, vectors.astype(np.float32)))
    best, _ = wider.model.recommend(np.arange(3), log[:3, :-NUM_COLD], N=NUM_ITEMS)
    assert {NUM_ITEMS - 1, NUM_ITEMS - NUM_COLD} <= set(best[0])
    assert len(wider.model.similar_items(NUM_ITEMS - 1, N=3)[0]) == 3


def test_stretching_moves_new_items_without_changing_their_order(log, model, planted):
    extended = add_cold_items(model, IDS, embeddings_of(IDS, planted[0]))
    cold = np.arange(NUM_ITEMS - NUM_COLD, NUM_ITEMS)
    longer = extended.stretched(1.5)
    np.testing.assert_array_equal(longer.model.item_factors[cold], extended.model.item_factors[cold] * np.float32(1.5))
    np.testing.assert_array_equal(longer.model.item_factors[:-NUM_COLD], extended.model.item_factors[:-NUM_COLD])
    users = np.arange(NUM_USERS)
    # implicit writes into the matrix that it is given with `items`
    before, _ = extended.model.recommend(users, log.copy(), N=NUM_COLD, items=cold)
    after, _ = longer.model.recommend(users, log.copy(), N=NUM_COLD, items=cold)
    np.testing.assert_array_equal(before, after)


def slow_warm_recall(extended, competes_I, known, held_out, k):
    model, values = extended.model, []
    for user in range(NUM_USERS):
        relevant = {item for item in held_out[user].indices if not extended.is_predicted_I[item]}
        if relevant:
            candidates = set(np.flatnonzero(competes_I)) - set(known[user].indices)
            score = {item: float(model.user_factors[user] @ model.item_factors[item]) for item in candidates}
            values.append(len(relevant & set(sorted(score, key=lambda i: -score[i])[:k])) / len(relevant))
    return float(np.mean(values))


def test_the_largest_stretch_is_that_of_a_slow_count(log, planted):
    rng, coo = np.random.default_rng(3), log.tocoo()
    is_held_E = rng.random(log.nnz) < 0.3
    known, held_out = (
        sp.csr_matrix((coo.data[one], (coo.row[one], coo.col[one])), log.shape) for one in (~is_held_E, is_held_E)
    )
    model = als_of(known)
    vectors = np.hstack([model.item_factors, planted[0]]).astype(np.float32)
    vectors[-NUM_COLD:, :5] = model.item_factors[rng.choice(48, NUM_COLD)]  # rivals of the others
    extended = add_cold_items(model, IDS, embeddings_of(IDS, vectors))
    alone = slow_warm_recall(extended, ~extended.is_predicted_I, known, held_out, 4)
    everybody, chosen = np.ones(NUM_ITEMS, dtype=bool), []
    factors = np.round(np.geomspace(0.5, 4, 43), 2)
    by_factor = [slow_warm_recall(extended.stretched(one), everybody, known, held_out, 4) for one in factors]
    for loss in (0.02, 0.1, 0.3):
        too_much = [value < (1 - loss) * alone for value in by_factor]
        chosen.append(largest_stretch(extended, known, held_out, loss, 4))
        assert chosen[-1] == factors[max(too_much.index(True) - 1, 0)]
    assert len(set(chosen)) > 1


def test_mistakes_are_answered_in_one_line(fitted, planted):
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    vectors = embeddings_of(IDS, planted[0])
    others = embeddings_of(np.array([f"x{n}" for n in range(NUM_ITEMS)], dtype=object), planted[0])
    for given, told in [
        ((fitted, IDS[1:], vectors), "has factors of 60 items, but 59 ids were given: give one per row"),
        ((fitted, [*IDS[1:], "i001"], vectors), "Item id 'i001' was given twice."),
        ((fitted, IDS, others), "Only 0 of the 48 items with factors have a vector of the same id"),
        ((AlternatingLeastSquares(), IDS, vectors), "is not fitted yet"),
        ((BayesianPersonalizedRanking(), IDS, vectors), "Expected implicit's AlternatingLeastSquares on the CPU"),
    ]:
        with pytest.raises(GraphRecError) as caught:
            add_cold_items(*given)
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)
