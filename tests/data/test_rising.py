import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.rising import is_among, with_rows, without_rows

sets = st.sets(st.integers(0, 20)).map(sorted).map(lambda rows: np.array(rows, dtype=np.int64))
lists = st.lists(st.integers(0, 20)).map(lambda rows: np.array(rows, dtype=np.int64))


@given(rising=sets, rows=lists)
def test_rising_rows_are_a_set(rising, rows):
    assert is_among(rows, rising).tolist() == [row in set(rising.tolist()) for row in rows.tolist()]
    assert with_rows(rising, rows).tolist() == sorted({*rising.tolist(), *rows.tolist()})
    assert without_rows(rising, rows).tolist() == sorted({*rising.tolist()} - {*rows.tolist()})


def test_rows_of_any_shape_are_looked_up():
    np.testing.assert_array_equal(
        is_among(np.array([[3, -1], [4, 9]]), np.array([3, 9])), [[True, False], [False, True]]
    )
