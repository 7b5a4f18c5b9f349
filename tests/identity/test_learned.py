import numpy as np
import pytest

from graphrec.identity.candidates import Pairs
from graphrec.identity.evidence import ALIKE, APART, RAREST, Evidence
from graphrec.identity.fellegi_sunter import FellegiSunter
from graphrec.identity.learned import learned_probability


@pytest.fixture
def world():
    """600 pairs of 200 left items: the first of each three is the right one, in title and price, both noisily."""
    rng = np.random.default_rng(2)
    is_match = np.tile([True, False, False], 200)
    alike = np.clip(rng.normal(np.where(is_match, 0.8, 0.35), 0.15), 0, 1)
    apart = np.abs(rng.normal(np.where(is_match, 0.0, 0.5), 0.2))
    apart[::7] = np.nan
    x = np.stack([alike, np.full(600, np.nan), apart], axis=1).astype(np.float32)
    evidence = Evidence(("title words", RAREST, "attribute price, difference"), np.array([ALIKE, ALIKE, APART]), x)
    left = np.repeat(np.arange(200), 3)
    return evidence, Pairs(left, 1000 + np.arange(600)), is_match


def test_em_finds_the_matches_without_a_label(world):
    evidence, pairs, is_match = world
    _, probability = FellegiSunter.fit(evidence, pairs, np.full(600, np.nan))
    assert ((probability > 0.5) == is_match).mean() > 0.93
    assert is_match[probability > 0.9].mean() > 0.97


def test_em_keeps_what_is_settled(world):
    evidence, pairs, _ = world
    known = np.full(600, np.nan)
    known[[0, 1]] = 0, 1
    _, probability = FellegiSunter.fit(evidence, pairs, known)
    assert probability[[0, 1]].tolist() == [0, 1]


def test_missing_evidence_changes_no_odds(world):
    evidence, pairs, _ = world
    model, _ = FellegiSunter.fit(evidence, pairs, np.full(600, np.nan))
    nothing = Evidence(evidence.names, evidence.direction_F, np.full((2, 3), np.nan, np.float32))
    np.testing.assert_allclose(model.odds(nothing), np.exp(model.prior))


def test_trees_learn_from_labels(world):
    evidence, pairs, is_match = world
    known = np.where(np.arange(600) < 450, is_match.astype(float), np.nan)
    probability = learned_probability(np.full(600, 1 / 3), evidence, pairs, known, True, seed=0)
    assert probability is not None
    assert ((probability > 0.5) == is_match)[450:].mean() > 0.95


def test_trees_are_not_used_without_labels_or_where_they_are_no_better(world):
    evidence, pairs, is_match = world
    few = np.where(np.arange(600) < 60, is_match.astype(float), np.nan)
    assert learned_probability(np.full(600, 1 / 3), evidence, pairs, few, True, seed=0) is None
    known = np.where(np.arange(600) < 450, is_match.astype(float), np.nan)
    perfect = np.where(is_match, 0.9999, 0.0001)
    assert learned_probability(perfect, evidence, pairs, known, True, seed=0) is None
