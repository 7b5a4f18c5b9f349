"""The training loop of a CLIP."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch.nn.utils import clip_grad_norm_

from graphrec.clip_fit.checkpoint import Position, read_checkpoint, write_checkpoint
from graphrec.clip_fit.contrast import contrastive_loss
from graphrec.clip_fit.pairs import Pairs
from graphrec.clip_fit.pictures import Pictures, augmented
from graphrec.errors import GraphRecError
from graphrec.features.clip_loading import LoadedClip
from graphrec.progress import Progress, Say, silent, unsaid

_SMALL_MODEL = 20_000_000
_LARGEST_SCALE = math.log(100)
_EPOCHS_UNASKED = 20


class TrainingConfig(BaseModel, extra="forbid", frozen=True):
    """How a CLIP is trained. The run ends with the first of the budgets, epochs or minutes, that is spent."""

    seed: NonNegativeInt = 0
    epochs: PositiveInt | None = None
    """Passes over the pairs; 20 where no budget is given at all."""
    minutes: PositiveFloat | None = None
    """Time for training itself; decoding the pictures and measuring come on top."""
    batch_size: int = Field(default=128, ge=2)
    learning_rate: PositiveFloat | None = None
    """Highest rate, after the warm-up. Not given: 1e-3 from scratch and for models below 20 million weights, else 1e-5,
    which is gentle enough to keep what a large pretrained model knows."""
    weight_decay: float = Field(default=0.1, ge=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the budget in which the rate rises from 0; it falls to 0 along a cosine afterwards."""
    title_share: float = Field(default=0.5, ge=0, le=1)
    """How often the title alone stands in for the whole text: people search in few words."""
    smallest_crop: float = Field(default=0.7, gt=0, le=1)
    """Side of the smallest part of a picture that is shown for the whole of it."""
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    """Time between two checkpoints, at least."""

    @property
    def epoch_budget(self) -> int | None:
        """Passes over the pairs, None where time alone is the budget."""
        return _EPOCHS_UNASKED if self.epochs is None and self.minutes is None else self.epochs


@dataclass(frozen=True)
class TrainingSummary:
    """What a fit did, over all the processes that took part in it."""

    steps: int
    epochs: float
    seconds: float
    resumed_at: int
    """The step that this process began with."""
    last_loss: float | None


class ClipTraining:
    """One fit: model, data and settings; `run` trains the model in place, from a checkpoint where there is one."""

    def __init__(
        self, clip: LoadedClip, pairs: Pairs, pictures: Pictures, config: TrainingConfig, device: str, rate: float
    ) -> None:
        self._clip, self._pairs, self._pictures, self._config, self._device = clip, pairs, pictures, config, device
        # Channels last: convolutions run up to half as long again without it, on CPUs and GPUs alike.
        self._model = clip.model.train().requires_grad_(True).to(memory_format=torch.channels_last)
        self._logit_scale = cast(torch.Tensor, self._model.logit_scale)
        self._token_TL = clip.tokenize(pairs.texts)
        self._batch_size = min(config.batch_size, len(pairs))
        self._steps_per_epoch = len(pairs) // self._batch_size
        self._rate = rate
        self._optimizer = torch.optim.AdamW(_groups(self._model, config.weight_decay), lr=rate, betas=(0.9, 0.98))
        self._precision, needs_scaling = _mixed_precision(device)
        self._scaler = torch.amp.GradScaler(device.partition(":")[0], enabled=needs_scaling)

    def run(
        self, checkpoint: Path | None = None, key: str = "", progress: Progress = silent, say: Say = unsaid
    ) -> TrainingSummary:
        """Train until a budget is spent. Raises GraphRecError where the checkpoint cannot be used or written."""
        parts = (self._model, self._optimizer, self._scaler)
        start = Position() if checkpoint is None else read_checkpoint(checkpoint, key, *parts)
        if start.step:
            say(f"Going on after step {start.step:,} ({start.seconds / 60:.1f} minutes), from {checkpoint}.")
        now, saved_at = start, time.monotonic()
        # The global generator (dropout) is the caller's; inside, every step sets it.
        with torch.random.fork_rng(devices=[self._device] if self._device.startswith("cuda") else []):
            for now in self._shown(start, progress):
                if checkpoint is not None and time.monotonic() - saved_at >= self._config.checkpoint_seconds:
                    _save(checkpoint, key, now, parts)
                    saved_at = time.monotonic()
        if checkpoint is not None:
            _save(checkpoint, key, now, parts)
        self._model.eval().requires_grad_(False)
        return TrainingSummary(
            steps=now.step,
            epochs=now.step / self._steps_per_epoch,
            seconds=now.seconds,
            resumed_at=start.step,
            last_loss=now.loss,
        )

    def _shown(self, start: Position, progress: Progress) -> Iterator[Position]:
        """The steps with a bar over them: in steps where epochs are the budget, else in seconds."""
        config = self._config
        steps = self._steps(start)
        if config.epoch_budget is not None:
            yield from progress(steps, "Training CLIP", config.epoch_budget * self._steps_per_epoch - start.step)
            return
        last: list[Position] = []

        def seconds() -> Iterator[int]:
            shown = int(start.seconds)
            for position in steps:
                last[:] = [position]
                while int(position.seconds) > shown:
                    shown += 1
                    yield shown

        total = round(60 * (config.minutes or 0) - start.seconds)
        for _ in progress(seconds(), "Training CLIP (seconds)", total):
            yield last[0]
        yield from last

    def _steps(self, start: Position) -> Iterator[Position]:
        position = start
        order_P = np.arange(len(self._pairs))
        epoch = -1
        while (share := self._spent(position)) < 1:
            began = time.perf_counter()
            if position.step // self._steps_per_epoch != epoch:
                epoch = position.step // self._steps_per_epoch
                order_P = np.random.default_rng([self._config.seed, 1, epoch]).permutation(len(self._pairs))
            first = position.step % self._steps_per_epoch * self._batch_size
            loss = self._step(order_P[first : first + self._batch_size], position.step, share)
            seconds = position.seconds + time.perf_counter() - began
            position = Position(position.step + 1, seconds, loss)
            yield position

    def _spent(self, position: Position) -> float:
        """Share of the budget that is used up, by whichever budget is further on."""
        config = self._config
        by_steps = position.step / (config.epoch_budget * self._steps_per_epoch) if config.epoch_budget else 0.0
        by_time = position.seconds / (60 * config.minutes) if config.minutes else 0.0
        return max(by_steps, by_time)

    def _step(self, pair_B: np.ndarray, step: int, share: float) -> float:
        rng = np.random.default_rng([self._config.seed, 2, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        torch.manual_seed(int(rng.integers(2**62)))
        takes_title_B = rng.random(len(pair_B)) < self._config.title_share
        picture_B = self._pairs.picture_P[pair_B]
        text_B = np.where(takes_title_B, self._pairs.title_P[pair_B], self._pairs.text_P[pair_B])
        x_B3HW = self._pictures.take(picture_B)
        good_B = np.array([row not in self._pictures.problems for row in picture_B])
        if good_B.sum() < 2:
            raise GraphRecError("Too few of the pictures can be decoded to learn from them: see `graphrec check`.")
        picture_B, text_B = picture_B[good_B], text_B[good_B]
        x_B3HW = augmented(x_B3HW[good_B].to(self._device), generator, self._config.smallest_crop)
        x_B3HW = x_B3HW.contiguous(memory_format=torch.channels_last)
        with self._precision:
            image_BD = self._clip.encode_image(x_B3HW, normalize=True)
            text_BD = self._clip.encode_text(self._token_TL[text_B].to(self._device), normalize=True)
        loss = contrastive_loss(
            image_BD.float(),
            text_BD.float(),
            self._logit_scale.exp(),
            torch.from_numpy(picture_B).to(self._device),
            torch.from_numpy(text_B).to(self._device),
        )
        self._learn(loss, _rate_factor(share, self._config.warmup))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise GraphRecError(
                f"Training went astray in step {step + 1:,} (the loss is {value}): give a lower --learning-rate, with "
                "--restart."
            )
        return value

    def _learn(self, loss: torch.Tensor, rate_factor: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * rate_factor
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimizer)
        clip_grad_norm_(self._model.parameters(), 1.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        with torch.no_grad():
            self._logit_scale.clamp_(0, _LARGEST_SCALE)


def default_rate(model: torch.nn.Module, from_scratch: bool) -> float:
    """See `TrainingConfig.learning_rate`."""
    num_weights = sum(parameter.numel() for parameter in model.parameters())
    return 1e-3 if from_scratch or num_weights < _SMALL_MODEL else 1e-5


def _rate_factor(share: float, warmup: float) -> float:
    """Linear from 0 to 1 over the warm-up, then along a cosine to 0; `share` of the budget is spent."""
    if share < warmup:
        return max(share / warmup, 1e-3)  # a first step of length zero would teach nothing
    return 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def _groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices decay; gains, biases and the temperature do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def _mixed_precision(device: str) -> tuple[AbstractContextManager[object], bool]:
    """The context of the forward pass, and whether gradients must be scaled: bfloat16 where the GPU has it."""
    if not device.startswith("cuda"):
        return nullcontext(), False
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    dtype = torch.bfloat16 if has_bfloat16 else torch.float16
    return torch.autocast("cuda", dtype=dtype), not has_bfloat16


def _save(path: Path, key: str, position: Position, parts: tuple) -> None:
    try:
        write_checkpoint(path, key, position, *parts)
    except OSError as error:
        raise GraphRecError(
            f"{path} cannot be written ({error.strerror or error}): free some space or choose another --out, and give "
            "the command again; it goes on from the checkpoint before."
        ) from None
