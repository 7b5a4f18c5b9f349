"""A fit that was killed goes on where it stopped: one file holds weights, optimiser and position.

No generator's state is needed: what is drawn in a step depends on the seed and the step's number alone. The file is a
safetensors file whose header carries the plain values as JSON, and it is replaced as a whole.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from graphrec import atomic_file
from graphrec.errors import GraphRecError

FORMAT_VERSION = 1
_HEADER = "graphrec.clip_fit"


@dataclass(frozen=True)
class Position:
    """How far a fit has come."""

    step: int = 0
    seconds: float = 0.0
    """Time spent on the steps so far, over all the processes that took part."""
    loss: float | None = None
    """That of the last step."""


def write_checkpoint(
    path: Path, key: str, position: Position, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: Any
) -> None:
    """Replace the file. `key` tells this fit from others, see `read_checkpoint`. OSError where the disk is full."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for parameter, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{parameter}.{name}": tensor for name, tensor in moments.items()}
    header = {"format_version": FORMAT_VERSION, "key": key, "position": asdict(position), "scaler": scaler.state_dict()}
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replacing(path) as part:
        save_file(plain, part, {_HEADER: json.dumps(header)})


def read_checkpoint(
    path: Path, key: str, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: Any
) -> Position:
    """Put model and optimiser back to where the file left them; position 0 where there is no file.

    Raises GraphRecError where the file is damaged or belongs to a fit with other data or settings: hours of somebody's
    work are not thrown away unasked.
    """
    if not path.exists():
        return Position()
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            if header["format_version"] != FORMAT_VERSION or header["key"] != key:
                raise GraphRecError(
                    f"{path} is the checkpoint of a fit with other data or settings: give its command again, or "
                    "--restart to begin anew, or another --out."
                )
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no dict)
        model.load_state_dict(
            {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
        )
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, parameter, moment = name.split(".", 2)
                moments.setdefault(int(parameter), {})[moment] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        scaler.load_state_dict(header["scaler"])
        return Position(**header["position"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise GraphRecError(f"{path} cannot be read ({reason}): give --restart to begin anew.") from error
