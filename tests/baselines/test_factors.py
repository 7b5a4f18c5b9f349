"""ALS against its own normal equations; the content mapping's objective, and a planted world; the missing extra."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from test_ease import planted

from graphrec.baselines.als import ALS
from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.implicit_als import ALSSettings, als_factors
from graphrec.baselines.mf_content import ContentMapping, MFContent, MFContentSettings, relevance_root
from graphrec.errors import GraphRecError
from graphrec.models.tuning import TuningConfig


def weighted_error(touched_UI, user_UD, item_ID, settings):
    """Hu et al.: Σ c_ui (p_ui - u·v)² + λ(‖U‖² + ‖V‖²), with c 1 or `confidence`."""
    confidence_UI = np.where(touched_UI > 0, settings.confidence, 1.0)
    squares = (confidence_UI * (touched_UI - user_UD @ item_ID.T) ** 2).sum()
    return squares + settings.penalty * ((user_UD**2).sum() + (item_ID**2).sum())


def test_factors_are_the_least_of_the_weighted_error():
    """No single user's or item's least-squares step, solved densely here, makes it smaller."""
    rng = np.random.default_rng(0)
    touched_UI = (rng.random((25, 17)) < 0.3).astype(float)
    settings = ALSSettings(factors=4, penalty=2.0, confidence=3.0, iterations=200)
    user_UD, item_ID = als_factors(sp.csr_matrix(5 * touched_UI), settings, seed=0)  # an event's weight plays no part
    least = weighted_error(touched_UI, user_UD, item_ID, settings)
    for user in range(25):
        weight_I = np.where(touched_UI[user] > 0, 3.0, 1.0)
        system = (item_ID.T * weight_I) @ item_ID + 2.0 * np.eye(4)
        better = user_UD.copy()
        better[user] = np.linalg.solve(system, (item_ID.T * weight_I) @ touched_UI[user])
        assert weighted_error(touched_UI, better, item_ID, settings) > least * 0.9999
    assert least < 0.9 * weighted_error(touched_UI, 0 * user_UD, 0 * item_ID, settings)


def test_rows_without_an_interaction_are_zero(inputs, cold):
    user_UD, item_ID = als_factors(inputs.train.interactions.user_item_matrix(), ALSSettings(factors=5), seed=0)
    assert not item_ID[cold].any()
    assert not user_UD[44].any()
    assert user_UD[:44].any(axis=1).all()


@pytest.mark.parametrize("arm", [ALS, MFContent])
def test_without_the_extra_the_line_to_install_it_is_named(inputs, arm, monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit", None)
    monkeypatch.setitem(sys.modules, "implicit.cpu", None)
    with pytest.raises(GraphRecError, match=r"pip install 'graphrec\[baselines\]'") as caught:
        arm().fit(inputs)
    assert "\n" not in str(caught.value)


def test_the_objective_is_the_mean_squared_error_of_scores_over_users():
    rng = np.random.default_rng(0)
    user_UD, item_RD, error_BD = rng.normal(size=(50, 4)), rng.normal(size=(9, 4)), rng.normal(size=(6, 4))
    ridge = 0.1 * np.mean((user_UD**2).sum(axis=1)) / 4

    def mean_square(rows_BD):
        return ((user_UD @ rows_BD.T) ** 2).mean(axis=0) + ridge * (rows_BD**2).sum(axis=1)

    found = (torch.from_numpy(error_BD).float() @ relevance_root(user_UD, item_RD)).square().sum(dim=1)
    np.testing.assert_allclose(found, mean_square(error_BD) / mean_square(item_RD).mean(), rtol=1e-4)


def test_a_cold_item_is_a_function_of_its_features_and_a_warm_ones_factors_pass_through():
    network = ContentMapping(3, MFContentSettings(factors=2)).eval()
    for parameter in network.layers.parameters():
        torch.nn.init.zeros_(parameter)
    factors = torch.tensor([[1.0, -2.0], [0.0, 0.0]])
    torch.testing.assert_close(network(torch.randn(2, 3), factors), factors)


def test_mapped_cold_items_of_a_users_style_come_first(train, monkeypatch):
    settings = MFContentSettings(factors=6, penalty=0.1, learning_rate=0.01, batch_size=16)
    monkeypatch.setattr(MFContent, "start", settings)
    world, blocks, style_I, style_U, cold = planted(train)
    arm = MFContent().fit(TrainingInput(world, blocks, TuningConfig(tries=0)))
    for popularity in (True, False):
        lists = arm.rank(np.arange(len(style_U)), cold, None, 2, popularity)
        assert (style_I[lists.items_UK] == style_U[:, None]).mean() > 0.95
