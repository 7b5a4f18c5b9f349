"""The fitted model as it serves now: immutable, so that whoever reads one sees no half of a change.

What was fitted stays as it was fitted: weights, heads, scales, the system of the fold-in. What moves is what a change
touches: the encoding of users who did something, and of the items that they have; degrees, popularity and vectors of
those items. So a state is that of an item by item rebuild on everything that is known now, with the same fitted parts.

Shapes: I items, U users, L layers, D dimensions of the encoder, R of the raw block, W of a served vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from graphrec.data.filters import Filters
from graphrec.data.patched import Patched
from graphrec.data.rising import is_among
from graphrec.graph.patched_matrix import PatchedMatrix
from graphrec.graph.site_view import SiteView
from graphrec.living.ids import Ids
from graphrec.living.live_clip import LiveClip
from graphrec.living.live_items import LiveItems
from graphrec.models.fallback import sources
from graphrec.models.graph_model import GraphModel
from graphrec.models.parts import mixed_queries
from graphrec.models.raw_block import sum_of_lists
from graphrec.retrieval.live_index import LiveIndex


@dataclass(frozen=True)
class LiveState:
    """Everything that answers; see `living.settle` for how it moves."""

    model: GraphModel
    view: SiteView
    target_site: str | None
    items: LiveItems
    users: Ids
    degree: Patched
    """Users on the site, (I,)."""
    degree_elsewhere: Patched
    states: tuple[Patched, ...]
    """What each layer reads of the items, L of (I, D)."""
    z: Patched
    """(I, D)."""
    moment: Patched
    """By how much what an item's users add up to has changed since training, float64 (I, D)."""
    unseen: Patched
    """As served without an edge on the site, (I, W); c, for all that arrived."""
    raw: Patched
    """(I, R)."""
    q: Patched
    """(U, D); zero for those who never did anything."""
    seen: PatchedMatrix
    """Users × items as nodes, of all sites."""
    own: PatchedMatrix
    """Users × items of the own log; without a target site `seen` itself."""
    takers: PatchedMatrix
    """Items × users: `seen` from the other side."""
    index: LiveIndex
    clip: LiveClip | None

    def source(self, items: np.ndarray) -> np.ndarray:
        """The `Source` of each of these items' vectors, as strings."""
        return sources(self.degree[items], self.model.choices.half_degree, self.degree_elsewhere[items])

    def indices(self, ids: Sequence[str], asked: str) -> np.ndarray:
        """See `LiveItems.indices`."""
        return self.items.indices(ids, asked)

    def eligible(self, filters: Filters) -> np.ndarray:
        """Items that may be returned and meet these conditions, rising."""
        found = self.items.eligible(filters, self.degree)
        return np.setdiff1d(np.arange(len(self.items)), self.items.removed) if found is None else found

    def content(self, items: np.ndarray) -> np.ndarray:
        """c of these items, (N, W): from their own features and nothing else."""
        content_NW = self.unseen[items]
        trained = np.flatnonzero((items < len(self.model.content_ID)) & ~np.isin(items, self.unseen.rows))
        content_NW[trained] = self.model.content_ID[items[trained]]
        return content_NW

    def popularity(self, items: np.ndarray) -> np.ndarray:
        """The popularity term of these items, as it is served, float32 (N,)."""
        vectors = self.index.vectors_ID
        popularity_N = np.empty(len(items), dtype=np.float32)
        is_moved_N = is_among(items, vectors.rows)
        popularity_N[~is_moved_N] = vectors.base[items[~is_moved_N], -1]
        popularity_N[is_moved_N] = vectors[items[is_moved_N]][:, -1]
        return popularity_N

    def most_popular(self, k: int) -> np.ndarray:
        """At least k items that may be returned, where there are as many, and none that is left out is more popular.

        The order of the training is walked down as far as needed, however large the catalogue.
        """
        moved, removed = self.index.vectors_ID.rows, self.items.removed
        first = self.model.by_popularity[: k + len(moved) + len(removed)]
        either = np.concatenate([first[~is_among(first, moved)], moved])
        return either[~is_among(either, removed)]

    def nodes(self, items: np.ndarray) -> np.ndarray:
        """The items at which edges end: those of other sites at the item that stands for them."""
        node_I = self.view.node_I
        return np.where(items < len(node_I), node_I[np.minimum(items, len(node_I) - 1)], items)

    def queries(self, users: np.ndarray, popularity: bool = True) -> np.ndarray:
        """What is searched with for these users, (B, W) float32."""
        return self.queries_of(self.q[users], self.seen.columns(users), popularity)

    def queries_of(
        self,
        q_BD: np.ndarray,
        items: Sequence[np.ndarray],
        popularity: bool = True,
        more_raw_BR: np.ndarray | None = None,
    ) -> np.ndarray:
        """The same for users of these encodings and items, a list each.

        `more_raw_BR` are sums of the raw vectors of further items, which are not in the catalogue.
        """
        model, sum_BR = self.model, sum_of_lists(items, self.raw)
        sum_BR = sum_BR if more_raw_BR is None else sum_BR + more_raw_BR
        return mixed_queries(q_BD, sum_BR, model.scale, model.raw_scale, model.choices.mixture, popularity)

    def without_items(self, items: np.ndarray) -> Self:
        """With these removed: nothing returns them; what people did with them still tells of these people."""
        known = self.items.without(items)
        clip = None if self.clip is None else self.clip.without(known.removed)
        return replace(self, items=known, index=self.index.without(known.removed), clip=clip)


def live_state(
    model: GraphModel,
    view: SiteView,
    target_site: str | None,
    items: LiveItems,
    users: Ids,
    index: LiveIndex,
    clip: LiveClip | None,
) -> LiveState:
    """As training left it."""
    num_items, dim = len(items), model.encoded.z_ID.shape[1]
    seen = PatchedMatrix.of(view.matrix_UI)
    return LiveState(
        model=model,
        view=view,
        target_site=target_site,
        items=items,
        users=users,
        degree=Patched(model.degree_I),
        degree_elsewhere=Patched(model.degree_elsewhere_I),
        states=tuple(Patched(states_ID) for states_ID in model.encoded.states_LID),
        z=Patched(model.encoded.z_ID),
        moment=Patched(np.broadcast_to(np.zeros(dim), (num_items, dim))),
        unseen=Patched(model.unseen_ID),
        raw=Patched(model.graph_ID[:, dim:-1]),
        q=Patched(model.encoded.q_UD),
        seen=seen,
        own=seen if target_site is None else PatchedMatrix.of(view.own_UI),
        takers=PatchedMatrix.of(view.takers_IU),
        index=index,
        clip=clip,
    )
