"""A CLIP as a folder that open_clip reads as `local-dir:`: its configuration, its weights, and a manifest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from graphrec.artifact import Manifest, write_artifact
from graphrec.disk import share
from graphrec.features.clip_loading import LoadedClip

KIND = "clip"
CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


def write_clip_folder(folder: Path, clip: LoadedClip, about: Mapping[str, Any]) -> Manifest:
    """Write the model as it is, whole or not at all; weights that float16 holds exactly are written as float16.

    Raises GraphRecError where something else is in the way.
    """

    def write(writing: Path) -> None:
        (writing / CONFIG).write_text(json.dumps(clip.config, indent=2) + "\n", encoding="utf-8")
        save_file({name: _smallest(tensor) for name, tensor in clip.model.state_dict().items()}, writing / WEIGHTS)
        share(writing / WEIGHTS)
        huggingface = getattr(clip.tokenize, "tokenizer", None)
        if huggingface is not None:  # open_clip looks for its files in the same folder
            huggingface.save_pretrained(str(writing))

    return write_artifact(folder, write, about, KIND)


def round_weights(model: torch.nn.Module) -> None:
    """Round every weight that fits to float16, in place: what is measured then is what is written."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point() and tensor.half().isfinite().all():
                tensor.copy_(tensor.half())


def _smallest(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.detach().cpu().contiguous().clone()
    if not plain.is_floating_point() or not torch.equal(plain.half().to(plain.dtype), plain):
        return plain
    return plain.half()
