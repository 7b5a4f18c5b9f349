from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from graphrec.baselines import content
from graphrec.baselines.arm import TrainingInput
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.site_view import SiteView
from graphrec.models import graph_model, leave_one_out, masked_search
from graphrec.models.kernel import Kernel
from graphrec.models.leave_one_out import LearnedTeacher, TunedKernel, TuningItems, tune_kernel_head
from graphrec.progress import silent

PENALTY = 2.7


def unit_rows(rng, num_rows, num_features):
    x_IF = rng.normal(size=(num_rows, num_features))
    return x_IF / np.linalg.norm(x_IF, axis=1, keepdims=True)


@pytest.fixture
def blocks():
    rng = np.random.default_rng(0)
    x_IF = np.hstack([unit_rows(rng, 30, 4), unit_rows(rng, 30, 3)]).astype(np.float32)
    return FeatureBlocks(x_IF, {"good": slice(0, 4), "noise": slice(4, 7)})


@pytest.fixture
def teacher(make_encoder, as_dataset, interactions, x_IF):
    """Of a one-layer GraphSAGE without a zero among its parameters; the fold-in is anything."""
    encoder = make_encoder()
    view = SiteView.of(as_dataset(interactions))
    encoded = encoder.encode(view.graph, x_IF)
    folded_ID = np.random.default_rng(5).normal(size=encoded.z_ID.shape).astype(np.float32)
    return LearnedTeacher.of(encoder, encoded, folded_ID, view)


def unit_deviation(score_BR):
    return score_BR / score_BR.std(axis=1, ddof=1, keepdims=True)


def without_each(kernel_RR, y_RT, penalty=PENALTY):
    """Fit without item i and predict it, for every i in turn: (R, T)."""
    answers = []
    for out in range(len(kernel_RR)):
        rest = np.delete(np.arange(len(kernel_RR)), out)
        alpha = np.linalg.solve(kernel_RR[np.ix_(rest, rest)] + penalty * np.eye(len(rest)), y_RT[rest])
        answers.append(kernel_RR[out, rest] @ alpha)
    return np.array(answers)


def scores_of(items, matrix_UI, teacher=None, may_have_raw=True, shares=(0.3, -0.4)):
    """The untuned kernel's left-out scores: users, what they touched, (B, R), and the kernel as a matrix."""
    kernel = TunedKernel(items)
    mixture = leave_one_out._Mixture(teacher is not None, may_have_raw)
    with torch.no_grad():
        mixture.fold_in.fill_(shares[0])
        mixture.raw.fill_(shares[1])
        (users, seen_BR), *_ = leave_one_out._UserBatches(matrix_UI, items.rows, 1, 0)
        score_BR = leave_one_out._left_out_scores(kernel, mixture, teacher, users, seen_BR).numpy()
        kernel_RR = torch.linalg.inv(kernel.inverse().double()).numpy() - PENALTY * np.eye(len(items.rows))
    return users, seen_BR.numpy(), score_BR, kernel_RR


@pytest.fixture
def warm(interactions):
    return np.flatnonzero(interactions.item_degree())


def expected_learned(teacher, encoder, encoded, graph, kernel_RR, rows, users, share):
    """Every item predicted without itself, asked by its user as encoded without it."""
    y_RD = (1 - share) * teacher.z_ID[rows] + share * teacher.folded_ID[rows]
    left_out_RD = without_each(kernel_RR, y_RD.astype(np.float64))
    convolution, (states_ID,) = encoder.user_layer(0), encoded.states_LID
    weight, bias = convolution.lin_l.weight.detach().numpy(), convolution.lin_l.bias.detach().numpy()
    own_D = (convolution.lin_r.weight @ encoder.user_start).detach().numpy() + bias
    adjacency = graph.items_of_user.matrix()
    score_BR = np.zeros((len(users), len(rows)))
    for b, user in enumerate(users):
        touched = adjacency[[user]].indices
        for r, item in enumerate(rows):
            others = touched[touched != item]
            query_D = weight @ states_ID[others].mean(axis=0) + own_D
            score_BR[b, r] = query_D / teacher.length_U[user] @ left_out_RD[r]
    return score_BR


def test_raw_columns_are_predicted_as_by_refitting_without_each_item(blocks, interactions, warm):
    matrix_UI = interactions.user_item_matrix()
    items = TuningItems.of(blocks, warm, seed=0)
    users, seen_BR, score_BR, kernel_RR = scores_of(items, matrix_UI)
    np.testing.assert_array_equal(seen_BR, matrix_UI[users][:, warm].toarray() > 0)
    np.testing.assert_allclose(score_BR, unit_deviation(without_each(kernel_RR, seen_BR.T).T), atol=1e-3)


def test_a_teacher_is_predicted_so_too_and_the_item_leaves_its_users_query(
    blocks, interactions, warm, teacher, make_encoder, graph, x_IF
):
    items = TuningItems.of(blocks, warm, seed=0)
    matrix_UI = interactions.user_item_matrix()
    users, _, score_BR, kernel_RR = scores_of(items, matrix_UI, teacher, may_have_raw=False)
    encoder = make_encoder()
    share = 1 / (1 + np.exp(-0.3))
    expected_BR = expected_learned(teacher, encoder, encoder.encode(graph, x_IF), graph, kernel_RR, warm, users, share)
    np.testing.assert_allclose(score_BR, unit_deviation(expected_BR), atol=2e-3)
    still_in = replace(teacher, message_ID=0 * teacher.message_ID, mean_UD=0 * teacher.mean_UD)
    assert np.abs(scores_of(items, matrix_UI, still_in, False)[2] - score_BR).max() > 0.1  # the check can fail


def test_the_parts_are_mixed_by_their_share(blocks, interactions, warm, teacher):
    items, matrix_UI = TuningItems.of(blocks, warm, seed=0), interactions.user_item_matrix()
    raw_BR = scores_of(items, matrix_UI)[2]
    learned_BR = scores_of(items, matrix_UI, teacher, may_have_raw=False)[2]
    share = 1 / (1 + np.exp(0.4))
    both_BR = scores_of(items, matrix_UI, teacher)[2]
    np.testing.assert_allclose(both_BR, share * raw_BR + (1 - share) * learned_BR, atol=1e-4)


def test_users_with_one_item_or_none_are_not_asked(blocks, interactions, warm):
    items = TuningItems.of(blocks, warm, seed=0)
    users, *_ = scores_of(items, interactions.user_item_matrix())
    assert set(users) == set(np.flatnonzero(np.diff(interactions.user_item_matrix().indptr) > 1))
    assert not set(users) & {41, 42, 43, 44}


@pytest.fixture
def planted():
    """150 users who like one of five kinds; `good` says the kind, as does one item's text in ten; `noise` nothing."""
    rng = np.random.default_rng(1)
    kind_U, kind_I = rng.integers(5, size=150), rng.integers(5, size=60)
    good_IF = np.eye(5)[kind_I] + 0.3 * rng.normal(size=(60, 5))
    good_IF /= np.linalg.norm(good_IF, axis=1, keepdims=True)
    x_IF = np.hstack([good_IF, unit_rows(rng, 60, 12)]).astype(np.float32)
    touched_UI = rng.random((150, 60)) < np.where(kind_U[:, None] == kind_I, 0.5, 0.03)
    return FeatureBlocks(x_IF, {"good": slice(0, 5), "noise": slice(5, 17)}), sp.csr_matrix(touched_UI * 1.0)


def tuned(world, steps=40, seed=0, teacher=None, may_have_raw=True, **more: Any):
    blocks, matrix_UI = world
    warm = np.flatnonzero(np.asarray(matrix_UI.sum(axis=0)).ravel())
    items = TuningItems.of(blocks, warm, 0)
    popularity_R = np.zeros(len(items.rows), dtype=np.float32)
    return tune_kernel_head(items, matrix_UI, popularity_R, teacher, steps, seed, may_have_raw, **more)


def test_tuning_finds_the_block_that_says_something_and_puts_noise_down(planted):
    weights = tuned(planted).weights
    good = weights["good"] + weights["exp(good)"]
    noise = weights["noise"] + weights["exp(noise)"]
    assert good > 4 * noise
    swapped = FeatureBlocks(planted[0].x_IF, {"noise": slice(0, 5), "good": slice(5, 17)})
    weights = tuned((swapped, planted[1])).weights  # it is not the name or the place
    assert weights["noise"] + weights["exp(noise)"] > 4 * (weights["good"] + weights["exp(good)"])


def test_the_same_steps_and_seed_give_the_same_and_others_something_else(planted, monkeypatch):
    assert tuned(planted) == tuned(planted)
    assert tuned(planted, steps=41) != tuned(planted)
    monkeypatch.setattr(leave_one_out, "_USERS_PER_STEP", 20)  # else every step takes all users
    assert tuned(planted, seed=1) == tuned(planted, seed=1)
    assert tuned(planted, seed=1) != tuned(planted, seed=0)


def test_weights_and_events_are_of_no_account(planted):
    blocks, matrix_UI = planted
    heavier_UI = matrix_UI.copy()
    heavier_UI.data = np.random.default_rng(0).integers(1, 9, len(heavier_UI.data)).astype(np.float64)
    assert tuned((blocks, heavier_UI)) == tuned(planted)


def test_without_a_teacher_all_is_raw_and_where_raw_is_not_allowed_none():
    shares = {
        (has_learned, may_have_raw): leave_one_out._Mixture(has_learned, may_have_raw).raw_share.item()
        for has_learned in (True, False)
        for may_have_raw in (True, False)
    }
    assert shares[False, True] == shares[False, False] == 1
    assert shares[True, False] == 0
    assert 0 < shares[True, True] < 1


@pytest.mark.parametrize("steps", [1, 4, 5, 6, 7])
def test_the_progress_bar_is_told_of_every_step(planted, steps):
    seen = []

    def progress(batches, description, total=None):
        seen.append((description, len(batches)))
        for batch in batches:
            seen.append("step")
            yield batch

    tuned(planted, steps, progress=progress, description="Tuning")
    assert seen == [("Tuning", steps), *["step"] * steps]


def test_a_large_catalogue_leaves_out_so_many_items_drawn_by_the_seed(planted, monkeypatch):
    monkeypatch.setattr(leave_one_out, "MOST_ITEMS", 20)
    blocks, matrix_UI = planted
    warm = np.arange(5, 60)
    drawn = [TuningItems.of(blocks, warm, seed).rows for seed in (0, 0, 1)]
    for rows in drawn:
        assert len(set(rows)) == 20
        assert set(rows) <= set(warm)
        assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert TuningItems.of(blocks, warm, 0).values_TRR.shape == (5, 20, 20)
    head = tune_kernel_head(TuningItems.of(blocks, warm, 0), matrix_UI, np.zeros(20, np.float32), None, 5, 0)
    assert all(np.isfinite(weight) for weight in head.weights.values())


@pytest.mark.parametrize(("kibibytes", "most"), [(1, 7), (8, 20), (100, 55)])
def test_a_kernel_with_many_terms_leaves_out_no_more_items_than_its_terms_have_room_for(
    planted, monkeypatch, kibibytes, most
):
    """Five terms of four bytes for every two items: 51 such pairs in a KiB, so 7 x 7 items; there are 55 in all."""
    monkeypatch.setattr(leave_one_out, "_MOST_BYTES", 1024 * kibibytes)
    items = TuningItems.of(planted[0], np.arange(5, 60), 0)
    assert items.values_TRR.shape == (5, most, most)
    assert items.values_TRR.nbytes <= 1024 * kibibytes


def test_the_tuned_kernel_is_the_one_that_is_used(planted):
    """The matrix that is inverted while tuning is the kernel of the settings, plus the penalty."""
    blocks, _ = planted
    kernel = TunedKernel(TuningItems.of(blocks, np.arange(60), 0))
    settings = kernel.settings()
    k_RR = Kernel(blocks.columns, kernel.items.terms, settings.weights).values(blocks.x_IF, blocks.x_IF)
    inverse_RR = kernel.inverse().detach().numpy()
    np.testing.assert_allclose(inverse_RR @ (k_RR + settings.penalty * np.eye(60)), np.eye(60), atol=1e-4)


def test_nobody_with_two_items_leaves_the_start_as_it_is():
    blocks = FeatureBlocks(np.eye(4, dtype=np.float32), {"good": slice(0, 4)})
    head = tuned((blocks, sp.csr_matrix(np.eye(4))))
    assert head == TunedKernel(TuningItems.of(blocks, np.arange(4), 0)).settings()


def test_the_content_and_the_graph_arm_get_the_same_number_of_steps(taste_world, small_config, monkeypatch):
    steps = {}

    def counting(module):
        original = module.tune_kernel_head

        def tune(*arguments: Any, progress=silent, **more: Any):
            def counted(batches, description, total=None):
                for batch in batches:
                    steps[module] = steps.get(module, 0) + 1
                    yield batch

            named = list(arguments[:7])  # the graph arm hands its progress by place
            return original(*named, progress=counted, **more)

        monkeypatch.setattr(module, "tune_kernel_head", tune)

    counting(content)
    counting(masked_search)
    tuning = small_config.tuning.model_copy(update={"steps": 9})
    training = small_config.training.model_copy(update={"max_epochs": 1})
    config = small_config.model_copy(update={"tuning": tuning, "training": training})
    train = taste_world.split.train
    content.Content().fit(TrainingInput(train, taste_world.blocks, tuning))
    graph_model.fit_graph_model(train, taste_world.blocks, config)
    assert steps == {content: 9, masked_search: 9}


def test_the_graph_fixture_is_weighted(graph):
    """So that a mean of messages that counts events would show above."""
    assert isinstance(graph, InteractionGraph)
    assert len(np.unique(graph.items_of_user.matrix().data)) > 1
