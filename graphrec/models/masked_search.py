"""Items masked inside the training data choose the epochs and the hand-over from content to graph."""

from functools import cached_property

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.models.checkpoint import State
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in, graph_vectors
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.models.leave_one_out import TuningItems
from graphrec.models.popularity import Popularity
from graphrec.models.raw_block import join_queries, join_vectors, sum_of_items
from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.models.scoring import QueryScale, with_popularity
from graphrec.models.tuning import MaskedSplit, mean_ndcg, mean_ndcg_in_pool

_FOLD_IN_SHARE = 0.5
_RAW_SHARE = 0.25
"""What epochs are judged with, for the tuning of these shares needs an encoder first."""
_EPOCH_POPULARITY_WEIGHTS = (0.0, 0.4)
"""What is not tuned yet is judged by the better of these, and as much by what it finds with popularity off."""
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
    """What the masked items say about epochs and the hand-over, with an untuned ridge for a head."""

    def __init__(self, masked: MaskedSplit, blocks: FeatureBlocks, best_encoder: GraphSAGE, raw_dim: int) -> None:
        self.masked = masked
        interactions = masked.split.train.interactions
        self.graph = InteractionGraph.from_interactions(interactions)
        self.degree_I = interactions.item_degree()
        self.system = RidgeSystem(blocks.x_IF, blocks.columns, masked.warm_items)
        self.popularity = Popularity.fit(
            blocks, TuningItems.of(blocks, masked.warm_items, masked.seed), self.degree_I, masked.seed
        )
        judges = masked.judges("cold")
        if judges is None:
            raise GraphRecError("No user with history touched a masked item: too few interactions to tune on.")
        self.pool, self.users = judges
        self.matrix = interactions.user_item_matrix()
        self.even = HeadSettings(weights=dict.fromkeys(blocks.columns, 1.0))
        self.ndcg_by_epoch: list[float] = []
        self.best_encoder = best_encoder
        """Holds the best epoch's weights."""
        self.raw_share = _RAW_SHARE if raw_dim else 0.0
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
        self.ndcg_by_epoch.append(self._ndcg(encoded, self._teacher(encoded, folded_ID)))
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

    def best_half_degree(self) -> float:
        """The hand-over that finds the masked edges of warm items best; a middling one where there are none."""
        judges = self.masked.judges("warm")
        if judges is None:
            return _HALF_DEGREES[len(_HALF_DEGREES) // 2]
        pool, users = judges
        teacher_ID = self._teacher(self.best, self.folded_ID)
        query_BD = self._queries(self.best, teacher_ID, users, 0.0)
        graph_ID, content_ID = item_vectors(self.system, teacher_ID, self.popularity, self.even)
        scores = [
            mean_ndcg(query_BD, serve(graph_ID, content_ID, self.degree_I, half), pool, users) for half in _HALF_DEGREES
        ]
        return _HALF_DEGREES[int(np.argmax(scores))]

    def _ndcg(self, encoded: Encoded, teacher_ID: np.ndarray) -> float:
        """With even blocks; the mean of popularity on and off, for either alone can rise while the other falls."""
        _, content_ID = item_vectors(self.system, teacher_ID, self.popularity, self.even)
        raw_BF = self._raw_queries() if self.raw_share else None
        queries = [self._queries(encoded, teacher_ID, self.users, weight) for weight in _EPOCH_POPULARITY_WEIGHTS]
        on = max(self._joined_ndcg(query_BD, content_ID, raw_BF) for query_BD in queries)
        scale = QueryScale.fit(encoded.q_UD[self.users], teacher_ID[self.system.rows])
        personal_BF = None if raw_BF is None else raw_BF - raw_BF.mean(axis=0)
        off_BD = scale.personal_query(encoded.q_UD[self.users])
        return (on + self._joined_ndcg(off_BD, content_ID, personal_BF)) / 2

    def _joined_ndcg(self, query_BD: np.ndarray, content_ID: np.ndarray, raw_BF: np.ndarray | None) -> float:
        vectors_PD = content_ID[self.pool.items]
        if raw_BF is not None:
            query_BD, vectors_PD = join_queries(query_BD, raw_BF, self.raw_share), join_vectors(vectors_PD, self.raw_PF)
        return mean_ndcg_in_pool(query_BD, vectors_PD, self.pool, self.users)

    @cached_property
    def raw_PF(self) -> np.ndarray:
        """The masked items' features, which the raw queries score."""
        return self.system.design(self.pool.items)

    @cached_property
    def raw_sum_BF(self) -> np.ndarray:
        """The sum of the features of each judging user's items."""
        return sum_of_items(self.matrix[self.users][:, self.system.rows], self.system.design_RF)

    @cached_property
    def raw_scale(self) -> QueryScale:
        """Of raw queries over the items that are not masked."""
        return QueryScale.fit(self.raw_sum_BF, self.system.design_RF)

    def _raw_queries(self) -> np.ndarray:
        query_BF = np.ascontiguousarray(self.system.inverse_times(self.raw_sum_BF.T, self.even).T)
        return self.raw_scale.query(query_BF, 0)

    def _teacher(self, encoded: Encoded, folded_ID: np.ndarray) -> np.ndarray:
        return graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[self.users], self.system.rows, _FOLD_IN_SHARE)

    def _queries(
        self, encoded: Encoded, teacher_ID: np.ndarray, users: np.ndarray, popularity_weight: float
    ) -> np.ndarray:
        scale = QueryScale.fit(encoded.q_UD[self.users], teacher_ID[self.system.rows])
        return scale.query(encoded.q_UD[users], popularity_weight)
