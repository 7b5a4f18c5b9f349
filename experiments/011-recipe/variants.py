"""What a row swaps in the package while its arm is fitted. All that this experiment knows of the model's inside is here
and in `encoders.py`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import encoders
import losses
import numpy as np
import torch
from resumable import K
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.modalities import even_modalities
from graphrec.baselines.registry import BASELINES
from graphrec.evaluation.protocol import Pool
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.sampler import NeighborSampler
from graphrec.models.fold_in import fold_in
from graphrec.models.graph_model import GraphModel, fit_graph_model
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.models.kernel import CONSTANT, Term, terms_of
from graphrec.models.losses import BatchInclusion, sampled_softmax

_MLP_HEAD = "mlp head"
_HARDEST = 200
_MASKED_RESIDUALS = 0.3
_PENALTIES = (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Fitted:
    """An arm that can rank, and what it chose."""

    rank: Callable[[bool], RankedLists]
    """With popularity on or off, for the pool's users."""
    choices: dict[str, Any]


def fit(arm: str, variants: tuple[str, ...], inputs: TrainingInput, model_config: Any, pool: Pool) -> Fitted:
    """Fit the arm with these functions swapped."""
    with ExitStack() as stack:
        for name in variants:
            if name != _MLP_HEAD:
                stack.enter_context(SWAPS[name](inputs))
        if arm != "graph":
            return _baseline(arm, inputs, pool)
        model = fit_graph_model(inputs.train, inputs.blocks, model_config, inputs.seed)
    if _MLP_HEAD in variants:
        model = _with_mlp_head(model, inputs)
    seen, matrix_UI = pool.seen[pool.users], inputs.train.interactions.user_item_matrix()[pool.users]

    def rank(popularity: bool) -> RankedLists:
        query_BD = model.queries(model.encoded.q_UD[pool.users], matrix_UI, popularity)
        return rank_by_vectors(query_BD, model.served_ID, pool.items, seen, K)

    return Fitted(rank, model.choices.model_dump(mode="json"))


def _baseline(arm: str, inputs: TrainingInput, pool: Pool) -> Fitted:
    fitted: Any = BASELINES[arm]().fit(inputs)
    settings = getattr(fitted, "settings_", None)
    choices = {} if settings is None else {"head": settings.model_dump()}
    choices |= {"popularity_weight": fitted.popularity_weight_} if hasattr(fitted, "popularity_weight_") else {}
    seen = pool.seen[pool.users]
    return Fitted(lambda popularity: fitted.rank(pool.users, pool.items, seen, K, popularity), choices)


def _with_mlp_head(model: GraphModel, inputs: TrainingInput) -> GraphModel:
    """Cold items get what a network of one hidden layer predicts of the graph's vector, in place of the kernel head."""
    dim = model.encoded.q_UD.shape[1]
    warm, cold = np.flatnonzero(model.degree_I), np.flatnonzero(model.degree_I == 0)
    x_IF = even_modalities(inputs.blocks)
    spread = model.graph_ID[warm, :dim].std()
    network = MLPRegressor(hidden_layer_sizes=(256,), early_stopping=True, max_iter=300, random_state=inputs.seed)
    search = GridSearchCV(network, {"alpha": list(_PENALTIES)}, cv=3)
    search.fit(x_IF[warm], model.graph_ID[warm, :dim] / spread)
    served_ID = model.served_ID.copy()
    served_ID[cold, :dim] = search.predict(x_IF[cold]) * spread * model.choices.stretch  # as the rest of the vector is
    return replace(model, served_ID=served_ID)


def _swapped(original: Any, replacement: Callable[..., Any]) -> Any:
    """Every name in the package that means `original` means `replacement`."""
    places = [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("graphrec.")
        for name, value in list(vars(module).items())
        if value is original
    ]
    return _patched(places, replacement)


def _method(owner: type, name: str, replacement: Callable[..., Any]) -> Any:
    return _patched([(owner, name)], replacement)


@contextmanager
def _patched(places: list[tuple[Any, str]], replacement: Callable[..., Any]) -> Iterator[None]:
    """One that nobody called is an error: the row would be the base."""
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return replacement(*args, **kwargs)

    with ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(patch.object(owner, name, counted))
        yield
    if not calls:
        raise RuntimeError(
            f"{[name for _, name in places]} was swapped, but nobody called it: the row would be the base."
        )


def _z_alone(inputs: TrainingInput) -> Any:
    """The fold-in becomes z, so that every mixture of the two is z."""
    stack, latest, encode = ExitStack(), [], GraphSAGE.encode

    def remembering(*args: Any, **kwargs: Any) -> Encoded:
        latest[:] = [encode(*args, **kwargs)]
        return latest[0]

    stack.enter_context(_method(GraphSAGE, "encode", remembering))
    stack.enter_context(_swapped(fold_in, lambda *_: latest[0].z_ID))
    return stack


def _fold_in_alone(inputs: TrainingInput) -> Any:
    """z becomes the fold-in."""
    encode = GraphSAGE.encode

    def folded(encoder: GraphSAGE, graph: InteractionGraph, *args: Any, **kwargs: Any) -> Encoded:
        encoded = encode(encoder, graph, *args, **kwargs)
        return replace(encoded, z_ID=fold_in(encoded.q_UD, graph.items_of_user.matrix()))

    return _method(GraphSAGE, "encode", folded)


def _ease_folded_in(inputs: TrainingInput) -> Any:
    """The fold-in of a user's history as EASE completes it: X becomes X B, so the fold-in F becomes Bᵀ F."""
    ease = encoders.Ease()

    def smoothed(q_UD: np.ndarray, matrix_UI: Any, *args: Any) -> np.ndarray:
        folded_ID = fold_in(q_UD, matrix_UI, *args)
        items, weights_RR = ease.of(matrix_UI)
        folded_ID[items] = (weights_RR.T @ folded_ID[items]).astype(np.float32)
        return folded_ID

    return _swapped(fold_in, smoothed)


def _closed_form(encode: Callable[[InteractionGraph, int, int], Encoded]) -> Callable[[TrainingInput], Any]:
    """A linear encoder that nobody trains in place of GraphSAGE; its messages are the states that it encodes with."""

    def swap(inputs: TrainingInput) -> Any:
        def encoded(encoder: GraphSAGE, graph: InteractionGraph, *_: Any, **__: Any) -> Encoded:
            return encode(graph, len(encoder.user_start), inputs.seed)

        stack = ExitStack()
        stack.enter_context(_method(GraphSAGE, "encode", encoded))
        stack.enter_context(_method(GraphSAGE, "messages", lambda _, encoded: encoded.states_LID[-1]))
        return stack

    return swap


def _some_terms(is_kept: Callable[[Term, FeatureBlocks], bool]) -> Callable[[TrainingInput], Any]:
    def some(blocks: FeatureBlocks) -> tuple[Term, ...]:
        return tuple(term for term in terms_of(blocks) if is_kept(term, blocks))

    return lambda inputs: _swapped(terms_of, some)


def _per_modality(inputs: TrainingInput) -> Any:
    return _swapped(GraphSAGE, partial(encoders.PerModality, inputs.blocks.columns))


def _loss(make: Callable[[torch.Generator], Callable[..., torch.Tensor]], has_log_q: bool) -> Any:
    def swap(inputs: TrainingInput) -> Any:
        stack = ExitStack()
        stack.enter_context(_swapped(sampled_softmax, make(torch.Generator().manual_seed(inputs.seed))))
        if not has_log_q:
            stack.enter_context(_no_log_q(inputs))
        return stack

    return swap


def _no_log_q(inputs: TrainingInput) -> Any:
    return _method(BatchInclusion, "log_q", lambda inclusion, item_C, *_: torch.zeros(len(item_C)))


SWAPS: dict[str, Callable[[TrainingInput], Any]] = {
    "z alone": _z_alone,
    "fold-in alone": _fold_in_alone,
    "EASE folded in": _ease_folded_in,
    "EASE": _closed_form(encoders.ease),
    "interactions": _closed_form(partial(encoders.propagated, hops=0)),
    "propagation": _closed_form(partial(encoders.propagated, hops=2)),
    "no products": _some_terms(lambda term, _: len(term.blocks) < 2),
    "linear blocks": _some_terms(lambda term, blocks: term.name in (*blocks.columns, CONSTANT)),
    "one graph per modality": _per_modality,
    "residuals masked": lambda inputs: _swapped(
        GraphSAGE, partial(encoders.ResidualsMasked, _MASKED_RESIDUALS, inputs.seed)
    ),
    "target edges stay": lambda inputs: _swapped(NeighborSampler, partial(NeighborSampler, exclude_target_edges=False)),
    "no logQ": _no_log_q,
    "BPR": _loss(losses.bpr, has_log_q=False),
    "BCE": _loss(losses.bce, has_log_q=False),
    "hard negatives": _loss(lambda _: partial(losses.hard_softmax, hardest=_HARDEST), has_log_q=True),
}
