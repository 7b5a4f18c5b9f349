"""All leak checks by name, run together: `check_leaks` before every evaluation."""

from collections.abc import Callable, Collection

from graphrec.data.dataset import Split
from graphrec.errors import GraphRecError
from graphrec.leaks import fitted_model, interactions, statistics
from graphrec.leaks.evidence import Evidence
from graphrec.recommender import Recommender

LEAK_CHECKS: dict[str, Callable[[Evidence], str | None]] = {
    "training pairs": interactions.training_pairs,
    "cut-off": interactions.cut_off,
    "edges into users": interactions.edges_into_users,
    "edges into items": interactions.edges_into_items,
    "negatives": interactions.negatives,
    "word vocabulary": statistics.word_vocabulary,
    "word directions": statistics.word_directions,
    "attribute values": statistics.attribute_values,
    "attribute ranges": statistics.attribute_ranges,
    "feature means": statistics.feature_means,
    "feature gate": statistics.feature_gate,
    "trained vectors": fitted_model.trained_vectors,
    "user vectors": fitted_model.user_vectors,
    "content head": fitted_model.content_head,
    "popularity": fitted_model.popularity,
    "query scale": fitted_model.query_scale,
}
"""Name → what leaked, in words: empty where nothing did, None where there is nothing of the kind to look at."""

FITTED_BEFORE = ("word vocabulary", "word directions", "attribute values", "attribute ranges")
"""Checks of statistics that forgetting people leaves as they were fitted, on items some of which nobody may know now:
that they are not those of today's warm items is no leak, so it is not looked at."""


def check_leaks(model: Recommender, split: Split) -> tuple[str, ...]:
    """The names of the checks that a fitted recommender passed; those with nothing to look at are not among them.

    Nor are the `skipped_checks`. Raises GraphRecError in one line that names each check that found a leak, and what
    leaked.
    """
    return require_no_leak(Evidence.of_model(model, split), skipped_checks(model))


def skipped_checks(model: Recommender) -> tuple[str, ...]:
    """The names of the checks that say nothing about this recommender: `FITTED_BEFORE`, where people were forgotten."""
    return FITTED_BEFORE if model.forgotten_ else ()


def require_no_leak(evidence: Evidence, skipped: Collection[str] = ()) -> tuple[str, ...]:
    """As `check_leaks`, of other evidence: `Evidence.of_inputs` for arms without a recommender."""
    found = {name: check(evidence) for name, check in LEAK_CHECKS.items() if name not in skipped}
    leaks = "; ".join(f"{name}: {what}" for name, what in found.items() if what)
    if leaks:
        raise GraphRecError(
            f"Held-out data leaked into training, so nothing is evaluated. Leak check failed: {leaks}. "
            "Fit the model on the split's own training data; a run of other versions of the packages: train it again."
        )
    return tuple(name for name, what in found.items() if what is not None)
