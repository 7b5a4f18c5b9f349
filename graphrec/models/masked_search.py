"""Items masked inside the training data choose the epochs, the head's settings and the hand-over to the graph."""

from collections.abc import Sequence

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.models.checkpoint import State
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in, graph_vectors
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.models.popularity import Popularity
from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.models.scoring import QueryScale, with_popularity
from graphrec.models.tuning import MaskedSplit, Tuned, mean_ndcg

SHARES = (0.5, 0.0, 0.25, 0.75, 1.0)
"""Shares of the fold-in in the teacher that are tried; the first one is used until then."""
_EPOCH_POPULARITY_WEIGHTS = (0.0, 0.4)
"""An epoch is judged by the better of these, so that it is not chosen for its popularity alone."""
_HALF_DEGREES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)


def item_vectors(
    system: RidgeSystem, teacher_ID: np.ndarray, popularity: Popularity, settings: HeadSettings
) -> tuple[np.ndarray, np.ndarray]:
    """[graph vector, observed popularity] and [H(x), predicted popularity] of every item, (I, D + 1) float32 each.

    H is the ridge from the features to the teacher's vectors over the warm items `system.rows`.
    """
    content_ID = system.predict(system.coefficients(teacher_ID[system.rows], settings))
    return with_popularity(teacher_ID, popularity.observed_I), with_popularity(content_ID, popularity.predicted_I)


class MaskedSearch:
    """What the masked items say about epochs, head settings and the hand-over from content to graph."""

    def __init__(self, masked: MaskedSplit, blocks: FeatureBlocks, best_encoder: GraphSAGE) -> None:
        self.masked = masked
        interactions = masked.split.train.interactions
        self.graph = InteractionGraph.from_interactions(interactions)
        self.degree_I = interactions.item_degree()
        self.system = RidgeSystem(blocks.x_IF, blocks.columns, masked.warm_items)
        self.popularity = Popularity.fit(self.system, self.degree_I)
        judges = masked.judges("cold")
        if judges is None:
            raise GraphRecError("No user with history touched a masked item: too few interactions to tune on.")
        self.pool, self.users = judges
        self.even = HeadSettings(weights=dict.fromkeys(blocks.columns, 1.0))
        self.ndcg_by_epoch: list[float] = []
        self.best_encoder = best_encoder
        """Holds the best epoch's weights."""
        self.best: Encoded
        self.folded_ID: np.ndarray

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, that found the masked items best."""
        return int(np.argmax(self.ndcg_by_epoch)) + 1

    def judge(self, encoder: GraphSAGE, patience: int) -> bool:
        """Score the encoder as it is now; True when the last `patience` epochs brought nothing better."""
        encoded = encoder.encode(self.graph, self.system.x_IF)
        folded_ID = fold_in(encoded.q_UD, self.graph.items_of_user.matrix())
        teacher_ID = self._teacher(encoded, folded_ID, SHARES[0])
        _, content_ID = item_vectors(self.system, teacher_ID, self.popularity, self.even)
        self.ndcg_by_epoch.append(self._ndcg(encoded, teacher_ID, content_ID))
        if self.best_epoch == len(self.ndcg_by_epoch):
            self.best, self.folded_ID = encoded, folded_ID
            self.best_encoder.load_state_dict(encoder.state_dict())
        return len(self.ndcg_by_epoch) - self.best_epoch >= patience

    def state(self) -> State:
        """What the epochs so far have shown; their best encoding is made again from its encoder."""
        return State(dict(self.best_encoder.state_dict()), {"ndcg_by_epoch": self.ndcg_by_epoch})

    def restore(self, state: State) -> None:
        """As it was when `state` was taken."""
        self.ndcg_by_epoch = list(state.values["ndcg_by_epoch"])
        self.best_encoder.load_state_dict(state.tensors)
        self.best = self.best_encoder.encode(self.graph, self.system.x_IF)
        self.folded_ID = fold_in(self.best.q_UD, self.graph.items_of_user.matrix())

    def best_share(self, shares: Sequence[float]) -> float:
        """The mixture of z and fold-in that teaches an untuned head best."""
        scores = []
        for share in shares:
            teacher_ID = self._teacher(self.best, self.folded_ID, share)
            _, content_ID = item_vectors(self.system, teacher_ID, self.popularity, self.even)
            scores.append(self._ndcg(self.best, teacher_ID, content_ID))
        return shares[int(np.argmax(scores))]

    def score(self, settings: HeadSettings, popularity_weight: float, share: float) -> float:
        """NDCG@20 on the masked items with the best epoch's encoder."""
        teacher_ID = self._teacher(self.best, self.folded_ID, share)
        _, content_ID = item_vectors(self.system, teacher_ID, self.popularity, settings)
        query_BD = self._queries(self.best, teacher_ID, self.users, popularity_weight)
        return mean_ndcg(query_BD, content_ID, self.pool, self.users)

    def best_half_degree(self, tuned: Tuned, share: float) -> float:
        """The hand-over that finds the masked edges of warm items best; a middling one where there are none."""
        judges = self.masked.judges("warm")
        if judges is None:
            return _HALF_DEGREES[len(_HALF_DEGREES) // 2]
        pool, users = judges
        teacher_ID = self._teacher(self.best, self.folded_ID, share)
        query_BD = self._queries(self.best, teacher_ID, users, tuned.popularity_weight)
        graph_ID, content_ID = item_vectors(self.system, teacher_ID, self.popularity, tuned.settings)
        scores = [
            mean_ndcg(query_BD, serve(graph_ID, content_ID, self.degree_I, half), pool, users) for half in _HALF_DEGREES
        ]
        return _HALF_DEGREES[int(np.argmax(scores))]

    def _ndcg(self, encoded: Encoded, teacher_ID: np.ndarray, content_ID: np.ndarray) -> float:
        queries = (self._queries(encoded, teacher_ID, self.users, weight) for weight in _EPOCH_POPULARITY_WEIGHTS)
        return max(mean_ndcg(query_BD, content_ID, self.pool, self.users) for query_BD in queries)

    def _teacher(self, encoded: Encoded, folded_ID: np.ndarray, share: float) -> np.ndarray:
        return graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[self.users], self.system.rows, share)

    def _queries(
        self, encoded: Encoded, teacher_ID: np.ndarray, users: np.ndarray, popularity_weight: float
    ) -> np.ndarray:
        scale = QueryScale.fit(encoded.q_UD[self.users], teacher_ID[self.system.rows])
        return scale.query(encoded.q_UD[users], popularity_weight)
