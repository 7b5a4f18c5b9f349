import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.features.modality import Modality
from graphrec.identity.candidates import Pairs, block_groups, nearest_pairs
from graphrec.identity.evidence import compare_pairs, in_words
from graphrec.identity.one_to_one import probability_of, taken_pairs
from graphrec.identity.profiles import Profiles
from graphrec.identity.weighted_sets import WeightedSets, words_of


def test_overlap_by_hand():
    sets = WeightedSets.of(["red shoe", "red boot", "", "blue hat"], words_of, (1, 1))
    red, lone = np.log(2) + 0.1, np.log(4) + 0.1
    jaccard, contained = sets.overlap(np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert jaccard[0] == pytest.approx(red / (red + 2 * lone), rel=1e-5)
    assert contained[0] == pytest.approx(red / (red + lone), rel=1e-5)
    assert np.isnan(jaccard[1])
    assert jaccard[2] == 0


def test_rare_words_count_where_two_items_at_least_have_them():
    sets = WeightedSets.of(["a tolick x", "b tolick y", "c marwyn", "d marwyn", "e"], words_of, (1, 1))
    shared, unshared = sets.rarest(np.array([0, 0, 0]), np.array([1, 2, 4]))
    weight = np.log(5 / 2) + 0.1
    np.testing.assert_allclose(shared, [weight, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(unshared, [0, weight, 0], rtol=1e-5)


def test_no_words_at_all_is_no_error():
    sets = WeightedSets.of(["", ""], words_of, (1, 1))
    assert np.isnan(sets.overlap(np.array([0]), np.array([1]))[0]).all()


def column(values):
    return np.array(values, dtype=object)


@pytest.fixture
def evidence():
    catalogue = Catalogue(
        item_ids=column(["a", "b", "c"]),
        title=column(["Rocky II (1979)", "Rocky 2", "Rocky III (1982)"]),
        text=column(["Rocky II (1979). A boxer again", "Rocky 2", "Rocky III (1982). A boxer once more"]),
        image=column(["", "", ""]),
        image_root=None,
        site=column(["x", "y", "y"]),
        attributes=Attributes(
            categorical={"maker": column(["UA", "ua ", ""])},
            multi_valued={"genres": [("Drama",), ("Drama", "Sport"), ()]},
            numeric={"price": np.array([10.0, 8.0, np.nan]), "release_year": np.array([np.nan, 1980, np.nan])},
        ),
    )
    picture = Modality(np.array([[2, 0], [0, 0], [1, 1]], np.float32), np.array([True, False, True]))
    profiles = Profiles.of(catalogue, {"image": picture})
    return compare_pairs(profiles, Pairs(np.array([0, 0]), np.array([1, 2])))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("numbers", [1, 0]),
        ("number on one side", [0, 0]),
        ("years apart", [1, 3]),
        ("attribute maker", [1, np.nan]),
        ("attribute price, difference", [0.2, np.nan]),
        ("image cosine", [np.nan, np.sqrt(0.5)]),
        ("rank for the right", [0, 0]),
    ],
)
def test_features_by_hand(evidence, name, expected):
    np.testing.assert_allclose(evidence.column(name), expected, rtol=1e-5)


def test_missing_evidence_is_nan_and_stays_out_of_the_words(evidence):
    assert np.isnan(evidence.column("description words")[0])
    assert evidence.column("description words")[1] > 0
    assert "image" not in in_words(evidence)[0]
    assert "image cosine 0.71" in in_words(evidence)[1]


def test_a_lead_is_what_the_best_rival_is_behind(evidence):
    rank, lead = evidence.column("rank for the left"), evidence.column("lead for the left")
    assert sorted(rank) == [0, 1]
    assert lead[0] == pytest.approx(-lead[1])


def test_blocks_are_kept_apart_but_for_items_without_one():
    left, right = np.array([0, 1, 2]), np.array([3, 4, 5])
    block = np.array([0, 1, -1, 0, -1, 7])
    groups = [(a.tolist(), b.tolist()) for a, b in block_groups(left, right, block)]
    assert groups == [([2], [3, 4, 5]), ([0], [3, 4]), ([1], [4])]


def test_neighbours_come_from_both_directions_and_never_from_empty_items():
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 0], [1, 0.05], [0, 1], [0, 0]], np.float32)
    pairs = nearest_pairs([vectors], [(np.array([0, 1, 2]), np.array([3, 4, 5]))], k=1)
    assert list(zip(pairs.left_P.tolist(), pairs.right_P.tolist(), strict=True)) == [(0, 3), (1, 3), (1, 4)]


def test_the_candidates_of_an_item_share_at_most_one():
    pairs = Pairs(np.array([0, 0, 1]), np.array([2, 3, 3]))
    probability = probability_of(np.array([9.0, 1.0, 0.5]), pairs)
    np.testing.assert_allclose(probability, [9 / 11, 1 / 11.5, 0.5 / 2.5])
    np.testing.assert_allclose(probability_of(np.array([9.0, 1, 0.5]), pairs, has_rivals=False), [0.9, 0.5, 1 / 3])


@given(st.lists(st.floats(0.001, 1000), min_size=3, max_size=3), st.integers(0, 2), st.floats(1.01, 50))
def test_more_odds_make_a_pair_more_probable_and_its_rivals_less(odds, place, factor):
    pairs = Pairs(np.array([0, 0, 1]), np.array([2, 3, 3]))
    before = probability_of(np.array(odds), pairs)
    raised = np.array(odds)
    raised[place] *= factor
    after = probability_of(raised, pairs)
    assert after[place] > before[place]
    others = np.arange(3) != place
    assert (after[others] <= before[others]).all()


def test_a_product_never_gets_two_items_of_one_site_through_a_chain():
    site = np.array(["x", "y", "z", "x"], dtype=object)
    pairs = Pairs(np.array([0, 1, 2]), np.array([1, 2, 3]))
    probability = np.array([0.9, 0.8, 0.7])
    assert taken_pairs(probability, pairs, site, [], False).tolist() == [True, True, False]
    assert taken_pairs(probability, pairs, site, [], True).tolist() == [True, True, True]
    assert taken_pairs(probability, pairs, site, [(0, 2)], False).tolist() == [True, False, True]
