"""Cold items in what the model learned: the one place that follows how the model is built.

Each check looks at an array that the model carries and at what it must be where cold items took no part.
"""

from dataclasses import dataclass

import numpy as np

from graphrec.errors import GraphRecError
from graphrec.graph.site_view import SiteView
from graphrec.leaks.evidence import Evidence
from graphrec.models.graph_model import GraphModel
from graphrec.models.kernel import terms_of
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.other_sites import is_present, with_other_sites, without_other_sites
from graphrec.models.parts import Placer
from graphrec.models.raw_block import raw_coefficients, raw_scale
from graphrec.models.scoring import QueryScale

_ROUNDING = 1e-3
_USERS, _ITEMS = 256, 512


def trained_vectors(evidence: Evidence) -> str | None:
    """A cold item's residual starts at zero and moves when training touches it: as a target, neighbour or negative."""
    if evidence.model is None or evidence.model.encoder.residual is None:
        return None
    residual = evidence.model.encoder.residual
    moved_I = residual.weight.detach().cpu().numpy().any(axis=1) & evidence.is_untouched_I
    if not moved_I.any():
        return ""
    example = evidence.item_id(int(np.argmax(moved_I)))
    return f"training moved the vectors of {int(moved_I.sum()):,} cold items, such as {example}"


def user_vectors(evidence: Evidence) -> str | None:
    """A user's vector is what their training items make of them; asked of some users, evenly spread."""
    if evidence.model is None:
        return None
    model, matrix_UI = evidence.model, evidence.view.matrix_UI
    users = _some(np.flatnonzero(np.diff(matrix_UI.indptr)), _USERS)
    items = [matrix_UI.indices[matrix_UI.indptr[user] : matrix_UI.indptr[user + 1]] for user in users]
    expected_BD = model.encoder.encode_users(model.encoded.states_LID, items)
    is_other_B = np.abs(model.encoded.q_UD[users] - expected_BD).max(axis=1) > _ROUNDING
    if not is_other_B.any():
        return ""
    return f"the vectors of {is_other_B.sum()} of {len(users)} users are not those that their training items give"


def content_head(evidence: Evidence) -> str | None:
    """A content vector is what its heads, fitted again on warm items alone, make of the item's own features.

    The heads are that of the learned part (taught where the graph puts the items), of the raw block (taught by the
    training pairs) and of popularity (by the degrees). Asked of some cold and some warm items, evenly spread; kernels
    are taken as tuned. Raises GraphRecError where they are of other terms than the features have.
    """
    if evidence.model is None:
        return None
    model, warm = evidence.model, evidence.warm
    if set(model.choices.head.weights) != {term.name for term in terms_of(evidence.blocks)}:
        raise GraphRecError(
            "The content head's kernel was tuned for other features than these, or by another graphrec: train again."
        )
    view, seed = evidence.view, evidence.seed
    content = Placer.of(evidence.blocks, view.degree_I, model.choices.head, model.choices.popularity_head, seed)
    elsewhere = _elsewhere_placer(model, evidence)
    raw = _RawBlock.of(model, content if elsewhere is None else elsewhere, view, seed)
    own_x_IF = raw.head.blocks.x_IF if elsewhere is None else without_other_sites(raw.head.blocks).x_IF
    for which, items in (("cold", np.flatnonzero(evidence.is_cold_I)), ("warm", warm)):
        items = _some(items, _ITEMS)
        if not _is_placed(model, model.content_ID[items], items, content, raw, own_x_IF, warm):
            return f"the content vectors of {which} items are not those of heads that were fitted on warm items alone"
    if elsewhere is not None:
        items = _some(np.flatnonzero(is_present(elsewhere.head.blocks) & evidence.is_cold_I), _ITEMS)
        if not _is_placed(model, model.served_ID[items], items, elsewhere, raw, raw.head.blocks.x_IF, warm):
            return (
                "cold items that other sites know are not where heads that were fitted on warm items alone place them"
            )
    return ""


def _elsewhere_placer(model: GraphModel, evidence: Evidence) -> Placer | None:
    """Fitted here and not by the model's own code, which may be what leaks; None where the model has none."""
    view, choices = evidence.view, model.choices
    if choices.elsewhere_head is None or choices.elsewhere_popularity_head is None or not view.has_elsewhere:
        return None
    blocks = with_other_sites(evidence.blocks, view, evidence.site_dim, evidence.seed)
    return Placer.of(blocks, view.degree_I, choices.elsewhere_head, choices.elsewhere_popularity_head, evidence.seed)


@dataclass(frozen=True)
class _RawBlock:
    """The raw block fitted again; no coefficients where the model has none."""

    head: KernelRidge
    coefficients_LR: np.ndarray | None

    @classmethod
    def of(cls, model: GraphModel, placer: Placer, view: SiteView, seed: int) -> "_RawBlock":
        raw_dim = model.graph_ID.shape[1] - model.encoded.q_UD.shape[1] - 1
        return cls(placer.head, raw_coefficients(placer.head, view.own_UI, raw_dim, seed) if raw_dim else None)


def _is_placed(
    model: GraphModel,
    vectors_ND: np.ndarray,
    items: np.ndarray,
    placer: Placer,
    raw: _RawBlock,
    x_IF: np.ndarray,
    warm: np.ndarray,
) -> bool:
    """Whether these vectors of the items are what the placer, taught by the warm items, and the raw block make."""
    dim, placed_ND = model.encoded.q_UD.shape[1], vectors_ND / model.choices.stretch
    learned_ND = placer.head.to_landmarks(items) @ placer.head.coefficients(model.graph_ID[warm, :dim])
    if not _same(placed_ND[:, :dim], learned_ND):
        return False
    if not _same(placed_ND[:, -1], placer.popularity.predicted_I[items]):
        return False
    if raw.coefficients_LR is None:
        return True
    # Directions may come back turned where users' sums do not tell them apart: what counts is the inner products.
    expected_NR = raw.head.predict(raw.coefficients_LR, x_IF[items])
    return _same(_products(placed_ND[:, dim:-1]), _products(expected_NR))


def popularity(evidence: Evidence) -> str | None:
    """Degrees are those of the training data, and the popularity term is standardised over warm items."""
    if evidence.model is None:
        return None
    model, degree_I = evidence.model, evidence.view.degree_I
    if not np.array_equal(model.degree_I, degree_I):
        item = int(np.argmax(model.degree_I != degree_I))
        return f"item {evidence.item_id(item)} counts {model.degree_I[item]} users, training has {degree_I[item]}"
    log_degree_W = np.log1p(degree_I[evidence.warm].astype(np.float64))
    term_W = model.graph_ID[evidence.warm, -1]
    expected_W = (log_degree_W - log_degree_W.mean()) / max(1e-9, log_degree_W.std())
    if np.allclose(term_W, expected_W, atol=_ROUNDING):
        return ""
    return "the popularity term was not standardised over warm items alone"


def query_scale(evidence: Evidence) -> str | None:
    """Scores are brought to unit deviation over warm items, and the average user is one of training."""
    if evidence.model is None:
        return None
    model, own_UI = evidence.model, evidence.view.own_UI
    q_UD = model.encoded.q_UD[np.flatnonzero(np.diff(own_UI.indptr))]  # a truth file may bring users without a row
    dim = q_UD.shape[1]
    learned = QueryScale.fit(q_UD, model.graph_ID[evidence.warm, :dim])
    if not _same(model.scale.covariance_DD, learned.covariance_DD) or not _same(
        model.scale.average_D, learned.average_D
    ):
        return "the scale of the learned scores was not fitted on warm items and training users alone"
    raw_IR = np.asarray(model.graph_ID[:, dim:-1])
    if raw_IR.shape[1]:
        raw = raw_scale(own_UI, raw_IR, evidence.warm, evidence.seed)
        if not _same(model.raw_scale.covariance_DD, raw.covariance_DD) or not _same(
            model.raw_scale.average_D, raw.average_D
        ):
            return "the scale of the raw scores was not fitted on warm items and training users alone"
    return ""


def _products(vectors_NR: np.ndarray) -> np.ndarray:
    return vectors_NR @ vectors_NR.T


def _same(array: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(array - expected).max(initial=0) <= _ROUNDING * max(1e-12, np.abs(expected).max(initial=0)))


def _some(indices: np.ndarray, count: int) -> np.ndarray:
    """At most so many, evenly spread."""
    return indices[:: max(1, -(-len(indices) // count))]
