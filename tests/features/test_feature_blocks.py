import numpy as np
import pytest

from graphrec.features.attributes import AttributeEncoder
from graphrec.features.blocks import Standardiser, standardise
from graphrec.features.clip import ClipConfig
from graphrec.features.extract import FeatureEncoders, ItemFeatures
from graphrec.features.modality import Modality

NO_ENCODERS = FeatureEncoders({}, ClipConfig(), (), None, AttributeEncoder({}, {}))


def features(**modalities: object):
    made = {
        name.replace("__", ":"): Modality(np.array(x, np.float32), np.array(p)) for name, (x, p) in modalities.items()
    }
    return ItemFeatures(made, (), NO_ENCODERS)


@pytest.fixture
def two_kinds():
    """Item 2 is cold, item 3 has no picture."""
    return features(
        image=([[4, 2], [0, 2], [2, 7], [0, 0]], [True, True, True, False]),
        attribute__genres=([[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]], [True, True, False, True]),
    )


def test_dense_blocks_are_centred_by_warm_items_and_all_rows_get_length_1(two_kinds):
    blocks = standardise(two_kinds, np.array([True, True, False, True]))
    half = np.sqrt(0.5)
    # The mean of the warm pictures is (2, 2).
    expected_IF = [[1, 0, half, half, 0], [-1, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]]
    np.testing.assert_allclose(blocks.x_IF, expected_IF, atol=1e-7)
    assert blocks.x_IF.dtype == np.float32
    assert blocks.columns == {"image": slice(0, 2), "attribute:genres": slice(2, 5)}


def test_cold_items_leave_no_trace_in_the_means(two_kinds):
    is_warm_I = np.array([True, True, False, True])
    x_IF = two_kinds.modalities["image"].x_IF.copy()
    x_IF[2] = [-90, 40]
    changed = ItemFeatures({"image": Modality(x_IF, np.array([True, True, True, False]))}, (), NO_ENCODERS)
    fitted, again = Standardiser.fit(two_kinds, is_warm_I), Standardiser.fit(changed, is_warm_I)
    np.testing.assert_array_equal(fitted.mean_F["image"], again.mean_F["image"])
    leaky = Standardiser.fit(changed, np.ones(4, dtype=bool))
    assert not np.allclose(fitted.mean_F["image"], leaky.mean_F["image"])


def test_items_that_are_all_alike_become_zero_instead_of_amplified_rounding():
    same = [[0.1, 0.7, 0.3]] * 5
    assert not standardise(features(text=(same, [True] * 5)), np.ones(5, dtype=bool)).x_IF.any()


def test_very_long_and_very_short_vectors_keep_their_direction():
    x = [[3e38, 0], [-3e38, 0], [0, 1e-30], [0, -1e-30]]
    x_IF = standardise(features(image=(x[:2], [True] * 2)), np.ones(2, dtype=bool)).x_IF
    assert x_IF.tolist() == [[1, 0], [-1, 0]]
    x_IF = standardise(features(image=(x[2:], [True] * 2)), np.ones(2, dtype=bool)).x_IF
    assert x_IF.tolist() == [[0, 1], [0, -1]]


def test_new_items_are_standardised_as_the_old_ones_were(two_kinds):
    standardiser = Standardiser.fit(two_kinds, np.array([True, True, False, True]))
    new = features(image=([[2, 7]], [True]))
    expected = standardiser.apply(two_kinds).x_IF[2]
    np.testing.assert_array_equal(standardiser.apply(new).x_IF[0], expected)
    with pytest.raises(ValueError, match="Expected 2 features for 'image', got 3"):
        standardiser.apply(features(image=([[2, 7, 1]], [True])))


def test_a_modality_that_no_warm_item_has_is_only_given_length_1():
    x_IF = standardise(features(image=([[0, 0], [3, 4]], [False, True])), np.array([True, False])).x_IF
    np.testing.assert_allclose(x_IF, [[0, 0], [0.6, 0.8]])
