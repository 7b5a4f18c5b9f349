import numpy as np
import pytest

from graphrec.clip_fit.retrieval_quality import retrieval_quality


def unit(rows):
    rows = np.array(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_recall_counts_pairs_whose_partner_is_among_the_k_nearest():
    image = unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    # The second text lies nearest to the first picture, its own picture comes second; the others are right.
    text = unit([[1, 0.1, 0], [1, 0.9, 0], [0, 0, 1]])
    quality = retrieval_quality(image, text, np.arange(3), np.arange(3), ks=(1, 2))
    assert quality.text_to_image.recall == {1: pytest.approx(2 / 3), 2: 1.0}
    assert quality.image_to_text.recall == {1: 1.0, 2: 1.0}
    assert quality.image_to_text.chance == {1: pytest.approx(1 / 3), 2: pytest.approx(2 / 3)}


def test_a_model_that_sees_nothing_scores_exactly_chance():
    image, text = np.tile(unit([[0.3, 0.4, 0.5]]), (45, 1)), np.tile(unit([[0.2, 0.9, 0.1]]), (30, 1))
    quality = retrieval_quality(image, text, np.arange(45), np.arange(45) % 30)
    assert quality.image_to_text.recall == pytest.approx({1: 1 / 30, 5: 5 / 30, 10: 10 / 30})
    assert quality.text_to_image.recall == pytest.approx({1: 1 / 45, 5: 5 / 45, 10: 10 / 45})
    assert quality.image_to_text.recall == pytest.approx(quality.image_to_text.chance)


def test_equal_texts_are_one_candidate_and_bound_what_a_perfect_model_can_reach():
    # Four pictures, two of them called "scarf": a perfect model finds either of the two first.
    image = unit([[1, 0, 0.01], [1, 0, -0.01], [0, 1, 0], [0, 0, 1]])
    text = unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    quality = retrieval_quality(image, text, np.arange(4), np.array([0, 0, 1, 2]), ks=(1, 5))
    assert (quality.image_to_text.pool, quality.text_to_image.pool, quality.pairs) == (3, 4, 4)
    assert quality.image_to_text.recall[1] == 1.0
    assert quality.text_to_image.bound == {1: pytest.approx((1 / 2 + 1 / 2 + 1 + 1) / 4), 5: 1.0}
    assert quality.text_to_image.recall[1] == pytest.approx(quality.text_to_image.bound[1])


def test_it_agrees_with_a_ranking_one_pair_at_a_time():
    rng = np.random.default_rng(3)
    image, text = unit(rng.normal(size=(45, 8))), unit(rng.normal(size=(30, 8)))
    picture_P, text_P = rng.integers(45, size=70), rng.integers(30, size=70)
    quality = retrieval_quality(image, text, picture_P, text_P, ks=(3, 8))
    pairs = sorted(set(zip(picture_P.tolist(), text_P.tolist(), strict=True)))
    for k in (3, 8):
        to_text = [t in np.argsort(-(text @ image[p]))[:k] for p, t in pairs]
        to_image = [p in np.argsort(-(image @ text[t]))[:k] for p, t in pairs]
        assert quality.image_to_text.recall[k] == pytest.approx(np.mean(to_text))
        assert quality.text_to_image.recall[k] == pytest.approx(np.mean(to_image))
