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
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.leave_one_out import TunedKernel, TuningItems
from graphrec.models.popularity import Popularity
from graphrec.models.scoring import QueryScale, with_popularity
from graphrec.models.tuning import MaskedSplit, mean_ndcg, mean_ndcg_in_pool

_FOLD_IN_SHARE = 0.5
"""What epochs are judged with, for the tuning of this share needs an encoder first."""
_EPOCH_POPULARITY_WEIGHTS = (0.0, 0.4)
"""What is not tuned yet is judged by the better of these, and as much by what it finds with popularity off."""
_HALF_DEGREES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)


class MaskedSearch:
    """What the masked items say about epochs and the hand-over, with an untuned head."""

    def __init__(self, masked: MaskedSplit, blocks: FeatureBlocks, best_encoder: GraphSAGE) -> None:
        self.masked = masked
        interactions = masked.split.train.interactions
        self.graph = InteractionGraph.from_interactions(interactions)
        self.degree_I = interactions.item_degree()
        items = TuningItems.of(blocks, masked.warm_items, masked.seed)
        self.popularity = Popularity.fit(blocks, items, self.degree_I, masked.seed)
        self.head = KernelRidge.of(blocks, masked.warm_items, TunedKernel(items).settings(), masked.seed)
        judges = masked.judges("cold")
        if judges is None:
            raise GraphRecError("No user with history touched a masked item: too few interactions to tune on.")
        self.pool, self.users = judges
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
        encoded = encoder.encode(self.graph, self.head.blocks.x_IF)
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
        self.best = self.best_encoder.encode(self.graph, self.head.blocks.x_IF)
        self.folded_ID = fold_in(self.best.q_UD, self.graph.items_of_user.matrix())

    def best_half_degree(self) -> float:
        """The hand-over that finds the masked edges of warm items best; a middling one where there are none."""
        judges = self.masked.judges("warm")
        if judges is None:
            return _HALF_DEGREES[len(_HALF_DEGREES) // 2]
        pool, users = judges
        teacher_ID = self._teacher(self.best, self.folded_ID)
        query_BD = self._queries(self.best, teacher_ID, users, 0.0)
        content_ID = self.head.predict(self.head.coefficients(teacher_ID[self.head.rows]))
        graph_ID = with_popularity(teacher_ID, self.popularity.observed_I)
        content_ID = with_popularity(content_ID, self.popularity.predicted_I)
        scores = [
            mean_ndcg(query_BD, serve(graph_ID, content_ID, self.degree_I, half), pool, users) for half in _HALF_DEGREES
        ]
        return _HALF_DEGREES[int(np.argmax(scores))]

    def _ndcg(self, encoded: Encoded, teacher_ID: np.ndarray) -> float:
        """The mean of popularity on and off, for either alone can rise while the other falls."""
        content_PD = self.near_PL @ self.head.coefficients(teacher_ID[self.head.rows])
        vectors_PD = with_popularity(content_PD, self.popularity.predicted_I[self.pool.items])
        queries = [self._queries(encoded, teacher_ID, self.users, weight) for weight in _EPOCH_POPULARITY_WEIGHTS]
        on = max(mean_ndcg_in_pool(query_BD, vectors_PD, self.pool, self.users) for query_BD in queries)
        scale = QueryScale.fit(encoded.q_UD[self.users], teacher_ID[self.head.rows])
        off_BD = scale.personal_query(encoded.q_UD[self.users])
        return (on + mean_ndcg_in_pool(off_BD, vectors_PD, self.pool, self.users)) / 2

    @cached_property
    def near_PL(self) -> np.ndarray:
        """The masked items' kernel with the landmarks, which every epoch needs."""
        return self.head.to_landmarks(self.pool.items).astype(np.float32)

    def _teacher(self, encoded: Encoded, folded_ID: np.ndarray) -> np.ndarray:
        return graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[self.users], self.head.rows, _FOLD_IN_SHARE)

    def _queries(
        self, encoded: Encoded, teacher_ID: np.ndarray, users: np.ndarray, popularity_weight: float
    ) -> np.ndarray:
        scale = QueryScale.fit(encoded.q_UD[self.users], teacher_ID[self.head.rows])
        return scale.query(encoded.q_UD[users], popularity_weight)
