"""Factors for items that a fitted ALS of the library `implicit` has never seen, from graphrec's vectors of them.

ALS places an item by the users who touched it; one that nobody touched has no place (or a row of zeros). A ridge from
graphrec's vectors to the factors, learned on the items that have both, says where such an item would stand: what
Gantner et al. 2010 ("Learning attribute-to-feature mappings for cold-start recommendations") do from attributes. Users
stay as they are, and so do all items with factors of their own.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.linear_model import RidgeCV

from graphrec.baselines.implicit_als import require_als
from graphrec.errors import GraphRecError
from graphrec.evaluation.metrics import recall
from graphrec.evaluation.ranking import hits, rank_by_vectors
from graphrec.retrieval.embeddings import Embeddings

_PENALTIES = 10.0 ** np.arange(-6, 1.5, 0.5)
"""As multiples of the mean square of the vectors' components, summed over the items."""
_FEWEST = 10
_FACTORS = tuple(np.round(np.geomspace(0.5, 4, 43), 2).tolist())
"""Each 5 % above the last: an ALS that shrinks its factors much makes those of new items much shorter still."""


@dataclass(frozen=True)
class ExtendedALS:
    """A model that recommends new items too; row i of its item factors, which `recommend` names, is `item_ids[i]`."""

    model: Any
    """A copy of `implicit`'s AlternatingLeastSquares; the given one is as it was."""
    item_ids: np.ndarray
    """Object array (I,): the given ids first, in their order, then the items that the model did not have."""
    is_predicted_I: np.ndarray
    """Items whose factors come from their vectors."""
    explained: float
    """Share of the factors' variance that vectors explain of items left out in turn; 0: no better than the mean. The
    vectors of these items know who touched them, so that of new items somewhat less is."""

    def stretched(self, factor: float) -> "ExtendedALS":
        """The same with predicted factors so many times as long: new items move up or down, in the same order."""
        item_factors = self.model.item_factors.copy()
        item_factors[self.is_predicted_I] *= np.float32(factor)
        return replace(self, model=_with_item_factors(self.model, item_factors))


def add_cold_items(model: Any, item_ids: Sequence[str] | np.ndarray, vectors: Embeddings) -> ExtendedALS:
    """A copy of a fitted ALS in which every item of `vectors` has factors.

    `item_ids` names the rows of `model.item_factors`; `vectors` are the served ones of a run (`model.embeddings()`, or
    `read_export`), joined by id. Rows of zeros, which are what ALS makes of items without a user, are predicted; items
    that it has no row for are put behind. The ridge's penalty is chosen by leaving items out in turn. A user's factors,
    and those that `recalculate_user` gives, stay what they were: an item that is new to everybody is no dislike.

    Raises GraphRecError where `implicit` is missing or the model is not a fitted ALS on the CPU, ids do not fit its
    rows, or too few items have both factors and a vector to learn from.
    """
    item_ids = _checked_ids(model, item_ids)
    row_I = pd.Index(vectors.ids, dtype=object).get_indexer(pd.Index(item_ids, dtype=object))
    is_learned_I = model.item_factors.any(axis=1)
    both = np.flatnonzero(is_learned_I & (row_I >= 0))
    if len(both) < _FEWEST:
        raise GraphRecError(
            f"Only {len(both)} of the {is_learned_I.sum()} items with factors have a vector of the same id, at least "
            f"{_FEWEST} are needed: the model's ids look like {item_ids[0]!r}, the vectors' like {vectors.ids[0]!r}."
        )
    ridge, explained = _fit(vectors.vectors[row_I[both]], model.item_factors[both])
    added = np.setdiff1d(np.arange(len(vectors)), row_I)
    every_row = np.concatenate([row_I, added])
    is_predicted_I = np.concatenate([~is_learned_I, np.ones(len(added), dtype=bool)]) & (every_row >= 0)
    item_factors = np.zeros((len(every_row), model.item_factors.shape[1]), dtype=model.item_factors.dtype)
    item_factors[: len(item_ids)] = model.item_factors
    if is_predicted_I.any():
        item_factors[is_predicted_I] = ridge.predict(vectors.vectors[every_row[is_predicted_I]].astype(np.float64))
    return ExtendedALS(
        _with_item_factors(model, item_factors),
        np.concatenate([item_ids, vectors.ids[added]]),
        is_predicted_I,
        explained,
    )


def largest_stretch(
    extended: ExtendedALS,
    known_UI: sp.csr_matrix,
    held_out_UI: sp.csr_matrix,
    most_warm_loss: float = 0.03,
    k: int = 20,
) -> float:
    """The largest factor for `stretched` up to which none costs more than this share of the Recall@k of known items.

    `held_out_UI` are pairs of items with factors that the model was not fitted on, users × the model's items;
    `known_UI` what it was fitted on, which no list repeats. Compared with lists in which no predicted item competes;
    the smallest factor tried, 0.5, where even that costs more.
    """
    held_out_UI = _only(held_out_UI, ~extended.is_predicted_I)
    users = np.flatnonzero(np.diff(held_out_UI.indptr))
    known_UI = _wide(known_UI, len(extended.item_ids))

    def measured(factor: float | None) -> float:
        candidates = np.flatnonzero(~extended.is_predicted_I) if factor is None else np.arange(len(extended.item_ids))
        item_factors = extended.model.item_factors if factor is None else extended.stretched(factor).model.item_factors
        lists = rank_by_vectors(extended.model.user_factors[users], item_factors, candidates, known_UI[users], k)
        return float(np.nanmean(recall(*hits(lists, held_out_UI[users]), k)))

    least, best = (1 - most_warm_loss) * measured(None), _FACTORS[0]
    for factor in _FACTORS:
        if measured(factor) < least:
            break
        best = factor
    return best


def _checked_ids(model: Any, item_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    require_als(model)
    ids = np.array([str(one) for one in item_ids], dtype=object)
    if len(ids) != len(model.item_factors):
        raise GraphRecError(
            f"The model has factors of {len(model.item_factors)} items, but {len(ids)} ids were given: give one per "
            "row, in the order of the columns that it was fitted on."
        )
    if len(set(ids)) != len(ids):
        raise GraphRecError(f"Item id {pd.Index(ids)[pd.Index(ids).duplicated()][0]!r} was given twice.")
    return ids


def _fit(x_ND: np.ndarray, y_NF: np.ndarray) -> tuple[RidgeCV, float]:
    x_ND, y_NF = x_ND.astype(np.float64), y_NF.astype(np.float64)
    scale = float(np.square(x_ND - x_ND.mean(axis=0)).sum() / x_ND.shape[1])
    ridge = RidgeCV(alphas=_PENALTIES * max(scale, 1e-12)).fit(x_ND, y_NF)
    variance = float(np.square(y_NF - y_NF.mean(axis=0)).mean())
    return ridge, 1 + float(ridge.best_score_) / variance if variance else 0.0


def _with_item_factors(model: Any, item_factors: np.ndarray) -> Any:
    other = copy(model)
    other._YtY = other.YtY  # of the items that users could have touched
    other.item_factors, other._item_norms = item_factors, None
    return other


def _wide(matrix_UI: sp.csr_matrix, num_items: int) -> sp.csr_matrix:
    """The same entries, with room for items that were put behind."""
    return sp.csr_matrix((matrix_UI.data, matrix_UI.indices, matrix_UI.indptr), (matrix_UI.shape[0], num_items))


def _only(matrix_UI: sp.csr_matrix, is_kept_I: np.ndarray) -> sp.csr_matrix:
    kept = sp.csr_matrix(_wide(matrix_UI, len(is_kept_I)) @ sp.diags_array(is_kept_I.astype(np.float32)))
    kept.eliminate_zeros()
    return kept
