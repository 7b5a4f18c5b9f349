"""Queries that look for one known item, and how well weightings rank it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphrec.evaluation.intervals import paired_bootstrap, verdict
from graphrec.retrieval.clip_space import Part
from graphrec.retrieval.pair_weights import PairWeights
from graphrec.search.config import SearchConfig
from graphrec.search.fitting import FitTask, fit_weights, target_ranks

KINDS_OF = {"text": ("text",), "picture": ("image",), "both": ("image", "text")}
TEXT_MOSTLY = {"text": 0.9, "image": 0.1}
CANDIDATES = SearchConfig().candidates


@dataclass(frozen=True)
class SplitTask:
    """A task whose queries are divided into validation (fits weights) and test (is reported)."""

    name: str
    task: FitTask
    group_N: np.ndarray
    """Queries of one product are of one group: on the same side, and drawn together by the bootstrap."""

    @cached_property
    def is_validation_N(self) -> np.ndarray:
        """Half of the groups."""
        groups = np.unique(self.group_N)
        return np.isin(self.group_N, np.random.default_rng(0).permutation(groups)[: len(groups) // 2])

    def part(self, rows: np.ndarray) -> FitTask:
        task = self.task
        return FitTask(
            task.space,
            {kind: x_ND[rows] for kind, x_ND in task.vectors.items()},
            task.target_N[rows],
            None if task.allowed_NI is None else task.allowed_NI[rows],
        )


def ranks(task: FitTask, weights: PairWeights, kinds: tuple[str, ...]) -> np.ndarray:
    """Rank of each query's target, the query made of these kinds."""
    queries = [
        task.space.query([Part(kind, task.vectors[kind][row]) for kind in kinds], weights)
        for row in range(len(task.target_N))
    ]
    out, vectors_EI = [], np.asarray(task.space.vectors_IE).T
    for start in range(0, len(queries), 256):
        rows = slice(start, start + 256)
        allowed = None if task.allowed_NI is None else task.allowed_NI[rows]
        out.append(target_ranks(np.stack(queries[rows]) @ vectors_EI, task.target_N[rows], allowed))
    return np.concatenate(out)


def two_stage_ranks(task: FitTask, weights: PairWeights, kinds: tuple[str, ...], num_candidates: int) -> np.ndarray:
    """As `ranks`, among the candidates of a first stage that weighs the kinds alike; inf for a target not there."""
    vectors_EI, out = np.asarray(task.space.vectors_IE).T, []
    for row, target in enumerate(task.target_N):
        parts = [Part(kind, task.vectors[kind][row]) for kind in kinds]
        first_I = task.space.query(parts, weights.balanced()) @ vectors_EI
        if task.allowed_NI is not None:
            first_I[~task.allowed_NI[row]] = -np.inf
        candidates = np.argpartition(-first_I, num_candidates)[:num_candidates]
        second_C = task.space.query(parts, weights) @ vectors_EI[:, candidates]
        is_target_C = candidates == target
        out.append(1.0 + (second_C > second_C[is_target_C]).sum() if is_target_C.any() else np.inf)
    return np.array(out)


def study(split: SplitTask, in_training: PairWeights | None = None) -> dict[str, Any]:
    """Each weighting with text, picture and both, on the test queries; the mix against the better single kind.

    `in_training`: what training learns from the catalogue itself, without these queries. Which kind is the better one
    is decided on the validation queries, and so is the share of the text.
    """
    validation, test = split.part(split.is_validation_N), split.part(~split.is_validation_N)
    group_N = split.group_N[~split.is_validation_N]
    learned = fit_weights(validation)
    weightings = {
        "learned on validation queries": learned,
        "its blocks, text 0.5": learned.balanced(),
        "its blocks, text 0.9": learned.with_shares(TEXT_MOSTLY),
        "nothing learned, text 0.9": PairWeights.default().with_shares(TEXT_MOSTLY),
    }
    if in_training is not None:
        weightings["learned in training"] = in_training
    rows, of_arm = [], {}
    for name, weights in weightings.items():
        for arm, kinds in KINDS_OF.items():
            if arm != "both" and name.startswith("its blocks"):
                continue  # one kind alone ranks as with the learned weights
            rank_N = ranks(test, weights, kinds)
            of_arm[name, arm] = 1 / rank_N
            rows.append({"weights": name, "query": arm, **_figures(rank_N)})
            if arm == "both" and name.startswith("learned"):
                staged_N = two_stage_ranks(test, weights, kinds, CANDIDATES)
                rows.append({"weights": name, "query": f"both, {CANDIDATES} candidates", **_figures(staged_N)})
    better = max(("text", "picture"), key=lambda arm: (1 / ranks(validation, learned, KINDS_OF[arm])).mean())
    compared = []
    for name in weightings:
        interval = paired_bootstrap(
            _by_group(of_arm[name, "both"], group_N),
            _by_group(of_arm["learned on validation queries", better], group_N),
            np.random.default_rng(0),
        )
        compared.append({"weights": name, **vars(interval), "verdict": str(verdict(interval))})
    return {
        "task": split.name,
        "items": len(test.space),
        "validation_queries": len(validation.target_N),
        "test_queries": len(test.target_N),
        "learned": learned.to_json(),
        "in_training": None if in_training is None else in_training.to_json(),
        "rows": rows,
        "better_single": better,
        "both_minus_better_single": compared,
    }


def _by_group(value_N: np.ndarray, group_N: np.ndarray) -> np.ndarray:
    """The mean of each product: what one product's listings share must not count twice in an interval."""
    code_N = np.unique(group_N, return_inverse=True)[1]
    return np.bincount(code_N, value_N) / np.bincount(code_N)


def _figures(rank_N: np.ndarray) -> dict[str, float]:
    return {"r@1": float((rank_N <= 1).mean()), "r@10": float((rank_N <= 10).mean()), "mrr": float((1 / rank_N).mean())}
