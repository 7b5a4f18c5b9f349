import json

import numpy as np
import pytest

from graphrec.data.catalogue import Attributes
from graphrec.errors import GraphRecError
from graphrec.features.attributes import AttributeEncoder, AttributesConfig

EVERYONE = np.ones(6, dtype=bool)


def objects(values):
    return np.array(list(values), dtype=object)


def test_categories_become_one_hot_rows_most_frequent_first_ties_by_name():
    attributes = Attributes(categorical={"brand": objects(["b", "a", "b", "a", "once", ""])})
    encoder = AttributeEncoder.fit(attributes, ["brand"], EVERYONE, AttributesConfig())
    assert encoder.indicators["brand"].values == ("a", "b")
    modality = encoder.encode(attributes, 6)["brand"]
    assert modality.x_IF.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0], [0, 0], [0, 0]]
    assert modality.present_I.tolist() == [True, True, True, True, False, False]


def test_lists_become_multi_hot_rows():
    attributes = Attributes(multi_valued={"tags": [("x", "y"), ("y",), ("x", "z"), ("y", "rare"), (), ("rare2",)]})
    encoder = AttributeEncoder.fit(attributes, ["tags"], EVERYONE, AttributesConfig())
    assert encoder.indicators["tags"].values == ("y", "x")
    modality = encoder.encode(attributes, 6)["tags"]
    assert modality.x_IF.tolist() == [[1, 1], [1, 0], [0, 1], [1, 0], [0, 0], [0, 0]]


def test_a_value_repeated_by_one_item_counts_once():
    attributes = Attributes(multi_valued={"tags": [("x", "x"), ("y",), ("y",), (), (), ()]})
    encoder = AttributeEncoder.fit(attributes, ["tags"], EVERYONE, AttributesConfig())
    assert encoder.indicators["tags"].values == ("y",)


def test_only_the_most_frequent_values_are_kept():
    attributes = Attributes(categorical={"brand": objects(["c", "c", "b", "b", "a", "c"])})
    config = AttributesConfig(min_count=1, max_values=2)
    assert AttributeEncoder.fit(attributes, ["brand"], EVERYONE, config).indicators["brand"].values == ("c", "b")


def test_numbers_become_bumps_and_are_clipped():
    number_I = np.append(np.linspace(0, 100, 101), [-5, 200, np.nan])  # 1st percentile 1, 99th 99, if these were all
    attributes = Attributes(numeric={"price": number_I})
    is_warm_I = np.arange(104) < 101
    encoder = AttributeEncoder.fit(attributes, ["price"], is_warm_I, AttributesConfig(num_centres=50))
    bumps = encoder.bumps["price"]
    assert (bumps.low, bumps.high) == pytest.approx((1, 99))
    modality = encoder.encode(attributes, 104)["price"]
    # Centres at 1, 3, 5, …, spacing 2, width 3: item 5 stands on the third centre, two beside the fourth.
    assert modality.x_IF[5, 2] == 1
    assert modality.x_IF[5, 3] == pytest.approx(np.exp(-0.5 * (2 / 3) ** 2))
    assert modality.x_IF[5, 0] == pytest.approx(np.exp(-0.5 * (4 / 3) ** 2))
    np.testing.assert_array_equal(modality.x_IF[101], modality.x_IF[1])
    np.testing.assert_array_equal(modality.x_IF[102], modality.x_IF[99])
    assert not modality.present_I[103]
    assert modality.present_I.sum() == 103


def test_an_attribute_that_warm_items_tell_nothing_of_is_left_out():
    attributes = Attributes(
        categorical={"sku": objects("abcdef"), "empty": objects([""] * 6)},
        numeric={"constant": np.full(6, 3.0), "missing": np.full(6, np.nan), "huge": np.array([-1e308, 1e308] * 3)},
    )
    assert AttributeEncoder.fit(attributes, attributes.names, EVERYONE, AttributesConfig()).names == ()


def test_cold_items_leave_no_trace_in_what_is_fitted(catalogue, changed_when_cold, is_warm_I):
    config = AttributesConfig()
    names = catalogue.attributes.names
    fitted = AttributeEncoder.fit(catalogue.attributes, names, is_warm_I, config)
    assert fitted == AttributeEncoder.fit(changed_when_cold.attributes, names, is_warm_I, config)
    everyone = np.ones(len(catalogue), dtype=bool)
    assert fitted != AttributeEncoder.fit(changed_when_cold.attributes, names, everyone, config)


def test_the_state_survives_json_and_encodes_new_items_alike(catalogue, is_warm_I):
    attributes = catalogue.attributes
    encoder = AttributeEncoder.fit(attributes, attributes.names, is_warm_I, AttributesConfig())
    again = AttributeEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    new = Attributes(
        categorical={"colour": objects(["red", "never seen"])}, numeric={"price": np.array([20.0, np.nan])}
    )
    encoded = again.encode(new, 2)
    assert encoded["colour"].x_IF[0, encoder.indicators["colour"].values.index("red")] == 1
    assert encoded["colour"].present_I.tolist() == [True, False]
    assert encoded["price"].present_I.tolist() == [True, False]
    assert encoded["tags"].num_present == 0  # the new items have no such column


def test_a_column_of_another_kind_is_refused_by_name(catalogue, is_warm_I):
    encoder = AttributeEncoder.fit(catalogue.attributes, ["price"], is_warm_I, AttributesConfig())
    with pytest.raises(GraphRecError, match=r"'price' was numeric .* categorical here"):
        encoder.encode(Attributes(categorical={"price": objects(["cheap"])}), 1)
