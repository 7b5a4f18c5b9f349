"""Fitting the whole model: encoder, content head, popularity term, fallback. Everything is chosen inside train.

1. Mask whole items and some edges; train the encoder on the rest, epoch by epoch, until the masked items are no longer
   found better by a content head that the graph teaches.
2. Choose the teacher and tune the head on the same masked items; choose how fast items move from content to graph on
   the masked edges.
3. Train again on everything for as many epochs, and refit the head over all warm items: x → the graph's vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel

from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in, graph_vectors
from graphrec.models.graphsage import Encoded, GraphSAGE, GraphSAGEConfig
from graphrec.models.popularity import Popularity
from graphrec.models.ridge import HeadSettings, RidgeSystem
from graphrec.models.scoring import QueryScale, with_popularity
from graphrec.models.training import TrainingConfig, train_encoder
from graphrec.models.tuning import MaskedSplit, Tuned, TuningConfig, mean_ndcg, tune_head
from graphrec.progress import Progress, silent

_SHARES = (0.5, 0.0, 0.25, 0.75, 1.0)
"""Shares of the fold-in in the teacher that are tried; the first one is used until then."""
_EPOCH_POPULARITY_WEIGHTS = (0.0, 0.4)
"""An epoch is judged by the better of these, so that it is not chosen for its popularity alone."""
_HALF_DEGREES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)


class ModelConfig(BaseModel, extra="forbid", frozen=True):
    """Everything that decides the fitted model, apart from the features."""

    encoder: GraphSAGEConfig = GraphSAGEConfig()
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig = TuningConfig()


@dataclass(frozen=True)
class FittedChoices:
    """What was chosen on the masked items, kept in the run so that nobody has to guess."""

    epochs: int
    head: HeadSettings
    popularity_weight: float
    fold_in_share: float
    """Share of the fold-in, against GraphSAGE's own z, in the vector that the head learns to predict."""
    half_degree: float
    masked_ndcg: float
    """NDCG@20 of the chosen settings on the masked items (a validation figure: it chose them)."""
    ndcg_by_epoch: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class GraphModel:
    """The fitted model as arrays. Item vectors are (I, D + 1): the last component is the popularity term."""

    encoder: GraphSAGE
    encoded: Encoded
    scale: QueryScale
    choices: FittedChoices
    graph_ID: np.ndarray
    """Where the graph puts the items with edges: z and fold-in as chosen."""
    content_ID: np.ndarray
    """c: from the item's own features and nothing else."""
    served_ID: np.ndarray
    """v: c where the degree is 0, otherwise blended with z."""
    degree_I: np.ndarray


def fit_graph_model(
    train: Dataset,
    blocks: FeatureBlocks,
    config: ModelConfig,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> GraphModel:
    """Fit on the training data of a split; items without an edge contribute nothing, and get their content vector.

    Raises GraphRecError where the interactions are too few to learn anything from.
    """
    degree_I = train.interactions.item_degree()
    _check_enough(train, degree_I)
    choices = _choose(train, blocks, config, seed, device, progress)
    graph = InteractionGraph.from_interactions(train.interactions)
    encoder = train_encoder(
        graph, blocks.x_IF, config.encoder, config.training, choices.epochs, seed, device,
        progress=progress, description="Training GraphSAGE on everything",
    )  # fmt: skip
    encoded = encoder.encode(graph, blocks.x_IF)
    system = RidgeSystem(blocks.x_IF, blocks.columns, np.flatnonzero(degree_I))
    has_history_U = graph.user_degree > 0
    folded_ID = fold_in(encoded.q_UD, graph.items_of_user.matrix())
    teacher_ID = graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[has_history_U], system.rows, choices.fold_in_share)
    graph_ID, content_ID = item_vectors(system, teacher_ID, Popularity.fit(system, degree_I), choices.head)
    return GraphModel(
        encoder=encoder,
        encoded=encoded,
        scale=QueryScale.fit(encoded.q_UD[has_history_U], teacher_ID[system.rows]),
        choices=choices,
        graph_ID=graph_ID,
        content_ID=content_ID,
        served_ID=serve(graph_ID, content_ID, degree_I, choices.half_degree),
        degree_I=degree_I,
    )


def item_vectors(
    system: RidgeSystem, teacher_ID: np.ndarray, popularity: Popularity, settings: HeadSettings
) -> tuple[np.ndarray, np.ndarray]:
    """[graph vector, observed popularity] and [H(x), predicted popularity] of every item, (I, D + 1) float32 each.

    H is the ridge from the features to the teacher's vectors over the warm items `system.rows`.
    """
    content_ID = system.predict(system.coefficients(teacher_ID[system.rows], settings))
    return with_popularity(teacher_ID, popularity.observed_I), with_popularity(content_ID, popularity.predicted_I)


def _choose(
    train: Dataset, blocks: FeatureBlocks, config: ModelConfig, seed: int, device: str, progress: Progress
) -> FittedChoices:
    masked = MaskedSplit.of(train, config.tuning, seed)
    search = _Search(masked, blocks)
    train_encoder(
        search.graph, blocks.x_IF, config.encoder, config.training, config.training.max_epochs, seed, device,
        after_epoch=lambda epoch, encoder: search.judge(encoder, config.training.patience),
        progress=progress, description="Training GraphSAGE, whole items masked",
    )  # fmt: skip
    shares = _SHARES[: max(1, config.tuning.tries)]
    share = search.best_share(shares)
    tuned = tune_head(
        list(blocks.columns),
        lambda settings, weight: search.score(settings, weight, share),
        max(0, config.tuning.tries - len(shares)),  # the shares were tries too
        progress,
        "Tuning the content head",
    )
    return FittedChoices(
        epochs=search.best_epoch,
        head=tuned.settings,
        popularity_weight=tuned.popularity_weight,
        fold_in_share=share,
        half_degree=search.best_half_degree(tuned, share),
        masked_ndcg=tuned.score,
        ndcg_by_epoch=search.ndcg_by_epoch,
    )


class _Search:
    """What the masked items say about epochs, head settings and the hand-over from content to graph."""

    def __init__(self, masked: MaskedSplit, blocks: FeatureBlocks) -> None:
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
        self.best: Encoded
        self.folded_ID: np.ndarray

    @property
    def best_epoch(self) -> int:
        return int(np.argmax(self.ndcg_by_epoch)) + 1

    def judge(self, encoder: GraphSAGE, patience: int) -> bool:
        """Score the encoder as it is now; True when the last `patience` epochs brought nothing better."""
        encoded = encoder.encode(self.graph, self.system.x_IF)
        folded_ID = fold_in(encoded.q_UD, self.graph.items_of_user.matrix())
        teacher_ID = self._teacher(encoded, folded_ID, _SHARES[0])
        _, content_ID = item_vectors(self.system, teacher_ID, self.popularity, self.even)
        self.ndcg_by_epoch.append(self._ndcg(encoded, teacher_ID, content_ID))
        if self.best_epoch == len(self.ndcg_by_epoch):
            self.best, self.folded_ID = encoded, folded_ID
        return len(self.ndcg_by_epoch) - self.best_epoch >= patience

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


def _check_enough(train: Dataset, degree_I: np.ndarray) -> None:
    num_warm, num_users = int((degree_I > 0).sum()), int((train.interactions.user_degree() > 1).sum())
    if num_warm < 10 or num_users < 10:
        raise GraphRecError(
            f"Too little to learn from: {num_warm} items with interactions and {num_users} users with at least two "
            "items; at least 10 of each are needed."
        )
