"""Leaks through what other sites did: planted in the code that trains, and refused by the check that is named."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.config import GraphRecConfig
from graphrec.errors import GraphRecError
from graphrec.leaks.check import LEAK_CHECKS, check_leaks
from graphrec.models import graph_model, parts
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.other_sites import with_other_sites
from graphrec.models.parts import Placer
from graphrec.models.raw_block import sum_of_items
from graphrec.recommender import Recommender

PLANTS = []


def plant(*expected: str):
    """A leak, and all checks that have to see it."""
    return lambda leak: PLANTS.append(pytest.param(leak, set(expected), id=leak.__name__)) or leak


def is_wide(blocks):
    return any(name.startswith("site:") for name in blocks.columns)


def cold_pairs(shops):
    """(user, item) indices of held-out pairs of items that are cold here and known there."""
    truth = shops.split.truth
    keep = np.isin(truth.item_index_P, shops.cold_known)
    return truth.user_index_P[keep], truth.item_index_P[keep]


@plant("content head")
def the_head_that_reads_other_sites_is_fitted_on_cold_items_too(monkeypatch, shops):
    """The raw block is made of the same system."""

    class Leaky(Placer):
        @classmethod
        def of(cls, blocks, degree_I, head, popularity_head, seed) -> Placer:
            fitted = Placer.of(blocks, degree_I, head, popularity_head, seed)
            rows = np.append(np.flatnonzero(degree_I), shops.cold_known)
            return replace(fitted, head=KernelRidge.of(blocks, rows, head, seed)) if is_wide(blocks) else fitted

    # What the cold ones are taught is of no account: zero.
    coefficients = KernelRidge.coefficients

    def taught_zero(self, y_RT):
        return coefficients(self, np.vstack([y_RT, np.zeros((len(self.rows) - len(y_RT), y_RT.shape[1]))]))

    monkeypatch.setattr(KernelRidge, "coefficients", taught_zero)
    monkeypatch.setattr(graph_model, "Placer", Leaky)


@plant("content head")
def the_block_of_another_site_holds_what_was_held_out_here(monkeypatch, shops):
    def leaky(blocks, view, *rest: Any):
        users, items = cold_pairs(shops)
        held_out_UI = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), view.matrix_UI.shape)
        told_UI = sp.csr_matrix(view.elsewhere["there"] + held_out_UI)
        told_UI.data = np.minimum(told_UI.data, 1)
        return with_other_sites(blocks, replace(view, elsewhere={"there": told_UI}), *rest)

    monkeypatch.setattr(graph_model, "with_other_sites", leaky)


@plant("content head")
def items_that_others_know_lean_towards_who_was_held_out(monkeypatch, shops):
    fit = parts.Parts.fit

    def leaky(*given: Any):
        fitted, (users, items) = fit(*given), cold_pairs(shops)
        np.add.at(fitted.unseen.z_ID, items, 0.05 * fitted.q_UD[users])
        return fitted

    monkeypatch.setattr(parts.Parts, "fit", leaky)


@plant("content head")
def items_that_others_know_are_as_popular_as_those_who_were_held_out_make_them(monkeypatch, shops):
    fit = parts.Parts.fit

    def leaky(*given: Any):
        fitted, (_, items) = fit(*given), cold_pairs(shops)
        np.add.at(fitted.unseen.popularity_I, items, 0.05)
        return fitted

    monkeypatch.setattr(parts.Parts, "fit", leaky)


@plant("content head")
def raw_vectors_of_items_that_others_know_lean_towards_who_was_held_out(monkeypatch, shops):
    fit = parts.Parts.fit

    def leaky(*given: Any):
        fitted, (users, items) = fit(*given), cold_pairs(shops)
        raw_IR = fitted.unseen.raw_IR
        np.add.at(raw_IR, items, 0.1 * sum_of_items(fitted.matrix_UI[users], raw_IR))
        return fitted

    monkeypatch.setattr(parts.Parts, "fit", leaky)


@pytest.fixture
def quick(cross_settings):
    """A model in which every part counts."""
    return GraphRecConfig.load(None, [*cross_settings, "model.training.max_epochs=1", "model.tuning.steps=5"])


@pytest.fixture
def fired(two_shops, quick):
    """The checks that refuse a model of this data; none where all pass."""

    def run():
        model = Recommender(quick, "cpu").fit(two_shops.split.train)
        try:
            check_leaks(model, two_shops.split)
        except GraphRecError as error:
            return {name for name in LEAK_CHECKS if re.search(f"[:;] {name}: ", str(error))}
        return set()

    return run


@pytest.mark.parametrize(("leak", "expected"), PLANTS)
def test_a_planted_leak_is_refused_by_name(leak, expected, monkeypatch, two_shops, fired):
    leak(monkeypatch, two_shops)
    assert fired() == expected


def test_without_a_leak_nothing_is_refused(fired, cross_model, two_shops):
    assert fired() == set()
    assert {"content head", "trained vectors", "query scale"} <= set(check_leaks(cross_model, two_shops.split))


def test_a_run_that_learned_a_held_out_pair_of_the_site_is_refused(two_shops, quick):
    """All checks look at the site's own log; that of others is there for everybody."""
    model = Recommender(quick, "cpu").fit(two_shops.dataset)
    with pytest.raises(GraphRecError, match="training pairs: "):
        check_leaks(model, two_shops.split)
