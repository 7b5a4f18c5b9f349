import numpy as np
import pytest

from graphrec.retrieval.embeddings import Embeddings


def column(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


GOOD = {
    "ids": column(["007", "b", "c"]),
    "vectors": np.ones((3, 5), np.float32),
    "degree": np.array([0, 2, 1]),
    "source": column(["content", "graph", "blend"]),
}


def test_embeddings_know_their_size():
    assert (len(Embeddings(**GOOD)), Embeddings(**GOOD).dim) == (3, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": column(["a", "b"])}, "each of 3 vectors"),
        ({"ids": column(["a", "b", "a"])}, "every one once"),
        ({"ids": column(["a", "b", 7])}, "strings"),
        ({"vectors": np.ones((3, 5))}, "float32"),
        ({"vectors": np.full((3, 5), np.nan, np.float32)}, "finite"),
        ({"degree": np.array([0, -1, 1])}, "at least 0"),
        ({"source": column(["content", "graph", "magic"])}, "magic"),
    ],
)
def test_embeddings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Embeddings(**(GOOD | change))
