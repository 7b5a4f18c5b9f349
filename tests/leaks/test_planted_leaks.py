"""Every leak check is seen to fire: the leak is planted in the code that trains, and `compare` refuses by its name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.decomposition import TruncatedSVD

from graphrec.config import GraphRecConfig
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.features.attributes import AttributeEncoder
from graphrec.features.blocks import Standardiser
from graphrec.features.gate import FeatureGate
from graphrec.features.words import WordsEncoder
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.sampler import NeighborSampler
from graphrec.leaks.check import LEAK_CHECKS, check_leaks
from graphrec.models import graph_model, training
from graphrec.models.graphsage import GraphSAGE
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.parts import Parts, Placer
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import raw_scale, sum_of_items
from graphrec.recommender import Recommender

PLANTS = []


def plant(*expected: str, settings=()):
    """A leak, and all checks that have to see it."""
    return lambda leak: PLANTS.append(pytest.param(leak, set(expected), settings, id=leak.__name__)) or leak


def everybody(mask):
    return np.ones_like(mask)


def swapped(adjacency, rows, columns):
    """One edge of each named row leads to the named column instead: as many edges, so that only a look tells."""
    matrix = adjacency.matrix().tolil()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        old = matrix.rows[row][0] if matrix.rows[row] else None
        if old is None or matrix[row, column]:
            continue
        matrix[row, old], matrix[row, column] = 0, 1
    return Adjacency.from_matrix(matrix)


def one_per_row(rows, columns):
    kept = np.unique(rows, return_index=True)[1]
    return rows[kept], columns[kept]


def with_cold_items_of_users(graph, shop):
    users, items = one_per_row(*shop.cold_pairs)
    return replace(graph, items_of_user=swapped(graph.items_of_user, users, items))


# Interactions.


@plant("training pairs", "popularity", "user vectors", "content head", "query scale")
def a_held_out_pair_of_a_warm_item_is_trained_on(monkeypatch, shop):
    truth, fit = shop.split.truth, Recommender.fit
    place = int(np.flatnonzero(~shop.is_cold_I[truth.item_index_P])[0])

    def leaky(self, train, *rest: object, **named: object):
        inter = train.interactions
        added = Interactions.from_pairs(
            truth.user_index_P[[place]], truth.item_index_P[[place]], inter.num_users, inter.num_items
        )
        columns = ("user_index_E", "item_index_E", "weight_E", "timestamp_E", "site_index_E")
        joined = {name: np.concatenate([getattr(inter, name), getattr(added, name)]) for name in columns}
        return fit(self, replace(train, interactions=replace(inter, **joined)), *rest, **named)

    monkeypatch.setattr(Recommender, "fit", leaky)


@plant("cut-off")
def known_pairs_that_come_back_after_the_cut_off_are_trained_on(monkeypatch, shop):
    fit = Recommender.fit

    def leaky(self, train, *rest: object, **named: object):
        inter = train.interactions
        late_E = np.where(np.arange(len(inter)) == 7, shop.split.cutoff + 5, inter.timestamp_E)
        return fit(self, replace(train, interactions=replace(inter, timestamp_E=late_E)), *rest, **named)

    monkeypatch.setattr(Recommender, "fit", leaky)


@plant("edges into users", "trained vectors", "user vectors")
def the_graph_leads_from_cold_items_to_users_only(monkeypatch, shop):
    build = InteractionGraph.from_interactions
    monkeypatch.setattr(
        InteractionGraph, "from_interactions", lambda interactions: with_cold_items_of_users(build(interactions), shop)
    )
    # Counted where the leak is: what training predicts must have a degree.
    degree = property(lambda graph: np.bincount(graph.items_of_user.indices_E, minlength=graph.num_items))
    monkeypatch.setattr(InteractionGraph, "item_degree", degree)


@plant("edges into items", "negatives", "trained vectors")  # what has a user may be drawn, and starts with a residual
def the_graph_leads_from_users_to_cold_items_only(monkeypatch, shop):
    build = InteractionGraph.from_interactions

    def leaky(interactions):
        graph = build(interactions)
        matrix = graph.users_of_item.matrix().tolil()
        users, items = one_per_row(*shop.cold_pairs)
        rich = np.flatnonzero(graph.item_degree > 2)
        for user, item, giver in zip(users.tolist(), items.tolist(), rich.tolist(), strict=False):
            if not matrix[item, user]:
                matrix[giver, matrix.rows[giver][0]], matrix[item, user] = 0, 1
        return replace(graph, users_of_item=Adjacency.from_matrix(matrix))

    monkeypatch.setattr(InteractionGraph, "from_interactions", leaky)


def draw_negatives_from_all_items(monkeypatch, shop):
    begin = NeighborSampler.__init__

    def leaky(self, graph, *rest: object, **named: object):
        begin(self, graph, *rest, **named)
        self._touched["item"] = np.arange(graph.num_items)

    monkeypatch.setattr(NeighborSampler, "__init__", leaky)


@plant("negatives")  # the sampler would, but training takes the batch's own items
def negatives_may_come_from_all_items(monkeypatch, shop):
    draw_negatives_from_all_items(monkeypatch, shop)


@plant("negatives", "trained vectors", settings=("model.training.uniform_negatives=4",))
def negatives_do_come_from_all_items(monkeypatch, shop):
    draw_negatives_from_all_items(monkeypatch, shop)


# Statistics of the features.


@plant("word vocabulary")
def words_are_learned_from_all_texts(monkeypatch, shop):
    fit = WordsEncoder.fit
    monkeypatch.setattr(WordsEncoder, "fit", lambda text_I, mask, config: fit(text_I, everybody(mask), config))


@plant("word vocabulary", "word directions")  # other weights of the words, other directions
def words_of_all_texts_are_counted_for_their_rarity(monkeypatch, shop):
    fit = WordsEncoder.fit

    def leaky(text_I, mask, config):
        learned, rarity = fit(text_I, mask, config), fit(text_I, everybody(mask), config)
        idf_of = dict(zip(rarity.vocabulary, rarity.idf_V.tolist(), strict=True))
        leaking = replace(learned, idf_V=np.array([idf_of[word] for word in learned.vocabulary], dtype=np.float32))
        return replace(leaking, components_FV=directions(leaking, text_I[mask], config))

    monkeypatch.setattr(WordsEncoder, "fit", leaky)


@plant("word directions")
def the_directions_of_words_are_those_of_all_texts(monkeypatch, shop):
    fit = WordsEncoder.fit

    def leaky(text_I, mask, config):
        learned = fit(text_I, mask, config)
        return replace(learned, components_FV=directions(learned, text_I, config))

    monkeypatch.setattr(WordsEncoder, "fit", leaky)


def directions(words, texts, config):
    tfidf = words._restored_vectorizer().transform(texts)
    svd = TruncatedSVD(len(words.components_FV), random_state=config.seed).fit(tfidf)
    return svd.components_.astype(np.float32)


def encoder_with(part):
    fit = AttributeEncoder.fit

    def leaky(attributes, names, mask, config):
        names = list(names)
        of_all = fit(attributes, names, everybody(mask), config)
        return replace(fit(attributes, names, mask, config), **{part: getattr(of_all, part)})

    return leaky


@plant("attribute values")
def values_of_all_items_count(monkeypatch, shop):
    monkeypatch.setattr(AttributeEncoder, "fit", encoder_with("indicators"))


@plant("attribute ranges")
def numbers_range_over_all_items(monkeypatch, shop):
    monkeypatch.setattr(AttributeEncoder, "fit", encoder_with("bumps"))


@plant("feature means")
def vectors_are_centred_by_the_mean_of_all_items(monkeypatch, shop):
    fit = Standardiser.fit
    monkeypatch.setattr(Standardiser, "fit", lambda features, mask: fit(features, everybody(mask)))


@plant("feature gate", settings=("features.gate=true",))
def the_gate_learns_from_all_items(monkeypatch, shop):
    fit = FeatureGate.fit

    def leaky(features, rows, *rest: object):
        return fit(features, np.arange(len(features.x_IF)), *rest)

    monkeypatch.setattr(FeatureGate, "fit", leaky)


# What the model learned.


@plant("trained vectors")
def cold_items_are_classes_of_the_loss(monkeypatch, shop):
    loss, cold = training._loss, np.flatnonzero(shop.is_cold_I)[:4]

    def leaky(encoder, *rest: object):
        return loss(encoder, *rest) + encoder.residual(torch.from_numpy(cold)).sum()

    monkeypatch.setattr(training, "_loss", leaky)


@plant("user vectors")
def users_are_encoded_from_cold_items_too(monkeypatch, shop):
    encode = GraphSAGE.encode
    monkeypatch.setattr(
        GraphSAGE, "encode", lambda self, graph, x_IF: encode(self, with_cold_items_of_users(graph, shop), x_IF)
    )


@plant("content head", "query scale")  # the raw block is made of the same system
def the_head_is_fitted_on_cold_items_too(monkeypatch, shop):
    class Leaky(Placer):
        @classmethod
        def of(cls, blocks, degree_I, head, popularity_head, seed) -> Placer:
            fitted = Placer.of(blocks, degree_I, head, popularity_head, seed)
            return replace(fitted, head=KernelRidge.of(blocks, np.arange(len(blocks.x_IF)), head, seed))

    monkeypatch.setattr(graph_model, "Placer", Leaky)


@plant("content head")
def content_vectors_of_cold_items_lean_towards_their_users(monkeypatch, shop):
    fit = Parts.fit

    def leaky(*given: object):
        fitted, (users, items) = fit(*given), shop.cold_pairs
        for vectors_ID in (fitted.content.z_ID, fitted.content.folded_ID):
            np.add.at(vectors_ID, items, 0.01 * fitted.q_UD[users])
        return fitted

    monkeypatch.setattr(Parts, "fit", leaky)


@plant("content head")
def cold_items_are_as_popular_as_their_held_out_users_make_them(monkeypatch, shop):
    class Leaky(Placer):
        @classmethod
        def of(cls, *given: Any) -> Placer:
            fitted, (_, items) = Placer.of(*given), shop.cold_pairs
            np.add.at(fitted.popularity.predicted_I, items, 0.05)
            return fitted

    monkeypatch.setattr(graph_model, "Placer", Leaky)


@plant("content head")
def raw_vectors_of_cold_items_lean_towards_their_users(monkeypatch, shop):
    fit = Parts.fit

    def leaky(*given: object):
        fitted, (users, items) = fit(*given), shop.cold_pairs
        raw_IR = fitted.content.raw_IR
        np.add.at(raw_IR, items, 0.1 * sum_of_items(fitted.matrix_UI[users], raw_IR))
        return fitted

    monkeypatch.setattr(Parts, "fit", leaky)


@plant("query scale")
def the_average_user_of_the_raw_block_knows_held_out_pairs(monkeypatch, shop):
    class Leaky(Parts):
        @classmethod
        def fit(cls, *given: Any) -> Parts:
            fitted, (users, items) = Parts.fit(*given), shop.cold_pairs
            held_out_UI = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), fitted.matrix_UI.shape)
            known_UI = sp.csr_matrix(fitted.matrix_UI + held_out_UI)
            return replace(fitted, raw_scale=raw_scale(known_UI, fitted.unseen.raw_IR, fitted.warm, seed=0))

    monkeypatch.setattr(graph_model, "Parts", Leaky)


@plant("popularity")
def degrees_are_standardised_over_all_items(monkeypatch, shop):
    fit = Popularity.fit

    def leaky(blocks, degree_I, *rest: object):
        log_degree_I = np.log1p(degree_I)
        of_all_I = (log_degree_I - log_degree_I.mean()) / log_degree_I.std()
        return replace(fit(blocks, degree_I, *rest), observed_I=of_all_I.astype(np.float32))

    monkeypatch.setattr(Popularity, "fit", leaky)


@plant("query scale")
def scores_are_scaled_over_all_items(monkeypatch, shop):
    scale = Parts.scale
    monkeypatch.setattr(
        Parts, "scale", lambda parts, mixture: scale(replace(parts, warm=np.arange(len(parts.z_ID))), mixture)
    )


@pytest.mark.parametrize(("leak", "expected", "settings"), PLANTS)
def test_a_planted_leak_is_refused_by_name(leak, expected, settings, monkeypatch, young_shop, fired):
    leak(monkeypatch, young_shop)
    assert fired(*settings) == expected


@pytest.mark.parametrize("settings", [(), ("features.gate=true", "model.training.uniform_negatives=4")])
def test_without_a_leak_everything_is_compared(settings, fired):
    assert fired(*settings) == set()


def test_no_check_is_without_a_planted_leak():
    assert set().union(*(case.values[1] for case in PLANTS)) == set(LEAK_CHECKS)


def test_a_head_that_was_tuned_for_other_features_is_refused_in_one_line(young_shop, quick_settings):
    """Not taken for a leak, and no KeyError: there is nothing to compare."""
    config = GraphRecConfig.load(None, ["features.use=[words, style]", *quick_settings])
    model = Recommender(config).fit(young_shop.split.train)
    head = model.model_.choices.head
    fewer = head.model_copy(update={"weights": {name: w for name, w in head.weights.items() if name != "style"}})
    more = head.model_copy(update={"weights": head.weights | {"image": 1.0}})
    for other in (fewer, more):
        model.model_ = replace(model.model_, choices=model.model_.choices.model_copy(update={"head": other}))
        with pytest.raises(GraphRecError, match=r"tuned for other features than these.*train again\.$"):
            check_leaks(model, young_shop.split)
