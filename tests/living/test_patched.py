"""Arrays and matrices that take patches, against plain NumPy and a dict; what was there before a patch stays."""

import gc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data import patched as patching
from graphrec.data.patched import Patched
from graphrec.graph.patched_matrix import PatchedMatrix

PATCHES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 4)), max_size=12)
"""(seed, rows replaced, rows added) each."""


@pytest.fixture(scope="module", params=["tidy", "lazy"], autouse=True)
def tidiness(request):
    """Small arrays tidied up as large ones are, and not at all."""
    before, patching._FEW = patching._FEW, {"tidy": 0, "lazy": 64}[request.param]
    yield
    patching._FEW = before


def patched_like(array, patches):
    """Every state on the way, with the plain array that it should be."""
    states = [(Patched(array), array.copy())]
    for seed, num_replaced, num_added in patches:
        rng = np.random.default_rng(seed)
        patched, plain = states[rng.integers(len(states))]  # any of them, not only the newest: states may fork
        rows = rng.choice(len(plain), min(num_replaced, len(plain)), replace=False)
        rows = rng.permutation(np.concatenate([rows, len(plain) + np.arange(num_added)])).astype(np.int64)
        values = rng.integers(100, size=(len(rows), *array.shape[1:])).astype(array.dtype)
        later = np.concatenate([plain, np.zeros((num_added, *array.shape[1:]), array.dtype)])
        later[rows] = values
        states.append((patched.with_rows(rows, values), later))
    return states


@pytest.mark.parametrize("shape", [(7,), (7, 3), (0, 2)])
@settings(max_examples=60, deadline=None)
@given(patches=PATCHES, seed=st.integers(0, 99))
def test_a_patched_array_reads_like_a_copy_and_never_changes(shape, patches, seed):
    base = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    kept = base.copy()
    rng = np.random.default_rng(seed)
    for patched, plain in patched_like(base, patches):
        assert (len(patched), patched.shape, patched.dtype) == (len(plain), plain.shape, plain.dtype)
        np.testing.assert_array_equal(patched.full(), plain)
        np.testing.assert_array_equal(np.asarray(patched), plain)
        if len(plain):
            rows = rng.integers(len(plain), size=(2, 5))
            np.testing.assert_array_equal(patched[rows], plain[rows])
            np.testing.assert_array_equal(patched[int(rows[0, 0])], plain[rows[0, 0]])
        mask = rng.random(len(plain)) < 0.5
        np.testing.assert_array_equal(patched[mask], plain[mask])
        np.testing.assert_array_equal(patched[np.empty(0, dtype=np.int64)], plain[:0])
    np.testing.assert_array_equal(base, kept)


def test_rows_cannot_be_added_with_a_gap():
    with pytest.raises(ValueError, match="Expected all rows from 3 to 5"):
        Patched(np.zeros(3)).with_rows(np.array([4]), np.ones(1))


def test_what_is_patched_again_and_again_does_not_pile_up():
    patched = Patched(np.zeros((4, 1000), dtype=np.float32))
    for number in range(5_000):
        patched = patched.with_rows(np.array([number % 3]), np.full((1, 1000), number))
    held = [one for one in gc.get_objects() if type(one).__name__ == "_Store" and one.values.shape[1:] == (1000,)]
    assert sum(one.values.nbytes for one in held) < 2**23  # 3 rows of 4,000 bytes; 20 MB had every one been kept
    np.testing.assert_array_equal(patched.full()[:, 0], [4998, 4999, 4997, 0])


def as_dict(matrix):
    table = matrix.tocoo()
    return dict(zip(zip(table.row.tolist(), table.col.tolist(), strict=True), table.data.tolist(), strict=True))


def dense(held, shape):
    full = np.zeros(shape, dtype=np.float32)
    for place, weight in held.items():
        full[place] = weight
    return full


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_steps=st.integers(0, 8))
def test_a_patched_matrix_reads_like_a_dict_of_pairs_and_never_changes(seed, num_steps):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 8)), int(rng.integers(1, 6)))
    base = sp.csr_matrix(rng.integers(0, 3, shape).astype(np.float32))
    states = [(PatchedMatrix.of(base), as_dict(base), shape)]
    for _ in range(num_steps):
        patched, held, (num_rows, num_columns) = states[rng.integers(len(states))]
        shape = (num_rows + int(rng.integers(3)), num_columns + int(rng.integers(3)))
        count = int(rng.integers(0, 10))
        row_E, column_E = rng.integers(shape[0], size=count), rng.integers(shape[1], size=count)
        weight_E = rng.integers(1, 5, size=count).astype(np.float32)
        later = dict(held)
        for row, column, weight in zip(row_E.tolist(), column_E.tolist(), weight_E.tolist(), strict=True):
            later[row, column] = later.get((row, column), 0) + weight
        states.append((patched.with_pairs(row_E, column_E, weight_E, *shape), later, shape))
    for patched, held, shape in states:
        full = dense(held, shape)
        assert (patched.num_rows, patched.num_columns) == shape
        for row in range(shape[0]):
            columns, weights = patched.row(row)
            assert columns.tolist() == sorted(column for one, column in held if one == row)
            np.testing.assert_array_equal(weights, full[row, columns])
        rows = rng.integers(shape[0], size=7)
        taken = patched.take(rows)
        assert taken.has_canonical_format
        np.testing.assert_array_equal(taken.toarray(), full[rows])


def test_a_row_that_grows_one_by_one_is_kept_once():
    matrix = PatchedMatrix.of(sp.csr_matrix((2, 1), dtype=np.float32))
    for column in range(2_000):
        matrix = matrix.with_pairs(np.array([1]), np.array([column]), np.ones(1), 2, column + 1)
    assert len(matrix.row(1)[0]) == 2_000
    assert len(matrix.changed.rows) == 1
