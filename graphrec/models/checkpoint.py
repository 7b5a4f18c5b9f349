"""A fit that was killed goes on where it stopped: one file holds what the rest of its training depends on.

The file is a safetensors file whose header carries the plain values as JSON. It is replaced as a whole at the end of an
epoch, and only read by a fit of the same data, features, settings, seed, device and versions.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from graphrec import atomic_file
from graphrec.artifact import package_versions
from graphrec.data.dataset import Dataset
from graphrec.data.fingerprint import fingerprint
from graphrec.disk import why_not_written
from graphrec.errors import GraphRecError
from graphrec.features.blocks import FeatureBlocks
from graphrec.models.graphsage import GraphSAGE
from graphrec.progress import Say, unsaid

FORMAT_VERSION = 2
EVERY_SECONDS = 20.0
"""Time between two checkpoints, at least."""
LARGEST_SHARE = 0.05
"""Share of the time that writing checkpoints may take: where one takes long, they are written less often."""
FACTS = "facts"
_HEADER = "graphrec.checkpoint"


@dataclass(frozen=True)
class State:
    """Something as tensors and JSON values, by name."""

    tensors: dict[str, torch.Tensor]
    values: dict[str, Any]


class Resumable(Protocol):
    """What can be written down between two epochs and go on from there."""

    def state(self) -> State:
        """As it is now; tensors may be the live ones, they are written before the next step."""
        ...

    def restore(self, state: State) -> None:
        """As it was then."""
        ...


@dataclass(frozen=True)
class TrainingState:
    """Everything that the next epoch depends on: weights, optimisers, and where each source of randomness stands."""

    encoder: GraphSAGE
    optimizers: Sequence[torch.optim.Optimizer]
    rng: np.random.Generator
    generator: torch.Generator

    def state(self) -> State:
        """See `Resumable`."""
        tensors = {f"encoder.{name}": tensor for name, tensor in self.encoder.state_dict().items()}
        tensors["generator"] = self.generator.get_state()
        values: dict[str, Any] = {"rng": self.rng.bit_generator.state}
        for number, optimizer in enumerate(self.optimizers):
            for parameter, moments in optimizer.state_dict()["state"].items():
                for name, value in moments.items():
                    kind = tensors if isinstance(value, torch.Tensor) else values
                    kind[f"optimizer.{number}.{parameter}.{name}"] = value
        return State(tensors, values)

    def restore(self, state: State) -> None:
        """See `Resumable`."""
        self.encoder.load_state_dict(_below("encoder.", state.tensors))
        self.generator.set_state(state.tensors["generator"])
        self.rng.bit_generator.state = state.values["rng"]
        for number, optimizer in enumerate(self.optimizers):
            moments: defaultdict[int, dict[str, Any]] = defaultdict(dict)
            for key, value in _below(f"optimizer.{number}.", {**state.tensors, **state.values}).items():
                parameter, _, name = key.partition(".")
                moments[int(parameter)][name] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": dict(moments), "param_groups": groups})


@dataclass(frozen=True)
class _Saved:
    stage: str
    epoch: int
    is_over: bool
    parts: dict[str, State]


class Checkpoint:
    """The file of one fit. A fit has stages, one after the other; the file is about the one that it is in.

    A file that cannot be used (of another fit, or damaged) is said so, and replaced at the first checkpoint. Where the
    file cannot be written, training goes on without, and that is said once.
    """

    def __init__(self, path: Path, key: str, say: Say = unsaid) -> None:
        self.path, self.key, self._say = Path(path), key, say
        self._found = self._read()
        self._facts: dict[str, Any] = {}
        self._written_at, self._cost, self._has_failed = time.monotonic(), 0.0, False

    def facts(self, stage: str) -> dict[str, Any] | None:
        """The JSON values that `begin` wrote for this stage; None where the file has not come so far."""
        return None if self._found is None or self._found.stage != stage else self._found.parts[FACTS].values

    def begin(self, stage: str, facts: dict[str, Any]) -> None:
        """Write down that the stage begins, and what was found out before it."""
        self._facts = facts
        self._write(_Saved(stage, 0, False, {FACTS: State({}, facts)}))

    def resume(self, stage: str, parts: Mapping[str, Resumable]) -> tuple[int, bool]:
        """Set the parts back to where they were; the epochs that are done, and whether the stage is over."""
        saved = self._found
        if saved is None or saved.stage != stage:
            return 0, False
        self._found, self._facts = None, saved.parts[FACTS].values
        for name, part in parts.items():
            if saved.epoch:
                part.restore(saved.parts[name])
        place = "at the end" if saved.is_over else f"from epoch {saved.epoch + 1}"
        self._say(f"Resuming {place} of {stage} ({self.path}).")
        return saved.epoch, saved.is_over

    def keep(self, stage: str, epoch: int, is_over: bool, parts: Mapping[str, Resumable]) -> None:
        """Write the file after an epoch, where it is due or the stage is over."""
        waited = time.monotonic() - self._written_at
        if is_over or waited >= max(EVERY_SECONDS, self._cost * (1 / LARGEST_SHARE - 1)):
            states = {name: part.state() for name, part in parts.items()}
            self._write(_Saved(stage, epoch, is_over, {FACTS: State({}, self._facts), **states}))

    def _write(self, saved: _Saved) -> None:
        header = {
            "format_version": FORMAT_VERSION,
            "key": self.key,
            "stage": saved.stage,
            "epoch": saved.epoch,
            "is_over": saved.is_over,
            "values": {name: part.values for name, part in saved.parts.items()},
        }
        tensors = {
            f"{name}/{key}": tensor.detach().cpu().contiguous()
            for name, part in saved.parts.items()
            for key, tensor in part.tensors.items()
        }
        started = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file.replacing(self.path) as part_path:
                save_file(tensors, part_path, {_HEADER: json.dumps(header)})
        except (OSError, SafetensorError) as error:
            if not self._has_failed:
                reason = why_not_written(error) or error
                self._say(f"{self.path} cannot be written ({reason}): training goes on, and cannot be resumed here.")
            self._has_failed = True
        self._written_at = time.monotonic()
        self._cost = self._written_at - started

    def _read(self) -> _Saved | None:
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[_HEADER])
                if header["format_version"] != FORMAT_VERSION or header["key"] != self.key:
                    self._say(f"{self.path} is of other data, settings or versions: not used, and replaced.")
                    return None
                # Copies: a tensor of a mapped file may lie at any address, and a sum may depend on that.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no dict)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            self._say(f"{self.path} cannot be read: not used, and replaced.")
            return None
        parts = {name: State(_below(f"{name}/", tensors), values) for name, values in header["values"].items()}
        return _Saved(header["stage"], header["epoch"], header["is_over"], parts)


@dataclass(frozen=True)
class StageCheckpoint:
    """One stage's view of the checkpoint: the training itself, and `beside` it what listens to its epochs."""

    checkpoint: Checkpoint
    name: str
    beside: Mapping[str, Resumable] = field(default_factory=dict)

    def resume(self, training: Resumable) -> tuple[int, bool]:
        """See `Checkpoint.resume`."""
        return self.checkpoint.resume(self.name, {"training": training, **self.beside})

    def keep(self, epoch: int, is_over: bool, training: Resumable) -> None:
        """See `Checkpoint.keep`."""
        self.checkpoint.keep(self.name, epoch, is_over, {"training": training, **self.beside})


def remove_checkpoint(path: Path, key: str | None = None) -> None:
    """Delete a checkpoint and what a killed fit left beside it. Raises GraphRecError where that is not possible.

    With the `training_key` of a fit, a checkpoint that another fit has put there meanwhile stays.
    """
    if key is not None and path.exists() and _key_of(path) != key:
        return
    try:
        atomic_file.remove(path)
    except OSError as error:
        raise GraphRecError(f"{path} cannot be deleted: {error.strerror or error}.") from None


def _key_of(path: Path) -> str | None:
    """The key of the fit that wrote the file; None where that cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            key: str = json.loads((file.metadata() or {})[_HEADER])["key"]
            return key
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def training_key(train: Dataset, blocks: FeatureBlocks, config: BaseModel, seed: int, device: str) -> str:
    """sha256, as hex, over everything that decides what a fit makes of these features."""
    about = {
        "config": config.model_dump(mode="json"),
        "seed": seed,
        "device": device,
        "packages": package_versions(),
        "columns": {name: [columns.start, columns.stop] for name, columns in blocks.columns.items()},
        "data": fingerprint(train),
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(blocks.x_IF).data)
    return digest.hexdigest()


def _below(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
