"""Words as vectors: TF-IDF cut to its main directions (latent semantic analysis, Deerwester et al. 1990)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, PositiveInt
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from graphrec.features.modality import Modality

_NOTHING_LEFT = 1e-6
"""A row of unit length whose projection is shorter than this has no part in the kept directions."""


class WordsConfig(BaseModel, extra="forbid", frozen=True):
    """How texts become word vectors."""

    max_dim: PositiveInt = 256
    """Directions kept; fewer where the vocabulary or the warm items are fewer."""
    min_df: PositiveInt = 2
    """A word counts when at least this many warm items use it."""
    seed: int = 0
    """Of the randomised decomposition."""


@dataclass(frozen=True)
class WordsEncoder:
    """Sublinear TF-IDF over V words, projected on F directions; everything is fitted on warm items only."""

    vocabulary: tuple[str, ...]
    idf_V: np.ndarray
    components_FV: np.ndarray

    @classmethod
    def fit(cls, text_I: np.ndarray, is_warm_I: np.ndarray, config: WordsConfig) -> Self | None:
        """Learn from the warm items' texts; None where no word is used by `min_df` of them."""
        warm_texts = [text for text in text_I[is_warm_I] if text.strip()]
        vectorizer = _vectorizer(min_df=config.min_df)
        if len(warm_texts) < config.min_df or not _has_words(vectorizer, warm_texts, config.min_df):
            return None
        tfidf_WV = vectorizer.fit_transform(warm_texts)
        num_dim = min(config.max_dim, *tfidf_WV.shape)
        with np.errstate(invalid="ignore"):  # its share of explained variance is 0 / 0 where all texts are alike
            svd = TruncatedSVD(num_dim, random_state=config.seed).fit(tfidf_WV)
        return cls(
            vocabulary=tuple(vectorizer.get_feature_names_out().tolist()),
            idf_V=vectorizer.idf_.astype(np.float32),
            components_FV=svd.components_.astype(np.float32),
        )

    def encode(self, text_I: np.ndarray) -> Modality:
        """A text without any known word, or with none in the kept directions, is absent."""
        tfidf_IV = self._restored_vectorizer().transform(text_I)
        x_IF = np.asarray(tfidf_IV @ self.components_FV.T, dtype=np.float32)
        present_I = np.linalg.norm(x_IF, axis=1) > _NOTHING_LEFT
        x_IF[~present_I] = 0.0
        return Modality(x_IF, present_I)

    def tensors(self) -> dict[str, np.ndarray]:
        """The numbers of the fitted state; the vocabulary is the rest."""
        return {"idf": self.idf_V, "components": self.components_FV}

    @classmethod
    def from_tensors(cls, vocabulary: list[str], tensors: dict[str, np.ndarray]) -> Self:
        """The encoder with these numbers; raises ValueError where they do not fit the vocabulary."""
        idf_V, components_FV = tensors["idf"], tensors["components"]
        if idf_V.shape != (len(vocabulary),) or components_FV.shape[1:] != idf_V.shape:
            raise ValueError(f"Expected numbers for {len(vocabulary)} words, got {idf_V.shape}, {components_FV.shape}.")
        return cls(tuple(vocabulary), idf_V, components_FV)

    def _restored_vectorizer(self) -> TfidfVectorizer:
        vectorizer = _vectorizer(vocabulary=self.vocabulary)
        vectorizer.idf_ = self.idf_V
        return vectorizer


def _vectorizer(**settings: Any) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, stop_words="english", dtype=np.float32, **settings)


def _has_words(vectorizer: TfidfVectorizer, texts: list[str], min_df: int) -> bool:
    # sklearn raises where nothing is left; asking first keeps its other errors visible.
    analyse = vectorizer.build_analyzer()
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(analyse(text)):
            counts[word] = counts.get(word, 0) + 1
            if counts[word] >= min_df:
                return True
    return False
