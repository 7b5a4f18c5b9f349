"""Forgetting people in memory: as if they had never been there, but for the weights."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, SetAside, Truth
from graphrec.data.fingerprint import fingerprint
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs
from graphrec.data.without_users import named_rows, without_users
from graphrec.errors import GraphRecError
from graphrec.graph.site_view import SiteView
from graphrec.models.refit import refit
from graphrec.recommender import Recommender
from graphrec.workflow import train_run

ARRAYS = ("graph_ID", "content_ID", "served_ID", "degree_I")


@pytest.fixture
def model(saved_run):
    return Recommender.load(saved_run, device="cpu")


@pytest.fixture(scope="module")
def forgotten(loaded):
    """Three users: of some history, of the one who alone touched some item if there is one, and one held out."""
    degree_U = loaded.train_.interactions.user_degree()
    return [str(loaded.train_.user_ids[user]) for user in np.flatnonzero(degree_U > 2)[[1, 7, 40]]]


def rebuilt(model, gone):
    """The twin: rows filtered by id in pandas and numbered anew, then fitted with the same encoder and choices."""
    train, inter = model.train_, model.train_.interactions
    kept = [one for one in train.user_ids if one not in gone]
    rows = pd.DataFrame({"user": train.user_ids[inter.user_index_E], "row": np.arange(len(inter))})
    rows = rows[~rows["user"].isin(gone)]
    place = {one: number for number, one in enumerate(kept)}
    few = inter.take(rows["row"].to_numpy())
    few = replace(few, num_users=len(kept), user_index_E=rows["user"].map(place).to_numpy(dtype=np.int64))
    data = replace(train, user_ids=np.array(kept, dtype=object), interactions=few)
    return Recommender(model.config, "cpu")._hold(replace(model._run, train=data))


def test_nothing_forgotten_and_fitted_again_is_the_model_as_it_was(model):
    """What is done after training is done alike by `fit` and by `refit`: the guard against their drifting apart."""
    again = refit(model.model_, model.train_, model.blocks, model.config.model, model.config.seed)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(again, name), getattr(model.model_, name), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.encoded.q_UD, model.model_.encoded.q_UD, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.scale.covariance_DD, model.model_.scale.covariance_DD, rtol=1e-5)
    np.testing.assert_allclose(again.raw_scale.average_D, model.model_.raw_scale.average_D, rtol=1e-5, atol=1e-6)


def test_a_run_without_people_is_the_run_of_a_log_without_them(model, forgotten):
    twin = rebuilt(model, forgotten)
    expected = refit(twin.model_, twin.train_, twin.blocks, twin.config.model, twin.config.seed)
    before = len(model.train_.user_ids)
    model.forget_users(forgotten)
    assert fingerprint(model.train_) == fingerprint(twin.train_)
    assert len(model.train_.user_ids) == before - 3 == len(model.model_.encoded.q_UD)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(model.model_, name), getattr(expected, name))
    np.testing.assert_array_equal(model.model_.encoded.q_UD, expected.encoded.q_UD)
    assert (model.model_.degree_I == twin.train_.interactions.item_degree()).all()
    assert model.forgotten_ == 3


def test_the_others_are_recommended_what_their_own_rows_say(model, forgotten, loaded):
    other = next(one for one in map(str, loaded.train_.user_ids[5:]) if one not in forgotten)
    model.seen, model.version  # noqa: B018 (kept from before, if anything is)
    version = model.version
    model.forget_users(forgotten)
    table = model.recommend([other], k=10)
    scores = model.embeddings("item").vectors @ model.queries([model.train_.user_id_index.get_loc(other)]).T
    items = model.train_.catalogue.id_index.get_indexer(table["item_id"])
    np.testing.assert_allclose(scores[items, 0], table["score"], rtol=1e-4, atol=1e-5)
    seen = loaded.train_.interactions.user_item_matrix()[loaded.train_.user_id_index.get_loc(other)].indices
    assert not set(items) & set(seen)
    assert model.version != version


def test_the_forgotten_are_unknown_like_anybody_else(model, forgotten):
    model.forget_users(forgotten[:1])
    with pytest.raises(GraphRecError, match=f"Unknown user '{forgotten[0]}': not in the training data"):
        model.recommend(forgotten[:1])
    with pytest.raises(GraphRecError, match=r"not in the run. Nothing was changed"):
        model.forget_users(forgotten[:1])
    assert model.forgotten_ == 1
    assert model.forget_users(forgotten[1:]).forgotten_ == 3


def test_an_item_that_nobody_else_touched_is_new_again(model):
    """It gets its content vector bit for bit, and nothing that the encoder learned for it stays."""
    data = model.train_
    lonely = int(np.flatnonzero(model.model_.degree_I)[0])
    theirs = data.interactions.item_index_E == lonely
    users = np.unique(data.interactions.user_index_E[theirs])
    model.forget_users([str(one) for one in data.user_ids[users]])
    assert model.model_.degree_I[lonely] == 0
    assert (model.model_.served_ID[lonely] == model.model_.content_ID[lonely]).all()
    assert not model.model_.encoder.residual.weight[lonely].any()
    assert model.model_.encoder.residual.weight[model.model_.degree_I > 0].any()


def test_held_out_pairs_leave_and_keep_their_people(model, loaded):
    truth = loaded.held_out_["held-out"]
    ids = loaded.train_.user_ids
    gone = str(ids[truth.user_index_P[0]])
    expected = {(ids[u], i) for u, i in zip(truth.user_index_P, truth.item_index_P, strict=True) if ids[u] != gone}
    model.forget_users([gone])
    kept = model.held_out_["held-out"]
    found = {(model.train_.user_ids[u], i) for u, i in zip(kept.user_index_P, kept.item_index_P, strict=True)}
    assert found == expected
    assert len(expected) < len(truth.user_index_P)


def test_somebody_who_is_in_no_weight_is_not_counted_there(model, without_history):
    model.forget_users([without_history])
    assert model.forgotten_ == 0
    assert without_history not in model.train_.user_id_index


def test_a_new_fit_knows_nothing_of_the_forgotten(model, forgotten):
    model.forget_users(forgotten)
    assert model.fit(model.train_).forgotten_ == 0


@pytest.mark.parametrize("ids", [["nobody"], ["", "nobody"]])
def test_an_unknown_user_changes_nothing(model, ids):
    before = fingerprint(model.train_)
    with pytest.raises(GraphRecError, match="Unknown user"):
        model.forget_users(ids)
    assert fingerprint(model.train_) == before
    with pytest.raises(GraphRecError, match="list of user ids"):
        model.forget_users("nobody")


def test_forgetting_nearly_everybody_is_refused(model):
    with pytest.raises(GraphRecError, match="Too little would be left"):
        model.forget_users([str(one) for one in model.train_.user_ids[:-5]])


def test_the_model_in_memory_is_untouched_where_forgetting_fails(model, forgotten, monkeypatch):
    weights = {name: tensor.clone() for name, tensor in model.model_.encoder.state_dict().items()}
    monkeypatch.setattr("graphrec.run_without_users.ItemIndex.build", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.forget_users(forgotten)
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.model_.encoder.state_dict().items())
    assert forgotten[0] in model.train_.user_id_index


def test_rows_and_truths_are_numbered_anew():
    inter = Interactions.from_pairs(np.array([0, 1, 2, 1]), np.array([0, 1, 2, 0]), 4, 3)
    rows = pd.DataFrame(
        {"file": "f", "row": [1, 2, 3, 4, 5], "column": "", "reason": "r",
         "value": ["b", "a line with b in it", "bb", "a-b-c", "nothing"]}
    )  # fmt: skip
    none = np.full(3, "", dtype=object)
    data = Dataset(
        "d", Catalogue(np.array(["x", "y", "z"], dtype=object), none, none, none, None, none, Attributes({}, {}, {})),
        np.array(["a", "b", "c", "a-b-c"], dtype=object), (), inter,
        truths={"valid": Truth(np.array([1, 2, 3]), np.array([2, 0, 1]), np.array([0, 1]))},
        set_aside=SetAside(rows, {"left": 2}),
    )  # fmt: skip
    few = without_users(data, ["b"])
    assert few.user_ids.tolist() == ["a", "c", "a-b-c"]
    assert few.interactions.num_users == 3
    assert few.interactions.user_index_E.tolist() == [0, 1]
    assert few.interactions.item_index_E.tolist() == [0, 2]
    truth = few.truths["valid"]
    assert (truth.user_index_P.tolist(), truth.item_index_P.tolist()) == ([1, 2], [0, 1])
    assert truth.candidates.tolist() == [0, 1]
    assert named_rows(data, ["b"]).tolist() == [True, True, False, False, False]
    assert few.set_aside.rows["value"].tolist() == ["bb", "a-b-c", "nothing"]
    assert few.set_aside.left_out == {"left": 2}


@pytest.fixture(scope="module")
def across_sites(small_store, quick_config, tmp_path_factory):
    """A run for one of the store's two sites, which learns from the other through their common products."""
    data = Dataset.load(small_store)
    same = pd.read_csv(small_store / "same_products.csv", dtype=str)
    pairs = [data.catalogue.id_index.get_indexer(same[column]) for column in same.columns[:2]]
    data = replace(data, same_as=SameAs.of(*pairs, np.ones(len(same)))).for_site(data.site_names[0])
    folder = tmp_path_factory.mktemp("sites") / "latest"
    train_run(data, quick_config, folder, device="cpu")
    return folder


def test_people_are_forgotten_on_the_other_sites_too(across_sites):
    """Somebody who only ever visited the other site stood behind the places and the popularity of items here."""
    model = Recommender.load(across_sites, "cpu")
    view, data = SiteView.of(model.train_), model.train_
    (elsewhere,) = view.elsewhere.values()
    only_there = np.flatnonzero((elsewhere.getnnz(axis=1) > 2) & (view.own.user_degree() == 0))
    gone = [str(one) for one in data.user_ids[only_there[:5]]]
    twin = rebuilt(model, gone)
    expected = refit(twin.model_, twin.train_, twin.blocks, twin.config.model, twin.config.seed)
    before = np.array(model.model_.served_ID)
    model.forget_users(gone)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(model.model_, name), getattr(expected, name))
    np.testing.assert_array_equal(model.model_.encoded.q_UD, expected.encoded.q_UD)
    after = SiteView.of(model.train_)
    lost = elsewhere[only_there[:5]].getnnz(axis=0)
    assert (view.degree_elsewhere_I - after.degree_elsewhere_I == lost).all()
    assert lost.any()
    assert not np.array_equal(before, model.model_.served_ID)
    assert model.forgotten_ == 5
