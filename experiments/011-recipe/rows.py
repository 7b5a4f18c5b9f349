"""The grid: every row is the base with one thing changed."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

BASE, CONTENT = "base", "content"


@dataclass(frozen=True)
class Row:
    """One line of the table. A row changes settings, swaps functions (`variants.py`) or drops feature blocks."""

    name: str
    factor: str
    change: str
    """In words."""
    settings: tuple[str, ...] = ()
    """As `--set` takes them."""
    variants: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    """Starts of the names of the blocks that stay; none: all."""
    arm: Literal["graph", "content", "ease-content"] = "graph"
    against: tuple[str, ...] = (BASE,)
    """Rows that it is compared with over the same users."""

    def what(self) -> dict[str, Any]:
        """What decides its result, without its words."""
        return {key: value for key, value in asdict(self).items() if key not in ("factor", "change", "against")}


def _one(factor: str, name: str, change: str, *settings: str, **more: Any) -> Row:
    return Row(name, factor, change, settings, **more)


def _modality(name: str, change: str, *blocks: str) -> tuple[Row, Row]:
    """The same blocks for both arms, each compared with its own base, the graph arm with the content arm too."""
    twin = f"{CONTENT}-{name}"
    return (
        Row(twin, "modality", f"content arm: {change}", blocks=blocks, arm="content", against=(CONTENT,)),
        Row(name, "modality", change, blocks=blocks, against=(BASE, twin)),
    )


_TRAINING = "model.training."
_PROPAGATED = ("model.training.max_epochs=1",)  # what one epoch has trained is not looked at

ROWS: tuple[Row, ...] = (
    Row(BASE, "base", "the default settings, all features", against=(CONTENT, "ease-content")),
    Row(CONTENT, "teacher of H", "raw interactions: the content arm (0 hops)", arm="content"),
    *_modality("text", "text alone (sentence vector and words)", "text", "words"),
    *_modality("image", "image alone", "image"),
    *_modality("attributes", "attributes alone", "attribute:"),
    *_modality("vectors", "image and sentence vectors alone", "text", "image"),
    *_modality("no-image", "all but the image", "text", "words", "attribute:"),
    _one("fusion", "no-products", "kernel head without products of blocks", variants=("no products",)),
    _one("fusion", "late-sum", "late sum: no products, powers or Gaussians", variants=("linear blocks",)),
    Row("content-late-sum", "fusion", "content arm: late sum", variants=("linear blocks",), arm="content",
        against=(CONTENT,)),
    _one("fusion", "mlp-head", "concatenate + MLP as the head", variants=("mlp head",)),
    _one("fusion", "gate", "a gate per item on pictures and texts", "features.gate=true"),
    _one("fusion", "no-raw", "no raw block", "model.raw_dim=0"),
    _one("fusion", "no-residual", "no vectors of their own for warm items", "model.encoder.residual=false"),
    _one("fusion", "per-modality", "one GraphSAGE per modality, summed (as MMGCN)", "model.encoder.dim=384",
         variants=("one graph per modality",)),
    _one("fusion", "wide", "one GraphSAGE as wide as those together", "model.encoder.dim=384"),
    _one("hops", "hops-2", "2 hops, fanouts 50, 10", "model.encoder.fanouts=[50,10]"),
    _one("hops", "hops-3", "3 hops, fanouts 30, 10, 5", "model.encoder.fanouts=[30,10,5]"),
    _one("hops", "untrained-0", "0 hops, no training: raw interactions, rank 128", *_PROPAGATED,
         variants=("interactions", "z alone")),
    _one("teacher of H", "z-alone", "z alone", variants=("z alone",)),
    _one("teacher of H", "fold-in-alone", "fold-in alone", variants=("fold-in alone",)),
    _one("teacher of H", "propagated", "propagated adjacency (LightGCN without training), rank 128", *_PROPAGATED,
         variants=("propagation", "z alone")),
    _one("teacher of H", "ease", "EASE, rank 128, in place of GraphSAGE", *_PROPAGATED, variants=("EASE", "z alone")),
    _one("teacher of H", "z-and-ease", "z and EASE in place of the fold-in", variants=("EASE folded in",)),
    Row("ease-content", "teacher of H", "EASE with content, the baseline", arm="ease-content"),
    _one("loss", "no-logq", "sampled softmax without logQ", variants=("no logQ",)),
    _one("loss", "bpr", "BPR, one negative of the batch", variants=("BPR",)),
    _one("loss", "bce", "BCE, one negative of the batch", variants=("BCE",)),
    _one("loss", "uniform", "uniform negatives beside the batch's", f"{_TRAINING}uniform_negatives=1"),
    _one("loss", "hard", "softmax over the 200 best-scored negatives", variants=("hard negatives",)),
    _one("leaks", "target-edges-in", "predicted edges stay in the neighbourhoods", variants=("target edges stay",)),
    _one("masking", "whole-items", "30 % of a step's items lose their own vector", variants=("residuals masked",)),
    *(_one("training", f"{name}-{value}", f"{name.replace('-', ' ')} {value}", f"{_TRAINING}{setting}={value}")
      for name, setting, values in (
          ("target-rate", "target_rate", ("0.3", "0.8")),
          ("temperature", "temperature", ("0.07", "0.3")),
          ("popularity-share", "popularity_share", ("0", "1")),
          ("learning-rate", "learning_rate", ("0.001", "0.005")),
          ("max-epochs", "max_epochs", ("5", "10")),
      ) for value in values),
    _one("training", "dim-64", "dim 64", "model.encoder.dim=64"),
    _one("training", "dim-256", "dim 256", "model.encoder.dim=256"),
)  # fmt: skip


def chosen(names: str) -> tuple[Row, ...]:
    """Rows by their names or their factors, separated by commas, in the grid's order; all where none are given."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    unknown = wanted - {row.name for row in ROWS} - {row.factor for row in ROWS}
    if unknown:
        raise SystemExit(
            f"No such row or factor: {', '.join(sorted(unknown))}. Rows: {', '.join(r.name for r in ROWS)}."
        )
    return tuple(row for row in ROWS if not wanted or {row.name, row.factor} & wanted)
