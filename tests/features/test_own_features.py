import numpy as np
import pytest

from graphrec.data.dataset import OwnVectors
from graphrec.errors import GraphRecError
from graphrec.features.own import join_own_vectors


def test_vectors_are_joined_by_id_and_never_by_position(catalogue, shuffled_vectors):
    modality, num_strangers = join_own_vectors("image", shuffled_vectors, catalogue)
    vector_of = dict(zip(shuffled_vectors.ids, shuffled_vectors.x_RF, strict=True))
    for item, item_id in enumerate(catalogue.item_ids):
        assert modality.present_I[item] == (item_id in vector_of)
        np.testing.assert_array_equal(modality.x_IF[item], vector_of.get(item_id, np.zeros(6)))
    assert modality.num_present == 43
    assert num_strangers == 1


def test_vectors_of_other_items_are_refused_with_an_example_of_both(catalogue):
    vectors = OwnVectors(ids=np.array(["17", "18"], dtype=object), x_RF=np.ones((2, 3), np.float32))
    with pytest.raises(GraphRecError, match=f"look like '17', the items' like '{catalogue.item_ids[0]}'"):
        join_own_vectors("image", vectors, catalogue)
