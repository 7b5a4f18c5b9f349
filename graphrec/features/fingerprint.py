"""What a CLIP's vectors depend on, as one short name: the same name, the same vectors of the same content.

The name is made of the loaded model: its weights, architecture, preprocessing and tokenizer. So that a catalogue that
is in the cache already costs no loading, the cache remembers which *recipe* (model name, and sha256 of the files that
it is loaded from) gave which fingerprint. A tag of open_clip or a name on the hub is no recipe, for what stands behind
it can change: such a model is loaded each time.
"""

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, PositiveInt, ValidationError

from graphrec.atomic_file import replacing
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.clip_loading import LOCAL, SMALL, SMALL_FOLDER
from graphrec.features.decoding import DECODING

_FORMAT = 1
_PROBES = (
    "",
    "red dress",
    "Größe 38, 100% Wolle; it's 漢字 🙂",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 9,
)


class ClipFacts(BaseModel, frozen=True, extra="forbid"):
    """What has to be known of a CLIP where all of its vectors are in the cache."""

    image: str
    """Fingerprint of its vectors of pictures: the name under which they are kept."""
    text: str
    """The same for texts."""
    dim: PositiveInt
    num_tokens: PositiveInt
    """How many tokens of a text the model reads."""
    image_side: PositiveInt
    """Pixels along the longer side of what it reads."""


def facts_of(encoder: ClipEncoder) -> ClipFacts:
    """Of a loaded model; its tensors are read once, so this takes a second where they are a gigabyte."""
    clip, dim = encoder.loaded, encoder.dim
    shared = {
        "format": _FORMAT,
        "weights": _hash_of_weights(clip.model),
        "architecture": clip.config["model_cfg"],
        # Settings beside the configuration, such as another activation function, change which modules there are.
        "modules": sorted({type(module).__name__ for module in clip.model.modules()}),
        "dim": dim,
    }
    image = {**shared, "preprocessing": clip.config["preprocess_cfg"], "decoding": DECODING}
    tokens = clip.tokenize(list(_PROBES)).numpy()
    tokenizer = [type(clip.tokenize).__name__, list(tokens.shape), hashlib.sha256(tokens.tobytes()).hexdigest()]
    text = {**shared, "tokenizer": tokenizer}
    return ClipFacts(
        image=_short(image), text=_short(text), dim=dim, num_tokens=encoder.num_tokens, image_side=clip.image_side
    )


def recipe_of(config: ClipConfig) -> str | None:
    """A name for the files that the model is loaded from; None where it is not loaded from files that stay."""
    files = _files_of(config)
    if not files:
        return None
    hashes = [(path.name, _hash_of_file(path)) for path in files]
    model = LOCAL if config.model.startswith(LOCAL) else config.model  # where the folder stands does not matter
    return _short({"model": model, "files": hashes, "open_clip": version("open_clip_torch"), "decoding": DECODING})


def remembered(cache: Path, recipe: str) -> ClipFacts | None:
    """What `remember` wrote; None where it did not, or the file was damaged."""
    with suppress(OSError, ValidationError):
        return ClipFacts.model_validate_json(_memo(cache, recipe).read_text(encoding="utf-8"))
    return None


def remember(cache: Path, recipe: str, found: ClipFacts) -> None:
    """Write it beside the vectors. A folder that cannot be written costs the next run a loading, and nothing else."""
    with suppress(OSError):
        _memo(cache, recipe).parent.mkdir(parents=True, exist_ok=True)
        with replacing(_memo(cache, recipe)) as part:
            part.write_text(found.model_dump_json() + "\n", encoding="utf-8")


def _memo(cache: Path, recipe: str) -> Path:
    return cache / "models" / f"{recipe}.json"


def _files_of(config: ClipConfig) -> list[Path]:
    if config.model == SMALL and config.pretrained is None:
        folder = SMALL_FOLDER
    elif config.model.startswith(LOCAL):
        folder = Path(config.model.removeprefix(LOCAL))
    else:
        path = Path(config.pretrained or "").expanduser()
        return [path] if path.is_file() else []
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of_weights(model: torch.nn.Module) -> str:
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def _short(described: dict[str, Any]) -> str:
    text = json.dumps(described, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
