"""The data as one site sees them: its own log, and what people did on other sites with products that it sells too."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp

from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import at_nodes, product_nodes
from graphrec.graph.interaction_graph import InteractionGraph


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
    """Of the target site, or everything where there is none."""
    everywhere: Interactions
    """Of all sites, items as nodes."""
    elsewhere: dict[str, sp.csr_matrix]
    """Other site → users × items: who there touched the product that an item of the target site is, as the probability
    that it is the same product; each pair once. Sites without such a product are left out."""
    counted: dict[str, sp.csr_matrix]
    """As `elsewhere`, of sites that tell counts in place of their log: items × items, how many people touched both; on
    the diagonal, each."""

    @classmethod
    def of(cls, train: Dataset) -> Self:
        """The view of the data's target site."""
        inter = train.interactions
        if train.target_site is None:
            return cls(np.arange(inter.num_items), inter, inter, {}, {})
        node_I = product_nodes(train.same_as, train.is_served_I)
        everywhere = replace(inter, item_index_E=node_I[inter.item_index_E])
        to_served = _to_served(train, node_I)
        elsewhere, counted = _elsewhere(train, to_served), _counted(train, to_served)
        return cls(node_I, train.own_interactions, everywhere, elsewhere, counted)

    @property
    def has_elsewhere(self) -> bool:
        """Whether some other site knows a product of the target site."""
        return bool(self.elsewhere or self.counted)

    @cached_property
    def graph(self) -> InteractionGraph:
        """All sites' users, and items as nodes."""
        return InteractionGraph.from_interactions(self.everywhere)

    @cached_property
    def matrix_UI(self) -> sp.csr_matrix:
        """Users × items as nodes, of all sites."""
        return self.everywhere.user_item_matrix()

    @cached_property
    def takers_IU(self) -> sp.csr_matrix:
        """`matrix_UI` from the other side."""
        turned = sp.csr_matrix(self.matrix_UI.T)
        turned.sort_indices()
        return turned

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
        # Rounded up: who has a block from elsewhere counts as known there, however unsure the link is.
        degrees += [np.ceil(counts_II.diagonal()).astype(np.int64) for counts_II in self.counted.values()]
        return np.sum([np.zeros(len(self.node_I), dtype=np.int64), *degrees], axis=0)

    def as_nodes(self, known_UI: sp.csr_matrix) -> sp.csr_matrix:
        """A users × items matrix with the items of other sites moved to the nodes that stand for them."""
        if np.array_equal(self.node_I, np.arange(len(self.node_I))):
            return known_UI
        return at_nodes(known_UI, self.node_I)


def _elsewhere(train: Dataset, to_served: sp.csr_matrix) -> dict[str, sp.csr_matrix]:
    inter, is_served_I = train.interactions, train.is_served_I
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


def _counted(train: Dataset, to_served: sp.csr_matrix) -> dict[str, sp.csr_matrix]:
    moved = {site: sp.csr_matrix(to_served.T @ one.counts_II @ to_served) for site, one in train.counts.items()}
    return {site: counts_II for site, counts_II in moved.items() if counts_II.nnz}


def _to_served(train: Dataset, node_I: np.ndarray) -> sp.csr_matrix:
    """Items × items: from an item of another site to those of the target site that are the same product.

    Through a third site too, where that makes it a node of the graph: with the smallest of its own links' weights.
    """
    num_items, is_served_I = train.interactions.num_items, train.is_served_I
    links = train.same_as.matrix(num_items)
    direct = sp.csr_matrix(links @ sp.diags_array(is_served_I.astype(np.float32)))
    has_direct_I = np.diff(direct.indptr) > 0
    chained = np.flatnonzero(is_served_I[node_I] & ~is_served_I & ~has_direct_I)
    weight_N = np.array([links.data[links.indptr[item] : links.indptr[item + 1]].min() for item in chained], np.float32)
    return sp.csr_matrix(direct + sp.csr_matrix((weight_N, (chained, node_I[chained])), (num_items, num_items)))
