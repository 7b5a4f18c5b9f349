"""From what was asked to a ranked list: parts of a query, weights, two stages, filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graphrec.data.filters import NO_FILTERS, Filters
from graphrec.errors import GraphRecError
from graphrec.retrieval.clip_space import Part
from graphrec.retrieval.pair_weights import KINDS, PairWeights, parse_shares
from graphrec.retrieval.two_stage import Index, Ranked, two_stage_search
from graphrec.search.clip_index import ClipIndex
from graphrec.search.config import SearchConfig
from graphrec.search.query import Rerank, SearchQuery, Weights
from graphrec.search.query_encoder import QueryEncoder


@dataclass(frozen=True)
class SearchResult:
    """The answer, best first, and why."""

    items_K: np.ndarray
    """Item indices, int64."""
    scores_K: np.ndarray
    """Weighted sums of scores, float32; nan for an item without picture and text."""
    route_K: np.ndarray
    """What each item has: "both", "image", "text", or "neither"."""
    share_K: dict[str, np.ndarray]
    """"image" and "text" → the part of the score that comes from the item's picture or text."""


class SearchedItems(Protocol):
    """The catalogue that is searched."""

    def indices(self, ids: Sequence[str], asked: str, /) -> np.ndarray:
        """Of these ids; raises GraphRecError for an unknown one, `asked` says where it stood."""

    def eligible(self, filters: Filters, /) -> np.ndarray:
        """Items that may be found and meet the conditions, rising."""


class Searcher:
    """Searches one catalogue."""

    def __init__(
        self, clip: ClipIndex, index: Index, items: SearchedItems, config: SearchConfig, encoder: QueryEncoder
    ) -> None:
        """`index` is over the rows of the clip's space."""
        self._clip = clip
        self._index = index
        self._items = items
        self._config = config
        self._base = clip.learned or PairWeights.default()
        self._encoder = encoder

    def search(
        self,
        query: SearchQuery,
        k: int,
        weights: Weights = None,
        rerank: Rerank = None,
        filters: Filters = NO_FILTERS,
    ) -> SearchResult:
        """The k best eligible items; fewer only where fewer are eligible.

        An item without picture and text stands at the end of the list, in the catalogue's order, and only where
        nothing else is left.
        """
        if rerank not in (None, "none") and not (isinstance(rerank, int) and rerank > 0):
            raise GraphRecError(f"Expected rerank to be a number of candidates of at least 1, or none, got {rerank!r}.")
        asked = self._items.indices(query.items, "--items")
        eligible = np.setdiff1d(self._items.eligible(filters), asked)
        final = self._weights(query, weights)  # before anything is encoded: a mistake should not wait for a model
        parts = self._parts(query, asked)
        first_E = self._clip.space.query(parts, self._base.balanced())
        final_E = first_E if final is None else self._clip.space.query(parts, final)
        is_single = final is None or rerank == "none"
        num_candidates = max(10 * k, self._config.candidates) if rerank is None or rerank == "none" else rerank
        is_scored = self._clip.space.route(eligible) != "neither"
        ranked = two_stage_search(
            self._index,
            final_E if is_single else first_E,
            None if is_single else final_E,
            k,
            num_candidates,
            eligible[is_scored],
        )
        return self._result(ranked, final_E, eligible[~is_scored][: k - len(ranked.items_K)])

    def _weights(self, query: SearchQuery, weights: Weights) -> PairWeights | None:
        """What the final order weighs with; None where it weighs everything alike, as the first stage does."""
        if weights == "learned":
            if self._clip.learned is None:
                raise GraphRecError(
                    "This run has no learned weights (pictures and texts are of different CLIPs, too few items have a "
                    "title and a picture, or search.fit_items is 0): use --weights text=0.9,image=0.1 or equal."
                )
            return self._clip.learned
        if weights is None and query.texts and query.images and not query.but:
            if self._clip.learned is not None:
                return self._clip.learned
            weights = {"text": self._config.text_share, "image": 1 - self._config.text_share}
        if weights is None or weights == "equal":
            return None
        if not isinstance(weights, str):
            weights = ",".join(f"{kind}={share}" for kind, share in weights.items())
        share = parse_shares(weights)
        given = {"text": query.texts or query.items, "image": query.images or query.items}
        if not any(share.get(kind) for kind, asked in given.items() if asked):
            kinds = " and ".join({"text": "text", "image": "picture"}[kind] for kind, asked in given.items() if asked)
            raise GraphRecError(f"Weights {weights!r} leave nothing for the {kinds} that you ask for: give it a share.")
        return self._base.with_shares(share)

    def _parts(self, query: SearchQuery, asked: np.ndarray) -> list[Part]:
        vectors = {"image": list(self._encoder.pictures(query.images)), "text": list(self._encoder.texts(query.texts))}
        for item, item_id in zip(asked, query.items, strict=True):
            own = {kind: self._clip.space.item_vector(int(item), kind) for kind in KINDS}
            if all(vector_D is None for vector_D in own.values()):
                raise GraphRecError(f"Item {item_id!r} has no usable picture and no text: nothing can be like it.")
            for kind, vector_D in own.items():
                vectors[kind] += [] if vector_D is None else [vector_D]
        parts = [Part(kind, np.mean(vectors[kind], axis=0)) for kind in KINDS if vectors[kind]]
        if query.but or query.without:
            strength = self._config.but_strength * len(parts)
            parts.append(Part("text", self._direction(query), strength, is_direction=True))
        return parts

    def _direction(self, query: SearchQuery) -> np.ndarray:
        """From what there should be less of to what there should be more of, (D,).

        Where one of the two is not named, the average text of the catalogue stands for it.
        """
        named = [self._encoder.texts(texts) for texts in (query.but, query.without)]  # refuses where no CLIP is known
        blocks = self._clip.space.blocks
        nothing_1D = blocks["text"].mean_D[None] if "text" in blocks else np.zeros((1, self._clip.dims["text"]))
        more, less = (x_ND if len(x_ND) else nothing_1D for x_ND in named)
        return more.mean(axis=0) - less.mean(axis=0)

    def _result(self, ranked: Ranked, query_E: np.ndarray, unscored: np.ndarray) -> SearchResult:
        space = self._clip.space
        items_K = np.concatenate([ranked.items_K, unscored])
        scores_K = np.concatenate([ranked.scores_K, np.full(len(unscored), np.nan, dtype=np.float32)])
        return SearchResult(items_K, scores_K, space.route(items_K), space.shares(query_E, items_K))
