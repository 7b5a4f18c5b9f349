"""What every arm found in one pool, before anything is averaged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.evaluation.findings import Findings
from graphrec.evaluation.list_metrics import list_metrics
from graphrec.evaluation.protocol import Pool
from graphrec.evaluation.ranking import RankedLists

_BYTES_PER_SCORE = 48
"""Of working memory that ranking takes for a user and an item of the pool: `ranking` gives a third to the scores."""


@dataclass(frozen=True)
class ArmEvidence:
    """One arm in one pool, fitted with one seed."""

    findings: Findings
    lists: dict[str, float]
    """Metrics of all lists together, by name with cut-off."""


@dataclass(frozen=True)
class PoolEvidence:
    """Every arm in one pool, with one seed or several; the users of all are `pool.users`."""

    pool: Pool
    arms: dict[tuple[str, bool], list[ArmEvidence]]
    """(arm, with its popularity or without it) → one for each seed."""

    def has(self, arm: str, popularity: bool) -> bool:
        """Whether the arm was ranked so."""
        return (arm, popularity) in self.arms

    @property
    def relevant_UI(self) -> sp.csr_matrix:
        """What there was to be found, the same for all arms."""
        return next(iter(self.arms.values()))[0].findings.relevant_UI


def gather(
    fitted: Mapping[str, Arm], inputs: TrainingInput, pool: Pool, ks: tuple[int, ...], memory_mb: int
) -> PoolEvidence:
    """Rank the pool with every arm; those that have a personal part also with popularity off."""
    own = inputs.train.own_interactions
    degree_I, num_users = own.item_degree(), int((own.user_degree() > 0).sum())
    arms = {}
    for name, arm in fitted.items():
        for popularity in (True, False) if has_personal_part(arm) else (True,):
            lists = rank_in_blocks(arm, pool, max(ks), popularity, memory_mb)
            about: dict[str, float] = {}
            for k in ks:
                about |= list_metrics(lists.items_UK, k, pool.items, degree_I, num_users, inputs.blocks.x_IF)
            arms[name, popularity] = [ArmEvidence(Findings.of(lists, pool, pool.users), about)]
    return PoolEvidence(pool, arms)


def merged(evidence: list[PoolEvidence]) -> PoolEvidence:
    """The same pool and arms with several seeds. Raises ValueError where pools, users or arms differ."""
    first = evidence[0]
    for other in evidence[1:]:
        is_same_pool = np.array_equal(other.pool.items, first.pool.items)
        is_same = is_same_pool and np.array_equal(other.pool.users, first.pool.users)
        if not is_same or (other.relevant_UI != first.relevant_UI).nnz or set(other.arms) != set(first.arms):
            raise ValueError("Expected the same pool, users, held-out pairs and arms for every seed.")
    return PoolEvidence(first.pool, {key: [one for each in evidence for one in each.arms[key]] for key in first.arms})


def has_personal_part(arm: Arm) -> bool:
    """Whether the arm is also shown with popularity off; a recommender is, a baseline says so itself."""
    return bool(getattr(arm, "has_personal_part", True))


def rank_in_blocks(arm: Arm, pool: Pool, k: int, popularity: bool, memory_mb: int) -> RankedLists:
    """The lists of the pool's users, asked for in blocks, so that ranking works in about `memory_mb`.

    However an arm scores, it never has more users in hand than fit; at least one user's scores over the pool must.
    """
    items_UK = np.empty((len(pool.users), k), dtype=np.int64)
    scores_UK = np.empty((len(pool.users), k), dtype=np.float32)
    for block in _blocks(len(pool.users), memory_mb * 2**20 // (_BYTES_PER_SCORE * len(pool.items))):
        users = pool.users[block]
        lists = arm.rank(users, pool.items, pool.seen[users], k, popularity)
        items_UK[block], scores_UK[block] = lists.items_UK, lists.scores_UK
    return RankedLists(items_UK, scores_UK)


def _blocks(length: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(start, min(start + step, length)) for start in range(0, length, step))
