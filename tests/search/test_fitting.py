"""Fitted weights find what helps, and the task they are fitted on does not give its answers away."""

from dataclasses import replace

import numpy as np
import pytest

from graphrec.features.modality import Modality
from graphrec.retrieval.clip_space import ClipSpace
from graphrec.search.alteration import altered_picture
from graphrec.search.fitting import (
    FitTask,
    catalogue_task,
    fit_weights,
    mean_reciprocal_rank,
    target_ranks,
    without_title,
)
from graphrec.search.query_encoder import QueryEncoder


def task_of(image_noise, text_noise, block_noise=(0.0, 0.0), num_items=200, seed=0):
    """Items whose two blocks are the same vector plus noise; queries as well."""
    rng = np.random.default_rng(seed)
    truth_ND = rng.normal(size=(num_items, 6))

    def noisy(level):
        return (truth_ND + level * rng.normal(size=truth_ND.shape)).astype(np.float32)

    everybody = np.ones(num_items, dtype=bool)
    blocks = {
        kind: Modality(noisy(level), everybody) for kind, level in zip(("image", "text"), block_noise, strict=True)
    }
    vectors = {"image": noisy(image_noise), "text": noisy(text_noise)}
    return FitTask(ClipSpace.build(blocks, is_shared=True), vectors, np.arange(num_items))


def share_of(weights, asked):
    total = sum(weights.weight.values())
    return sum(value for (kind, _), value in weights.weight.items() if kind == asked) / total


def test_the_kind_that_says_nothing_gets_the_least_share():
    assert share_of(fit_weights(task_of(image_noise=0.3, text_noise=50)), "text") == pytest.approx(0.05)
    assert share_of(fit_weights(task_of(image_noise=50, text_noise=0.3)), "image") == pytest.approx(0.05)


def test_a_block_that_says_nothing_is_left_out_of_both_kinds():
    weights = fit_weights(task_of(0.5, 0.5, block_noise=(0.2, 50))).weight
    assert weights["image", "text"] <= 0.1 * weights["image", "image"]
    assert weights["text", "text"] <= 0.1 * weights["text", "image"]


def test_two_that_are_equally_poor_are_mixed_and_do_better_together_than_alone():
    task = task_of(1.0, 1.0, block_noise=(0.5, 0.5))
    weights = fit_weights(task)
    assert 0.2 < share_of(weights, "text") < 0.8
    both = ranks_with(task, weights, ("image", "text"))
    alone = [ranks_with(task, weights, (kind,)) for kind in ("image", "text")]
    assert (1 / both).mean() > max((1 / one).mean() for one in alone)


def ranks_with(task, weights, kinds):
    from graphrec.retrieval.clip_space import Part

    queries = [
        task.space.query([Part(kind, task.vectors[kind][row]) for kind in kinds], weights)
        for row in range(len(task.target_N))
    ]
    return target_ranks(np.stack(queries) @ task.space.vectors_IE.T, task.target_N)


def test_ranks_are_the_middle_among_equal_scores_and_leave_out_what_is_not_allowed():
    score = np.array([[3.0, 1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 0.0], [5.0, 4.0, 4.0, 9.0]])
    target = np.array([1, 0, 2])
    assert target_ranks(score, target).tolist() == [3.0, 2.0, 3.5]
    allowed = np.array([[False, True, True, True], [True, True, False, True], [True, False, True, False]])
    assert target_ranks(score, target, allowed).tolist() == [2.0, 1.5, 2.0]
    assert mean_reciprocal_rank(score, target) == pytest.approx((1 / 3 + 1 / 2 + 1 / 3.5) / 3)


@pytest.mark.parametrize(
    ("text", "title", "left"),
    [
        ("Red dress. Soft and warm.", "Red dress", "Soft and warm."),
        ("Red dress", "Red dress", ""),
        ("Soft and warm.", "Red dress", "Soft and warm."),
        ("Soft and warm.", " ", "Soft and warm."),
    ],
)
def test_a_title_is_taken_from_the_beginning_of_its_text(text, title, left):
    assert without_title(text, title) == left


def test_the_task_of_a_catalogue_holds_no_title_and_other_pictures(fitted):
    clip = fitted.clip_
    encoder = QueryEncoder(clip.clip, clip.dims)
    task = catalogue_task(clip.space, fitted.train_.catalogue, encoder, 60, np.random.default_rng(0))
    catalogue = fitted.train_.catalogue
    num_usable = sum(
        route == "both" and bool(title) for route, title in zip(clip.space.route_I, catalogue.title, strict=True)
    )
    assert len(task.target_N) == 60 < len(task.space) == num_usable
    assert task.target_N.tolist() == list(range(60))
    assert (task.space.route_I != "both").any()  # a text that was all title is gone
    own = np.stack([task.space.item_vector(item, "image") for item in range(60)])
    cosine = np.einsum("nd,nd->n", own, task.vectors["image"].astype(np.float64))
    assert cosine.max() < 0.9999
    assert cosine.mean() > 0.5
    titles_alone = replace(catalogue, text=catalogue.title)
    nothing_left = catalogue_task(clip.space, titles_alone, encoder, 60, np.random.default_rng(0))
    assert set(nothing_left.space.blocks) == {"image"}
    assert fit_weights(nothing_left).weight["text", "image"] > 0
    few = catalogue_task(clip.space, fitted.train_.catalogue, encoder, 49, np.random.default_rng(0))
    assert few is None


def test_training_stores_weights_and_settings_can_leave_them_out(fitted):
    assert fitted.clip_.learned is not None
    assert not list(fitted.train_.catalogue.image_root.parent.glob("graphrec-*"))


def test_an_altered_picture_is_a_part_of_it_and_a_file_that_is_none_is_skipped(small_store, tmp_path):
    rng = np.random.default_rng(1)
    path = next((small_store / "images").glob("*.png"))
    sizes = {altered_picture(path, rng).size for _ in range(20)}
    assert len(sizes) > 5
    assert all(0.6 * 64 - 1 <= side <= 0.95 * 64 + 1 for size in sizes for side in size)
    (tmp_path / "notes.png").write_text("no picture")
    assert altered_picture(tmp_path / "notes.png", rng) is None
    (tmp_path / "cut.png").write_bytes(path.read_bytes()[:900])
    assert altered_picture(tmp_path / "cut.png", rng) is None
