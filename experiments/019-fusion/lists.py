"""Fit graphrec and two existing systems on one training set, and keep the lists that each gives in every pool.

Twice as much is masked as one evaluation needs: one half of it is what a fusion is learned on, the other half, of other
items and other pairs, is what it is reported on. None of the three sees either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from reporting import told

from graphrec import Dataset, GraphRecConfig, GraphRecError, Recommender
from graphrec.atomic_file import replacing
from graphrec.baselines.arm import Arm, TrainingInput
from graphrec.baselines.registry import BASELINES
from graphrec.data.dataset import Split, Truth
from graphrec.evaluation.protocol import POOL_NAMES, Pool, build_pool
from graphrec.evaluation.ranking import RankedLists

PROJECT = Path(__file__).parents[2]
KEPT = PROJECT / "runs" / "019-fusion"
OURS = "graph"
SYSTEMS = ("als", "popularity")
"""What somebody runs already; neither can list an item that nobody has touched."""
LENGTH = 100
COLD_SHARE, WARM_SHARE = 0.2, 0.2
LEARN, REPORT, FINAL = "learn", "report", "final"


@dataclass(frozen=True)
class Part:
    """What is judged by: one half of what is masked, or the held-out file, with its pools by name."""

    name: str
    train: Dataset
    pools: dict[str, Pool]

    @property
    def new_ids(self) -> np.ndarray:
        """Ids of the items that nobody has touched in training."""
        return self.train.catalogue.item_ids[self.train.interactions.item_degree() == 0]


def load(data: str, root: Path) -> Dataset:
    return Dataset.load(PROJECT / "configs" / "data" / f"{data}.yaml", root)


def halves(dataset: Dataset, seed: int) -> list[Part]:
    """A fifth of the items masked whole and a fifth of the other pairs, each in two halves at random.

    In a half compete the items with a training edge and the half's own masked items: no item competes whose truth lies
    in the other half.
    """
    split = dataset.split_cold_items(COLD_SHARE, seed, WARM_SHARE)
    rng = np.random.default_rng(seed)
    user_P, item_P = split.truth.user_index_P, split.truth.item_index_P
    warm = np.flatnonzero(split.train.interactions.item_degree())
    cold = rng.permutation(np.setdiff1d(item_P, warm))
    is_warm_P, coin_P = np.isin(item_P, warm), rng.random(len(item_P)) < 0.5
    parts = []
    for name, side, items in zip((LEARN, REPORT), (True, False), np.array_split(cold, 2), strict=True):
        is_in_P = np.where(is_warm_P, coin_P == side, np.isin(item_P, items))
        truth = Truth(user_P[is_in_P], item_P[is_in_P], np.union1d(warm, items))
        parts.append(part(name, replace(split, truth=truth)))
    return parts


def final(dataset: Dataset) -> Part:
    """The held-out file: every item with a training edge competes, and every new one that occurs in the file."""
    split = dataset.fixed_split("valid")
    warm = np.flatnonzero(split.train.interactions.item_degree())
    candidates = np.union1d(warm, split.truth.item_index_P)
    return part(FINAL, replace(split, truth=replace(split.truth, candidates=candidates)))


def part(name: str, split: Split) -> Part:
    pools = {}
    for pool in POOL_NAMES:
        try:
            pools[pool] = build_pool(split, pool)
        except GraphRecError as nobody:  # of cold_valid.csv, whose every item is new, no warm pair can be judged
            print(f"{name}: {nobody}", flush=True)
    return Part(name, split.train, pools)


def fit_and_keep(dataset: Dataset, parts: list[Part], data: str, seed: int) -> None:
    """All lists of all systems, in a file for each part and pool; what is there already is not made again."""
    files = [list_file(data, seed, one, pool) for one in parts for pool in one.pools]
    if all(file.exists() for file in files):
        return
    train = parts[0].train
    model = Recommender(GraphRecConfig(seed=seed), device="cpu").fit(train, told)
    inputs = TrainingInput(train, model.blocks, model.config.model.tuning, seed)
    arms: dict[str, Arm] = {OURS: model, **{name: BASELINES[name]().fit(inputs, told) for name in SYSTEMS}}
    print(f"{data}, seed {seed}: ALS {arms['als'].settings_}", flush=True)  # type: ignore[attr-defined]
    KEPT.mkdir(parents=True, exist_ok=True)
    for one in parts:
        for name, pool in one.pools.items():
            with replacing(list_file(data, seed, one, name)) as path, path.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **dict(ranked(arms, pool, train)))


def ranked(arms: dict[str, Arm], pool: Pool, train: Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Items and scores of every system's lists; of an existing system only items that it can know."""
    known = np.intersect1d(pool.items, np.flatnonzero(train.interactions.item_degree()))
    for name, arm in arms.items():
        candidates = pool.items if name == OURS else known
        lists = arm.rank(pool.users, candidates, pool.seen[pool.users], LENGTH) if len(candidates) else nothing(pool)
        yield f"{name}_items", lists.items_UK
        yield f"{name}_scores", lists.scores_UK


def nothing(pool: Pool) -> RankedLists:
    shape = (len(pool.users), LENGTH)
    return RankedLists(np.full(shape, -1), np.full(shape, np.nan, np.float32))


def list_file(data: str, seed: int, part: Part, pool: str) -> Path:
    return KEPT / f"{data}-{seed}-{part.name}-{pool}.npz"


def table(data: str, seed: int, part: Part, pool: str, system: str) -> pd.DataFrame:
    """The lists of one system as anybody would have them: user_id, item_id, score."""
    with np.load(list_file(data, seed, part, pool), allow_pickle=False) as kept:
        items_UK, scores_UK = kept[f"{system}_items"], kept[f"{system}_scores"]
    row, rank = np.nonzero(items_UK >= 0)
    return pd.DataFrame(
        {
            "user_id": part.train.user_ids[part.pools[pool].users[row]],
            "item_id": part.train.catalogue.item_ids[items_UK[row, rank]],
            "score": scores_UK[row, rank],
        }
    )


def truth_table(part: Part, pool: str) -> pd.DataFrame:
    """What the users of a pool really touched: user_id, item_id."""
    pairs = part.pools[pool].truth.tocoo()
    return pd.DataFrame(
        {"user_id": part.train.user_ids[pairs.row], "item_id": part.train.catalogue.item_ids[pairs.col]}
    )
