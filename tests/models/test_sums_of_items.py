import numpy as np
import scipy.sparse as sp

from graphrec.data.patched import Patched
from graphrec.models.raw_block import sum_of_items, sum_of_lists


def test_sums_of_lists_are_those_of_a_matrix_bit_for_bit():
    rng = np.random.default_rng(0)
    vectors_IR = rng.normal(size=(300, 33)).astype(np.float32)
    lists = [np.sort(rng.choice(300, size, replace=False)) for size in (1, 0, 7, 150, 299)]
    indptr = np.cumsum([0, *map(len, lists)])
    matrix = sp.csr_matrix((np.full(indptr[-1], 4, np.float32), np.concatenate(lists), indptr), (5, 300))
    expected = sum_of_items(matrix, vectors_IR)
    np.testing.assert_array_equal(sum_of_lists(lists, vectors_IR), expected)
    np.testing.assert_array_equal(sum_of_lists(lists, Patched(vectors_IR)), expected)
    assert not expected[1].any()
