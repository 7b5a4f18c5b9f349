import numpy as np
import pytest
from scipy import stats

from graphrec.evaluation import intervals
from graphrec.evaluation.intervals import (
    PairedInterval,
    Verdict,
    holm,
    paired_bootstrap,
    paired_bootstraps,
    verdict,
)


def two_arms(rng, num_users, difference, spread=1.0):
    """Paired arms whose difference has the given mean and standard deviation in the population."""
    base = rng.normal(size=num_users)
    return base + rng.normal(difference, spread, num_users), base


def test_the_interval_covers_a_planted_difference_about_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        interval = paired_bootstrap(*two_arms(rng, 150, 0.3), rng, num_resamples=1000)
        covered += interval.low <= 0.3 <= interval.high
    assert 180 <= covered <= 199


def test_a_higher_level_gives_a_wider_interval():
    a, b = two_arms(np.random.default_rng(0), 200, 0.1)
    narrow, wide = (paired_bootstrap(a, b, np.random.default_rng(1), level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.difference < narrow.high < wide.high
    assert wide.smallest_detectable > narrow.smallest_detectable


def test_equal_arms_show_no_difference():
    rng = np.random.default_rng(0)
    a = rng.random(80)
    assert paired_bootstrap(a, a, rng) == PairedInterval(0, 0, 0, 0, 80, 1)
    assert verdict(paired_bootstrap(a, a, rng)) is Verdict.NO_DIFFERENCE_SHOWN


def test_the_interval_agrees_with_scipy():
    rng = np.random.default_rng(4)
    a, b = two_arms(rng, 120, 0.2)
    ours = paired_bootstrap(a, b, np.random.default_rng(0), num_resamples=20_000)
    theirs = stats.bootstrap(
        (a, b),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    noise = (
        0.05 * (a - b).std() / np.sqrt(120)
    )  # the end points' own error at 20,000 resamples is about 0.02 of this unit
    assert ours.low == pytest.approx(theirs.low, abs=noise)
    assert ours.high == pytest.approx(theirs.high, abs=noise)
    assert ours.difference == pytest.approx(np.mean(a - b), abs=1e-12)


def test_pairing_narrows_the_interval_of_arms_that_move_together():
    rng = np.random.default_rng(2)
    base = rng.normal(size=300)
    a, b = base + 0.05 + 0.01 * rng.normal(size=300), base
    together = paired_bootstrap(a, b, rng, num_resamples=500)
    shuffled = paired_bootstrap(a, rng.permutation(b), rng, num_resamples=500)
    assert together.high - together.low < 0.1 * (shuffled.high - shuffled.low)


def test_the_smallest_detectable_difference_is_found_8_times_in_10():
    rng = np.random.default_rng(5)
    num_users, spread = 200, 0.7
    detectable = (1.959964 + 0.841621) * spread / np.sqrt(num_users)
    found, stated = 0, []
    for _ in range(300):
        interval = paired_bootstrap(*two_arms(rng, num_users, detectable, spread), rng, num_resamples=1000)
        found += verdict(interval) is Verdict.HELPS
        stated.append(interval.smallest_detectable)
    assert 0.73 <= found / 300 <= 0.87
    assert np.mean(stated) == pytest.approx(detectable, rel=0.02)


def test_the_smallest_detectable_difference_has_its_hand_computed_value():
    interval = paired_bootstrap(np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4), np.random.default_rng(0))
    assert interval.smallest_detectable == pytest.approx(2.8015852 * np.sqrt(5 / 3) / 2)


def test_users_undefined_in_both_arms_are_dropped():
    rng = np.random.default_rng(0)
    a, b = two_arms(rng, 60, 0.5)
    is_nan = rng.random(60) < 0.3
    with_nan = paired_bootstrap(
        np.where(is_nan, np.nan, a), np.where(is_nan, np.nan, b), np.random.default_rng(1), num_resamples=100
    )
    assert with_nan == paired_bootstrap(a[~is_nan], b[~is_nan], np.random.default_rng(1), num_resamples=100)
    assert with_nan.num_users == (~is_nan).sum()


def test_one_arm_alone_undefined_is_refused():
    with pytest.raises(ValueError, match="got 1 with one arm alone nan"):
        paired_bootstrap(np.array([1.0, np.nan, 2.0]), np.array([1.0, 2.0, 2.0]), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros(3), np.zeros(4), "same users"),
        (np.array([np.nan, 1]), np.array([np.nan, 1]), "at least 2"),
        (np.array([]), np.array([]), "at least 2"),
    ],
)
def test_arms_that_cannot_be_compared_are_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(a, b, np.random.default_rng(0))


def test_the_same_generator_state_gives_the_same_interval():
    a, b = two_arms(np.random.default_rng(0), 90, 0.1)
    first, second = (paired_bootstrap(a, b, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_resamples_are_drawn_in_blocks_that_fill_every_resample(monkeypatch):
    monkeypatch.setattr(intervals, "_DRAWS_PER_BLOCK", 1000)  # 33 resamples of 30 users; the last block is shorter
    means = intervals._resampled_means(np.arange(30.0)[:, None], np.random.default_rng(0), 500)
    assert means.mean() == pytest.approx(14.5, abs=0.3)
    assert means.std() == pytest.approx(np.arange(30).std() / np.sqrt(30), rel=0.1)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.2, "helps"),
        (-0.2, -0.01, "hurts"),
        (-0.1, 0.1, "no difference shown"),
        (0.0, 0.1, "no difference shown"),
    ],
)
def test_the_verdict_asks_on_which_side_of_zero_the_whole_interval_lies(low, high, expected):
    assert verdict(PairedInterval((low + high) / 2, low, high, 0.1, 50, 0.5)) == expected


def test_several_intervals_at_once_are_those_of_one_by_one():
    rng = np.random.default_rng(0)
    pairs = [two_arms(rng, 70, difference) for difference in (0.0, 0.2, 0.9)]
    pairs = [(np.append(a, np.nan), np.append(b, np.nan)) for a, b in pairs]
    together = paired_bootstraps(pairs, np.random.default_rng(1), 500)
    for one, pair in zip(together, pairs, strict=True):
        alone = paired_bootstrap(*pair, np.random.default_rng(1), 500)
        assert vars(one) == pytest.approx(vars(alone), abs=1e-12)
    assert paired_bootstraps([], rng) == []


def test_pairs_of_different_users_are_refused():
    a, b = np.array([1.0, 2, np.nan, 3]), np.array([np.nan, 2.0, 1, 3])
    with pytest.raises(ValueError, match="same users"):
        paired_bootstraps([(a, a), (b, b)], np.random.default_rng(0))


def test_the_interval_at_level_1_minus_p_just_touches_zero():
    a, b = two_arms(np.random.default_rng(3), 100, 0.1)
    p = paired_bootstrap(a, b, np.random.default_rng(0)).p_value
    assert 0.001 < p < 0.2
    wider, narrower = (paired_bootstrap(a, b, np.random.default_rng(0), level=1 - p * f).low for f in (0.9, 1.1))
    assert wider < 0 < narrower


def test_the_p_value_is_small_as_often_as_it_says_where_nothing_differs():
    rng = np.random.default_rng(6)
    p = np.array([paired_bootstrap(*two_arms(rng, 120, 0.0), rng, 500).p_value for _ in range(400)])
    assert 0.07 < (p < 0.1).mean() < 0.14
    assert paired_bootstrap(np.ones(9), np.zeros(9), rng, 999).p_value == 0.002


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.01]) == pytest.approx([0.5, 0.02])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_holm_finds_something_false_in_no_more_than_5_of_100_families():
    rng = np.random.default_rng(0)
    p = rng.random((4000, 5))
    assert 0.04 < np.mean([min(holm(row)) < 0.05 for row in p]) < 0.06
    assert np.mean(p.min(axis=1) < 0.05) > 0.2  # without it
