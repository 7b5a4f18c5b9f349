"""Everything that is chosen inside the training data, most of it on masked items."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.site_view import SiteView
from graphrec.models.calibration import choose_stretch
from graphrec.models.checkpoint import State
from graphrec.models.choices import FittedChoices
from graphrec.models.fallback import serve
from graphrec.models.fold_in import fold_in, graph_vectors
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.models.leave_one_out import LearnedTeacher, TunedKernel, TuningItems, tune_kernel_head
from graphrec.models.mixture_search import choose_mixture
from graphrec.models.other_sites import with_other_sites
from graphrec.models.parts import Mixture, Parts, Placer
from graphrec.models.popularity import tune_popularity
from graphrec.models.ridge import HeadSettings
from graphrec.models.scoring import QueryScale, with_popularity
from graphrec.models.tuning import MaskedSplit, TuningConfig, mean_ndcg_in_pool
from graphrec.progress import Progress, silent

_FOLD_IN_SHARE = 0.5
"""What epochs are judged with: the mixture is chosen for the best of them."""
_AS_WELL = 0.005
_EPOCH_POPULARITY_WEIGHTS = (0.0, 0.4)
"""Judged by the better of these, and as much by what is found with popularity off."""
_HALF_DEGREES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0)


class MaskedSearch:
    """The masked training data, and what its items say: epoch by epoch with an untuned head, then all the rest."""

    def __init__(self, masked: MaskedSplit, blocks: FeatureBlocks, best_encoder: GraphSAGE, site_dim: int) -> None:
        self.masked, self.x_IF = masked, blocks.x_IF
        self.view = SiteView.of(masked.split.train)
        self.content = HeadSearch.of(blocks, masked)
        self.elsewhere = None
        if site_dim and self.view.has_elsewhere:
            self.elsewhere = HeadSearch.of(with_other_sites(blocks, self.view, site_dim, masked.seed), masked)
        self.untuned = (self.elsewhere or self.content).untuned()
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
        """Counted from 1: the last that found the masked items as well as any, within half a percent.

        So little is noise, and the later of two equal epochs has been trained at the smaller learning rate.
        """
        return _last_as_good(self.ndcg_by_epoch) + 1

    def judge(self, encoder: GraphSAGE, patience: int) -> bool:
        """Score the encoder as it is now; True when the last `patience` epochs did worse than the best one.

        Raises GraphRecError where training diverged.
        """
        encoded = encoder.encode(self.view.graph, self.x_IF)
        folded_ID = fold_in(encoded.q_UD, self.view.own_UI)
        if not np.isfinite(encoded.z_ID).all() or not np.isfinite(encoded.q_UD).all():
            raise GraphRecError("Training diverged: the vectors are not finite. Lower model.training.learning_rate.")
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
        self.best = self.best_encoder.encode(self.view.graph, self.x_IF)
        self.folded_ID = fold_in(self.best.q_UD, self.view.own_UI)

    def choose(self, config: TuningConfig, raw_dim: int, progress: Progress = silent) -> FittedChoices:
        """Tune the kernel for the best encoder, then decide on the masked items how the parts are mixed."""
        teacher = LearnedTeacher.of(self.best_encoder, self.best, self.folded_ID, self.view)
        searches = [self.content] if self.elsewhere is None else [self.content, self.elsewhere]
        heads = [
            tune_kernel_head(
                one.items, self.view.own_UI, one.left_out_popularity_R, teacher, config.steps, self.masked.seed,
                raw_dim > 0, progress,
            )
            for one in searches
        ]  # fmt: skip
        placers = [one.placer(head) for one, head in zip(searches, heads, strict=True)]
        parts = Parts.fit(
            placers[0], None if self.elsewhere is None else placers[1],
            self.best, self.folded_ID, self.view, raw_dim, self.masked.seed,
        )  # fmt: skip
        mixture = choose_mixture(parts, raw_dim > 0, self.pool, self.users, progress)
        half_degree = self._half_degree(parts, mixture)
        return FittedChoices(
            epochs=self.best_epoch,
            ndcg_by_epoch=tuple(self.ndcg_by_epoch),
            head=heads[0],
            popularity_head=self.content.popularity_head,
            elsewhere_head=None if self.elsewhere is None else heads[1],
            elsewhere_popularity_head=None if self.elsewhere is None else self.elsewhere.popularity_head,
            mixture=mixture,
            half_degree=half_degree,
            stretch=choose_stretch(parts, mixture, half_degree, self.masked, config.warm_loss),
        )

    def _half_degree(self, parts: Parts, mixture: Mixture) -> float:
        """The slowest hand-over that finds the masked pairs of warm items as well as any, within half a percent.

        Most of these pairs are of items that many know, which are found as well whatever the pace. Those that few know
        are found better by their content, so what is left open is decided for them; a middling pace without pairs.
        """
        judges = self.masked.judges("warm")
        if judges is None:
            return _HALF_DEGREES[len(_HALF_DEGREES) // 2]
        pool, users = judges
        query_BD = parts.queries(users, mixture, parts.scale(mixture))
        graph_PD, content_PD = parts.graph(mixture, pool.items), parts.without_edges(mixture, pool.items)
        degree_P = self.masked.degree_I[pool.items]
        ndcg = [
            mean_ndcg_in_pool(query_BD, serve(graph_PD, content_PD, degree_P, half), pool, users)
            for half in _HALF_DEGREES
        ]
        return _HALF_DEGREES[_last_as_good(ndcg)]

    def _ndcg(self, encoded: Encoded, teacher_ID: np.ndarray) -> float:
        """The mean of popularity on and off, as the mixture is judged."""
        head, popularity = self.untuned.head, self.untuned.popularity
        content_PD = self.near_PL @ head.coefficients(teacher_ID[head.rows])
        vectors_PD = with_popularity(content_PD, popularity.predicted_I[self.pool.items])
        q_BD = encoded.q_UD[self.users]
        scale = QueryScale.fit(q_BD, teacher_ID[head.rows])
        on = [scale.query(q_BD, weight) for weight in _EPOCH_POPULARITY_WEIGHTS]
        on_ndcg = max(mean_ndcg_in_pool(query_BD, vectors_PD, self.pool, self.users) for query_BD in on)
        return (on_ndcg + mean_ndcg_in_pool(scale.personal_query(q_BD), vectors_PD, self.pool, self.users)) / 2

    @cached_property
    def near_PL(self) -> np.ndarray:
        """The masked items' kernel with the landmarks, which every epoch needs."""
        return self.untuned.head.to_landmarks(self.pool.items).astype(np.float32)

    def _teacher(self, encoded: Encoded, folded_ID: np.ndarray) -> np.ndarray:
        return graph_vectors(encoded.z_ID, folded_ID, encoded.q_UD[self.users], self.untuned.head.rows, _FOLD_IN_SHARE)


@dataclass(frozen=True)
class HeadSearch:
    """The kernel of one set of blocks, before and after it is tuned for what the graph teaches."""

    blocks: FeatureBlocks
    masked: MaskedSplit
    items: TuningItems
    popularity_head: HeadSettings
    left_out_popularity_R: np.ndarray

    @classmethod
    def of(cls, blocks: FeatureBlocks, masked: MaskedSplit) -> "HeadSearch":
        """Tunes the popularity term at once: it asks for nothing but degrees."""
        items = TuningItems.of(blocks, masked.warm_items, masked.seed)
        return cls(blocks, masked, items, *tune_popularity(items, masked.degree_I))

    def placer(self, head: HeadSettings) -> Placer:
        """With this kernel, over the items that are not masked."""
        return Placer.of(self.blocks, self.masked.degree_I, head, self.popularity_head, self.masked.seed)

    def untuned(self) -> Placer:
        """With the kernel that tuning starts from."""
        return self.placer(TunedKernel(self.items).settings())


def _last_as_good(values: Sequence[float]) -> int:
    """The place of the last value that the best one does not exceed by more than half a percent."""
    return int(np.flatnonzero(np.asarray(values) >= (1 - _AS_WELL) * max(values))[-1])
