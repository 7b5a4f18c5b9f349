"""The data as one site sees them: its own log, and what people did on other sites with products that it sells too."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.graph.interaction_graph import InteractionGraph

MERGED_FROM = 0.5
"""Items of two sites that are one product with at least this probability are one node of the graph."""


@dataclass(frozen=True)
class SiteView:
    """What a model of one site learns from. All arrays keep the catalogue's indices, I items.

    An item of another site that is one product with an item of the target site has no node of its own: its edges end at
    that item, so that a visitor's history elsewhere speaks of items that the site knows. Without a target site every
    item is its own node, and nothing comes from elsewhere.
    """

    node_I: np.ndarray
    """The item at which an item's edges end, int64: itself, unless another stands for it."""
    own: Interactions
    """Of the target site, or everything."""
    everywhere: Interactions
    """Of all sites, items as nodes."""
    elsewhere: dict[str, sp.csr_matrix]
    """Other site → users × items: who there touched the product that an item of the target site is, as the probability
    that it is the same product; each pair once. Sites without such a product are left out."""

    @classmethod
    def of(cls, train: Dataset) -> Self:
        """The view of the data's target site."""
        inter = train.interactions
        if train.target_site is None:
            return cls(np.arange(inter.num_items), inter, inter, {})
        node_I = _nodes(train)
        everywhere = replace(inter, item_index_E=node_I[inter.item_index_E])
        own = train.own_interactions
        # Before its first day a site has no log: what it can learn from is what others did.
        return cls(node_I, own if len(own) else everywhere, everywhere, _elsewhere(train))

    @cached_property
    def graph(self) -> InteractionGraph:
        """All sites' users, and items as nodes."""
        return InteractionGraph.from_interactions(self.everywhere)

    @cached_property
    def matrix_UI(self) -> sp.csr_matrix:
        """Users × items as nodes, of all sites."""
        return self.everywhere.user_item_matrix()

    @cached_property
    def own_UI(self) -> sp.csr_matrix:
        """Users × items of the own log."""
        return self.own.user_item_matrix()

    @cached_property
    def degree_I(self) -> np.ndarray:
        """Users of each item in the own log, int64."""
        return self.own.item_degree()

    @cached_property
    def degree_elsewhere_I(self) -> np.ndarray:
        """Users of each item's product on other sites, int64."""
        degrees = [np.bincount(matrix.indices, minlength=len(self.node_I)) for matrix in self.elsewhere.values()]
        return np.sum([np.zeros(len(self.node_I), dtype=np.int64), *degrees], axis=0)

    def as_nodes(self, known_UI: sp.csr_matrix) -> sp.csr_matrix:
        """A users × items matrix with the items of other sites moved to the nodes that stand for them."""
        if np.array_equal(self.node_I, np.arange(len(self.node_I))):
            return known_UI
        pairs = known_UI.tocoo()
        moved = sp.csr_matrix((pairs.data, (pairs.row, self.node_I[pairs.col])), known_UI.shape)
        moved.sum_duplicates()
        moved.sort_indices()
        return moved


def _nodes(train: Dataset) -> np.ndarray:
    """Linked items of other sites stand at the likeliest item of the target site, or together where there is none."""
    same_as, is_served_I = train.same_as, train.is_served_I
    is_sure_P = same_as.weight_P >= MERGED_FROM
    sure = replace(
        same_as,
        left_P=same_as.left_P[is_sure_P],
        right_P=same_as.right_P[is_sure_P],
        weight_P=same_as.weight_P[is_sure_P],
    )
    product_I = sure.product_of_item(len(is_served_I))
    # Foreign items of one product stand at the first of them, and at an item of the site where the product has one.
    first_of_product = np.full(len(is_served_I), len(is_served_I))
    np.minimum.at(first_of_product, product_I, np.arange(len(is_served_I)))
    served = np.flatnonzero(is_served_I)
    first_of_product[product_I[served[::-1]]] = served[::-1]
    node_I = np.where(is_served_I, np.arange(len(is_served_I)), first_of_product[product_I])
    # Where one product has several items on the site, an item that is linked to one of them stands at the likeliest.
    ends = np.concatenate([np.stack([sure.left_P, sure.right_P]), np.stack([sure.right_P, sure.left_P])], axis=1)
    weight_P = np.tile(sure.weight_P, 2)
    is_across_P = ~is_served_I[ends[0]] & is_served_I[ends[1]]
    order = np.lexsort([-ends[1][is_across_P], weight_P[is_across_P]])
    node_I[ends[0][is_across_P][order]] = ends[1][is_across_P][order]
    return node_I


def _elsewhere(train: Dataset) -> dict[str, sp.csr_matrix]:
    inter, is_served_I = train.interactions, train.is_served_I
    to_served = train.same_as.matrix(inter.num_items) @ sp.diags_array(is_served_I.astype(np.float32))
    linked = {}
    for site in dict.fromkeys(train.catalogue.site[~is_served_I].tolist()):
        is_there_I = (train.catalogue.site == site).astype(bool)
        there = inter.take(is_there_I[inter.item_index_E]).user_item_matrix()
        once_UI = sp.csr_matrix((np.ones(there.nnz, np.float32), there.indices, there.indptr), there.shape)
        matrix = sp.csr_matrix(once_UI @ to_served)
        if matrix.nnz:
            matrix.data = np.minimum(matrix.data, 1)  # two items there may be one product here
            matrix.sort_indices()
            linked[site] = matrix
    return linked
