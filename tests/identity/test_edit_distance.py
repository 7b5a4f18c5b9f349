import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.identity.edit_distance import edit_similarity


def edits(one, other):
    """The table of optimal string alignment, cell by cell; its last row says what each beginning of `other` costs."""
    table = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            here = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (one[i - 1] != other[j - 1]))
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                here = min(here, table[i - 2][j - 2] + 1)
            table[i][j] = here
    return table[-1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text("abc é", max_size=12), st.text("abc é", max_size=12)), min_size=1, max_size=8))
def test_similarity_is_that_of_the_plain_table(pairs):
    titles = np.array([title for pair in pairs for title in pair], dtype=object)
    left, right = np.arange(0, len(titles), 2), np.arange(1, len(titles), 2)
    whole, head = edit_similarity(titles, left, right)
    for (one, other), is_whole, is_head in zip(pairs, whole, head, strict=True):
        short, long = sorted((one, other), key=len)
        if not short:
            assert np.isnan(is_whole)
            assert np.isnan(is_head)
        else:
            # Of two titles as long as each other, which one is cut is decided by their order.
            short, long = (one, other) if len(one) == len(other) else (short, long)
            assert is_whole == pytest.approx(1 - edits(short, long)[-1] / len(long), abs=1e-6)
            assert is_head == pytest.approx(1 - min(edits(short, long)) / len(short), abs=1e-6)


def test_a_dropped_subtitle_costs_nothing_at_the_beginning():
    whole, head = edit_similarity(np.array(["star wars", "star wars a new hope"], object), np.r_[0], np.r_[1])
    assert whole[0] == pytest.approx(9 / 20)
    assert head[0] == 1


def test_two_swapped_letters_are_one_edit():
    whole, _ = edit_similarity(np.array(["dracula", "darcula"], object), np.r_[0], np.r_[1])
    assert whole[0] == pytest.approx(6 / 7)
