"""A scikit-learn transformer: item or user ids in, vectors out."""

from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from graphrec.data.vector_files.exported import is_export
from graphrec.errors import GraphRecError
from graphrec.export.reading import read_export
from graphrec.recommender import Recommender
from graphrec.retrieval.embeddings import Embeddings

Kind = Literal["item", "content", "user"]
Unknown = Literal["error", "zero"]


class EmbeddingTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Looks the vectors of ids up, so that a pipeline can begin with a column of ids.

    `source` is a run folder, a folder that `graphrec export` wrote, or `Embeddings`; folders are read by `fit`. `kind`:
    "item" for served vectors, "user" for queries, "content" (of a run alone) for what an item's own features say. An
    id that has no vector is an error, or with `unknown="zero"` a row of zeros.

    Nothing is learned from what `fit` is given, and nothing but the vectors is kept.
    """

    embeddings_: Embeddings

    def __init__(self, source: str | Path | Embeddings, *, kind: Kind = "item", unknown: Unknown = "error") -> None:
        self.source = source
        self.kind = kind
        self.unknown = unknown

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Read the vectors. Raises GraphRecError where a setting or the folder is wrong."""
        for name, allowed in (("kind", get_args(Kind)), ("unknown", get_args(Unknown))):
            if getattr(self, name) not in allowed:
                raise GraphRecError(f"Expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)!r}.")
        self.embeddings_ = _read(self.source, self.kind)
        self._index = pd.Index(self.embeddings_.ids, dtype=object)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """float32 (N, D) for N ids: a list, an array (N,) or (N, 1), a Series, or a DataFrame of one column.

        Raises GraphRecError where ids are no strings, or one is unknown and `unknown` is "error".
        """
        check_is_fitted(self, "embeddings_")
        ids = _ids(X)
        row_N = self._index.get_indexer(pd.Index(ids, dtype=object))
        is_unknown_N = row_N < 0
        if self.unknown == "error" and is_unknown_N.any():
            raise GraphRecError(
                f"No vector for {is_unknown_N.sum()} of {len(ids)} ids, such as {ids[np.argmax(is_unknown_N)]!r}: "
                'leave them out, or set unknown="zero".'
            )
        vectors_ND = np.zeros((len(ids), self.embeddings_.dim), dtype=np.float32)
        vectors_ND[~is_unknown_N] = self.embeddings_.vectors[row_N[~is_unknown_N]]
        return vectors_ND

    @property
    def _n_features_out(self) -> int:
        return self.embeddings_.dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def _read(source: str | Path | Embeddings, kind: Kind) -> Embeddings:
    if isinstance(source, Embeddings):
        return source
    if not is_export(Path(source)):
        return Recommender.load(source).embeddings(kind)
    if kind == "content":
        raise GraphRecError(f"{source} is an export, which holds served vectors: name the run for content vectors.")
    return read_export(source, kind)


def _ids(X: Any) -> np.ndarray:
    """Object array (N,); what stands for a missing id matches none."""
    ids = np.asarray(X, dtype=object)
    ids = ids[:, 0] if ids.ndim == 2 and ids.shape[1] == 1 else ids
    if ids.ndim != 1:
        raise GraphRecError(f"Expected one column of ids, got an array of shape {ids.shape}.")
    wrong = next((one for one in ids if not isinstance(one, str) and not pd.isna(one)), None)
    if wrong is not None:
        raise GraphRecError(
            f"Expected ids as strings, got {wrong!r} ({type(wrong).__name__}): read the column as text, with the zeros "
            "that an id begins with."
        )
    return ids
