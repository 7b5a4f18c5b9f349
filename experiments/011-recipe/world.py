"""Where rows are judged: items masked inside the training data of a dataset, found again by full ranking."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from graphrec import Dataset, GraphRecConfig
from graphrec.data.dataset import Split
from graphrec.data.sample_store import write_sample_store
from graphrec.data.splits.hold_out import HoldOutConfig, hold_out
from graphrec.evaluation.protocol import Pool, build_pool
from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import FeaturesConfig, extract_features
from graphrec.features.gate import item_blocks

PROJECT = Path(__file__).parents[2]
KEPT = PROJECT / "runs" / "011-recipe"
"""The sample store and encoded vectors; outside the repository."""
DATASETS = ("ml1m", "hm", "store")
_CONFIGS = {"ml1m": "ml1m-posters.yaml", "hm": "hm-fashion.yaml"}
_MASKED = 1 / 6
_FIRST_OUTER_SEED = 100
"""Of the judging items; not a seed of the package's own masks, which are drawn inside what is left."""


@dataclass
class World:
    """What is learned from and the pool that judges; features are extracted once for each way to extract them."""

    train: Dataset
    pool: Pool
    _blocks: dict[str, FeatureBlocks] = field(default_factory=dict)

    @classmethod
    def of(cls, split: Split) -> "World":
        return cls(split.train, build_pool(split, "cold"))

    def blocks(self, config: FeaturesConfig, kept: tuple[str, ...]) -> FeatureBlocks:
        """All blocks, or those whose names start with one of `kept`."""
        key = config.model_dump_json()
        if key not in self._blocks:
            is_warm_I = self.train.interactions.item_degree() > 0
            features = extract_features(self.train, is_warm_I, config, device="cpu", cache=KEPT / "vectors")
            self._blocks[key] = item_blocks(features, is_warm_I)
        return restricted(self._blocks[key], kept) if kept else self._blocks[key]


def world(name: str, root: Path | None, seed: int) -> World:
    """A sixth of the items is masked; every seed masks others. No validation or test split is opened."""
    if name == "store":
        folder = KEPT / "sample-store"
        if not folder.exists():
            write_sample_store(folder)
        split = hold_out(Dataset.load(folder), HoldOutConfig(), GraphRecConfig().seed)  # as the demo trains
        assert split is not None
        train = split.train
    else:
        train = Dataset.load(PROJECT / "configs" / "data" / _CONFIGS[name], root).fixed_split("valid").train
    return World.of(train.split_cold_items(_MASKED, _FIRST_OUTER_SEED + seed))


def restricted(blocks: FeatureBlocks, kept: tuple[str, ...]) -> FeatureBlocks:
    """The blocks whose names start with one of `kept`, side by side."""
    names = [name for name in blocks.columns if name.startswith(kept)]
    if not names:
        raise ValueError(f"No block starts with one of {kept}: there are {list(blocks.columns)}.")
    columns, start = {}, 0
    for name in names:
        width = blocks.columns[name].stop - blocks.columns[name].start
        columns[name] = slice(start, start + width)
        start += width
    x_IF = np.ascontiguousarray(np.hstack([blocks.x_IF[:, blocks.columns[name]] for name in names]))
    return replace(blocks, x_IF=x_IF, columns=columns, numeric=blocks.numeric & set(names))
