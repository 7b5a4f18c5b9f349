"""From catalogues to a fitted CLIP in a folder, with what it gained on products that it never saw."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from pydantic import BaseModel, Field, PositiveFloat

from graphrec import atomic_file
from graphrec.artifact import check_replaceable, checkpoint_path, package_versions
from graphrec.clip_fit.model_folder import KIND, round_weights, write_clip_folder
from graphrec.clip_fit.pairs import Pairs, find_pairs
from graphrec.clip_fit.pictures import Pictures
from graphrec.clip_fit.retrieval_quality import RetrievalQuality, retrieval_quality
from graphrec.clip_fit.training import ClipTraining, TrainingConfig, TrainingSummary, default_rate
from graphrec.data.dataset import Dataset
from graphrec.disk import why_not_written
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig
from graphrec.features.clip_loading import LoadedClip, load_clip
from graphrec.features.decoding import PictureDecoder
from graphrec.locks import lock_file
from graphrec.progress import Progress, Say, silent, unsaid

_EVALUATION_BATCH = 128


class ClipFitConfig(BaseModel, extra="forbid", frozen=True):
    """What is fitted, and on what."""

    clip: ClipConfig = ClipConfig()
    """The model to start from."""
    from_scratch: bool = False
    """Take the architecture alone and begin with random weights."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the pairs that is kept for measuring, whole products at a time."""
    half_precision: bool = True
    """Write the weights as float16, after rounding them; what is measured is what is written."""
    picture_memory_gb: PositiveFloat = 4.0
    """Decoded pictures are kept in memory where they fit into this; else each is decoded again in every pass."""
    training: TrainingConfig = TrainingConfig()


Quality = dict[str, RetrievalQuality]
"""How well pictures and texts are matched: `text` for whole texts, `title` for titles alone."""


@dataclass(frozen=True)
class ClipFitReport:
    """What a fit did. The qualities are None where nothing was held out."""

    out: Path
    start: str
    train_pairs: int
    held_out_pairs: int
    left_out: dict[str, int]
    before: Quality | None
    after: Quality | None
    summary: TrainingSummary

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        plain = {**asdict(self), "out": str(self.out)}
        for name, quality in (("before", self.before), ("after", self.after)):
            plain[name] = None if quality is None else {kind: one.to_json() for kind, one in quality.items()}
        return plain


def fit_clip(
    datasets: Sequence[Dataset],
    config: ClipFitConfig,
    out: Path,
    device: str = "cpu",
    exclude: Collection[tuple[int, str]] = (),
    restart: bool = False,
    progress: Progress = silent,
    say: Say = unsaid,
) -> ClipFitReport:
    """Train a CLIP on the pairs of the datasets and write it to the folder `out`, which open_clip reads.

    A fit that was killed goes on from its checkpoint when it is called again with the same arguments, unless `restart`.
    On a CPU, and with epochs as the only budget, the end is the same bit for bit. Items of `exclude`, (position of
    the dataset, item id), and their products are neither learned from nor measured on.

    Raises GraphRecError where there are fewer than two pairs, the model cannot be loaded, `out` holds something else,
    or another fit is writing there.
    """
    check_replaceable(out, KIND)  # before hours of training, not after
    with _only_fit(out):
        return _fit(datasets, config, out, device, exclude, restart, progress, say)


@contextmanager
def _only_fit(out: Path) -> Iterator[None]:
    """Two fits to one folder would overwrite each other's checkpoint."""
    lock = checkpoint_path(out).with_suffix(".lock")
    with ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            is_alone = stack.enter_context(lock_file(lock))
        except OSError as error:
            raise GraphRecError(f"{out} cannot be written: {why_not_written(error)}. Choose another --out.") from error
        if not is_alone:
            raise GraphRecError(
                f"Another clip fit is writing to {out}: wait until it is done, or choose another --out."
            )
        yield


def _fit(
    datasets: Sequence[Dataset],
    config: ClipFitConfig,
    out: Path,
    device: str,
    exclude: Collection[tuple[int, str]],
    restart: bool,
    progress: Progress,
    say: Say,
) -> ClipFitReport:
    pairs = find_pairs(datasets, exclude, progress)
    train, held_out = pairs.hold_out(config.held_out, config.training.seed)
    if len(train) < 2:
        raise GraphRecError(
            f"Only {len(train)} picture-text pair is left to learn from, {len(held_out):,} are held out, and learning "
            f"takes at least 2{_no_pairs(pairs)}."
        )
    seed = config.training.seed if config.from_scratch else None
    clip = load_clip(config.clip.model, config.clip.pretrained, device, seed)
    memory = config.picture_memory_gb * 1e9
    train_pictures = load_pictures(clip, train, config.clip, memory, progress)
    held_pictures = load_pictures(clip, held_out, config.clip, memory / 4, progress)
    before = measure(clip, held_out, held_pictures, device) if len(held_out) else None
    checkpoint = checkpoint_path(out)
    if restart:
        atomic_file.remove(checkpoint)
    rate = config.training.learning_rate or default_rate(clip.model, config.from_scratch)
    training = ClipTraining(clip, train, train_pictures, config.training, device, rate)
    key = _key(config, device, train, clip)
    summary = training.run(checkpoint, key, progress, say)
    if config.half_precision:
        round_weights(clip.model)
    after = measure(clip, held_out, held_pictures, device) if len(held_out) else None
    start = f"{config.clip}, random weights" if config.from_scratch else str(config.clip)
    report = ClipFitReport(
        out, start, len(train), len(held_out), _left_out(pairs, train_pictures, held_pictures), before, after, summary
    )
    about = {"config": config.model_dump(mode="json"), "datasets": [d.name for d in datasets], **report.to_json()}
    write_clip_folder(out, clip, {name: value for name, value in about.items() if name != "out"})
    atomic_file.remove(checkpoint)
    return report


def load_pictures(
    clip: LoadedClip, pairs: Pairs, config: ClipConfig, max_bytes: float, progress: Progress = silent
) -> Pictures:
    """The pairs' pictures as the model reads them."""
    side = cast(Any, clip.model).visual.image_size
    height, width = side if isinstance(side, (tuple, list)) else (side, side)
    decoder = PictureDecoder(clip.preprocess, clip.image_side, config.decode_threads)
    return Pictures(pairs.paths, decoder, (3, height, width), int(max_bytes), progress)


@torch.inference_mode()
def measure(clip: LoadedClip, pairs: Pairs, pictures: Pictures, device: str = "cpu") -> Quality:
    """R@k of a model in evaluation mode over pairs, once with the whole texts and once with the titles alone.

    Pairs whose picture cannot be decoded are no part of it.
    """
    image_UD = np.concatenate(
        [
            clip.encode_image(pictures.take(rows).to(device), normalize=True).float().cpu().numpy()
            for rows in _batches(len(pairs.paths))
        ]
    )
    text_TD = np.concatenate(
        [
            clip.encode_text(clip.tokenize([pairs.texts[row] for row in rows]).to(device), normalize=True)
            .float()
            .cpu()
            .numpy()
            for rows in _batches(len(pairs.texts))
        ]
    )
    is_good_P = ~np.isin(pairs.picture_P, list(pictures.problems))
    if not is_good_P.any():
        raise GraphRecError("None of the held-out pictures can be decoded: see `graphrec check`.")
    quality = {}
    for name, row_P in (("text", pairs.text_P), ("title", pairs.title_P)):
        picture, picture_P = np.unique(pairs.picture_P[is_good_P], return_inverse=True)
        text, text_P = np.unique(row_P[is_good_P], return_inverse=True)
        quality[name] = retrieval_quality(image_UD[picture], text_TD[text], picture_P, text_P)
    return quality


def _batches(num_rows: int) -> list[np.ndarray]:
    return [
        np.arange(start, min(start + _EVALUATION_BATCH, num_rows)) for start in range(0, num_rows, _EVALUATION_BATCH)
    ]


def _no_pairs(pairs: Pairs) -> str:
    return "".join(f"; no pair: {count:,} items, {reason}" for reason, count in pairs.left_out.items())


def _left_out(pairs: Pairs, *pictures: Pictures) -> dict[str, int]:
    undecodable = sum(len(one.problems) for one in pictures)
    return pairs.left_out | ({"picture cannot be decoded": undecodable} if undecodable else {})


def _key(config: ClipFitConfig, device: str, train: Pairs, clip: LoadedClip) -> str:
    """sha256, as hex, over everything that decides what a fit makes."""
    about = {
        "config": config.model_dump(mode="json"),
        "device": device,
        "packages": package_versions(),
        "pictures": [[str(path), path.stat().st_size] for path in train.paths],
        "texts": train.texts,
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for rows in (train.picture_P, train.text_P, train.title_P):
        digest.update(np.ascontiguousarray(rows).data)
    for tensor in clip.model.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
