"""Items that a user has not touched, drawn uniformly: the negatives of pairwise and binary losses."""

import numpy as np
import scipy.sparse as sp

_REDRAWS = 10


class NegativeSampler:
    """Draws among `items` (those with an edge: a cold item is never a negative)."""

    def __init__(self, matrix_UI: sp.csr_matrix, items: np.ndarray, rng: np.random.Generator) -> None:
        self.num_items = matrix_UI.shape[1]
        user_P = np.repeat(np.arange(matrix_UI.shape[0]), np.diff(matrix_UI.indptr))
        self.key_P = np.sort(user_P * self.num_items + matrix_UI.indices)
        self.items = items
        self.rng = rng

    def draw(self, user_N: np.ndarray) -> np.ndarray:
        """(N,): one item for each user of the list that this user has not touched.

        A touched one is drawn again, at most ten times: a user who touched nearly everything may keep one.
        """
        item_N = self.rng.choice(self.items, len(user_N))
        for _ in range(_REDRAWS):
            touched = np.flatnonzero(self._is_touched(user_N, item_N))
            if not len(touched):
                break
            item_N[touched] = self.rng.choice(self.items, len(touched))
        return item_N

    def _is_touched(self, user_N: np.ndarray, item_N: np.ndarray) -> np.ndarray:
        key_N = user_N * self.num_items + item_N
        place_N = np.minimum(np.searchsorted(self.key_P, key_N), len(self.key_P) - 1)
        return self.key_P[place_N] == key_N
