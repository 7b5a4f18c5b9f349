"""How much two items' sets of terms have in common, rare terms counting more."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

_PAIRS = 200_000  # compared at a time


@dataclass(frozen=True)
class WeightedSets:
    """I sets over T terms: `root_IT` (CSR float32) holds the square root of each member's weight, so that the product
    of two rows is the weight of what they share."""

    root_IT: sp.csr_matrix
    total_I: np.ndarray
    """Weight of each whole set; 0 where it is empty."""

    @classmethod
    def of(cls, texts: Iterable[str], analyzer: str | Callable[[str], list[str]], ngrams: tuple[int, int]) -> Self:
        """The terms of each text, weighted by log(I / number of texts that have the term) + 0.1.

        `analyzer` and `ngrams` as in sklearn's CountVectorizer. A term that all texts have weighs next to nothing, as
        stop words should, whatever the language.
        """
        texts = list(texts)
        counter = CountVectorizer(analyzer=analyzer, ngram_range=ngrams, binary=True, dtype=np.float32, lowercase=False)
        try:
            member_IT = counter.fit_transform(texts).tocsr()
        except ValueError:  # all that sklearn raises: no text has any term
            return cls(sp.csr_matrix((len(texts), 1), dtype=np.float32), np.zeros(len(texts), dtype=np.float32))
        weight_T = np.log(len(texts) / np.asarray(member_IT.sum(axis=0)).ravel()) + 0.1
        root_IT = (member_IT @ sp.diags(np.sqrt(weight_T).astype(np.float32))).tocsr()
        return cls(root_IT, np.asarray(member_IT @ weight_T, dtype=np.float32))

    def overlap(self, left_P: np.ndarray, right_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P,) each: weight shared by both over that of their union (Jaccard), and over that of the lighter set.

        nan where a set is empty.
        """
        shared_P = _in_parts(_shared_weight, self.root_IT, left_P, right_P)
        left_total_P, right_total_P = self.total_I[left_P], self.total_I[right_P]
        lighter_P = np.minimum(left_total_P, right_total_P)
        with np.errstate(invalid="ignore", divide="ignore"):
            jaccard_P = np.where(lighter_P > 0, shared_P / (left_total_P + right_total_P - shared_P), np.nan)
            contained_P = np.where(lighter_P > 0, shared_P / lighter_P, np.nan)
        return jaccard_P.astype(np.float32), contained_P.astype(np.float32)

    def rarest(self, left_P: np.ndarray, right_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P,) each: weight of the rarest term that both have, and that each has without the other (the lesser of two).

        Of terms that at least two sets have; 0 where there is none, nan where a set is empty. Two products that have a
        rare name each, but not the same one, are hardly one.
        """
        is_lone_T = np.asarray((self.root_IT > 0).sum(axis=0)).ravel() < 2
        root_IT = (self.root_IT @ sp.diags((~is_lone_T).astype(np.float32))).tocsr()
        root_IT.eliminate_zeros()
        shared_P = _in_parts(_heaviest_shared, root_IT, left_P, right_P)
        unshared_P = _in_parts(_heaviest_unshared, root_IT, left_P, right_P)
        is_empty_P = (self.total_I[left_P] == 0) | (self.total_I[right_P] == 0)
        nan = np.float32(np.nan)
        return np.where(is_empty_P, nan, shared_P), np.where(is_empty_P, nan, unshared_P)

    def unit_rows(self) -> sp.csr_matrix:
        """The rows at length 1 (CSR float32): their products are the cosines of the weighted sets."""
        length_I = np.sqrt(np.maximum(self.total_I, np.finfo(np.float32).tiny))
        return (sp.diags((1 / length_I).astype(np.float32)) @ self.root_IT).tocsr()


def words_of(text: str) -> list[str]:
    """What stands between the spaces."""
    return text.split()


def _in_parts(
    compare: Callable[[sp.csr_matrix, sp.csr_matrix], np.ndarray],
    root_IT: sp.csr_matrix,
    left_P: np.ndarray,
    right_P: np.ndarray,
) -> np.ndarray:
    """(P,) float32, rows of so many pairs in memory at a time."""
    result_P = np.empty(len(left_P), dtype=np.float32)
    for start in range(0, len(left_P), _PAIRS):
        part = slice(start, start + _PAIRS)
        result_P[part] = compare(root_IT[left_P[part]], root_IT[right_P[part]])
    return result_P


def _shared_weight(left_pT: sp.csr_matrix, right_pT: sp.csr_matrix) -> np.ndarray:
    return np.asarray(left_pT.multiply(right_pT).sum(axis=1)).ravel()


def _heaviest_shared(left_pT: sp.csr_matrix, right_pT: sp.csr_matrix) -> np.ndarray:
    return _row_maxima(left_pT.multiply(right_pT))


def _heaviest_unshared(left_pT: sp.csr_matrix, right_pT: sp.csr_matrix) -> np.ndarray:
    only_left, only_right = left_pT - left_pT.multiply(right_pT > 0), right_pT - right_pT.multiply(left_pT > 0)
    return np.minimum(_row_maxima(only_left), _row_maxima(only_right)) ** 2


def _row_maxima(rows_pT: sp.csr_matrix) -> np.ndarray:
    return rows_pT.tocsr().max(axis=1).toarray().ravel()
