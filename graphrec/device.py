"""Which device tensors live on."""

from typing import Literal

from graphrec.errors import GraphRecError

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(device: Device) -> str:
    """`cpu` or `cuda`; `auto` takes the GPU where there is one. Raises GraphRecError where there is no CUDA."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise GraphRecError("No CUDA device is available: use device auto or cpu.")
    return device
