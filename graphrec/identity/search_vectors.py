"""Dense vectors whose inner products follow how alike two items' texts and attributes are, for FAISS to search.

Sparse rows are projected by a random sign matrix (Achlioptas 2003), not by a decomposition: that keeps the rare terms,
which tell products apart, as well as the frequent ones, and needs nothing fitted.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from graphrec.identity.profiles import Profiles

_DIM = 256
_DENSITY = 16
"""Each term has a sign in one out of so many directions."""
_ROWS = 20_000


def search_vectors(profiles: Profiles, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, (I, D) float32), one after the other: titles alone, and everything at once.

    An item without any of it has a zero row. Titles alone find what was described anew, everything finds what was
    named anew.
    """
    rng = np.random.default_rng(seed)
    titles = _projected(profiles.title_ngrams.unit_rows(), rng)
    if titles.any():
        yield "title", titles
    texts = _projected(sp.hstack([profiles.all_words.unit_rows(), profiles.values()], format="csr"), rng)
    dense = [modality.x_IF for modality in profiles.vectors.values()]
    # Titles weigh half as much as the rest here: they have had a search of their own.
    joined = np.concatenate([0.5 * titles, texts, *dense], axis=1) if dense else 0.5 * titles + texts
    joined /= np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), np.float32(1e-12))
    yield "everything", joined


def _projected(rows_IT: sp.csr_matrix, rng: np.random.Generator) -> np.ndarray:
    num_terms = rows_IT.shape[1]
    per_term = _DIM // _DENSITY
    direction_TN = rng.integers(_DIM, size=(num_terms, per_term))
    sign_TN = rng.choice(np.array([-1, 1], dtype=np.float32), size=(num_terms, per_term)) / np.sqrt(per_term)
    starts = np.arange(0, num_terms * per_term + 1, per_term)
    projection_TD = sp.csr_matrix((sign_TN.ravel(), direction_TN.ravel(), starts), shape=(num_terms, _DIM))
    x_ID = np.empty((rows_IT.shape[0], _DIM), dtype=np.float32)
    for start in range(0, len(x_ID), _ROWS):
        x_ID[start : start + _ROWS] = (rows_IT[start : start + _ROWS] @ projection_TD).toarray()
    return x_ID
