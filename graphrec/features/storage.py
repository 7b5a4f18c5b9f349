"""Item features on disk: JSON, .npy and safetensors, no pickle; every value comes back bit for bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from graphrec.errors import GraphRecError
from graphrec.features.attributes import AttributeEncoder
from graphrec.features.clip import ClipConfig
from graphrec.features.extract import FeatureEncoders, ItemFeatures
from graphrec.features.modality import Modality
from graphrec.features.words import WordsEncoder

_INDEX = "features.json"
_WORDS = "words.safetensors"
_SHAPE = {
    "modalities": list, "notes": list, "signals": list, "own": dict, "clip": dict, "clip_kinds": list,
    "attributes": dict,
}  # fmt: skip
"""What of the index has to be there, as which JSON."""


def write_features(features: ItemFeatures, folder: Path) -> None:
    """Write into a folder, made where needed. Modalities are numbered: their names need not be file names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, modality in enumerate(features.modalities.values()):
        np.save(_vectors_file(folder, number), modality.x_IF, allow_pickle=False)
        np.save(_presence_file(folder, number), modality.present_I, allow_pickle=False)
    encoders = features.encoders
    if encoders.words is not None:
        tensors = {name: np.ascontiguousarray(array) for name, array in encoders.words.tensors().items()}
        save_file(tensors, folder / _WORDS)
    for name, signal_IS in features.signals.items():
        np.save(_signals_file(folder, name), signal_IS, allow_pickle=False)
    index = {
        "modalities": list(features.modalities),
        "notes": list(features.notes),
        "signals": list(features.signals),
        "own": encoders.own,
        "clip": encoders.clip.model_dump(),
        "clip_kinds": list(encoders.clip_kinds),
        "attributes": encoders.attributes.to_json(),
        "vocabulary": None if encoders.words is None else list(encoders.words.vocabulary),
    }
    (folder / _INDEX).write_text(json.dumps(index, ensure_ascii=False, indent=1), encoding="utf-8")


def read_features(folder: Path) -> ItemFeatures:
    """The features that `write_features` wrote. Raises GraphRecError where a file is missing or damaged."""
    try:
        index = _read_index(folder)
        modalities = {name: _read_modality(folder, number) for number, name in enumerate(index["modalities"])}
        signals = {name: np.load(_signals_file(folder, name), allow_pickle=False) for name in index["signals"]}
        return ItemFeatures(modalities, tuple(index["notes"]), _read_encoders(folder, index), signals)
    except FileNotFoundError as error:
        # NumPy names the file in `filename`, safetensors only in its message.
        file = Path(error.filename or str(error).rpartition(": ")[2]).name
        raise GraphRecError(f"{folder.name}: {file} is missing; write the features again.") from None
    except (OSError, ValueError, KeyError, EOFError, SafetensorError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise GraphRecError(f"{folder.name}: features cannot be read ({reason}); write them again.") from error


def _read_index(folder: Path) -> dict[str, Any]:
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    if not isinstance(index, dict):
        raise ValueError(f"{_INDEX} holds no JSON object")
    for key, kind in _SHAPE.items():
        if not isinstance(index.get(key), kind):
            raise ValueError(f"{_INDEX} has no {key!r}, or something else in its place")
    return index


def _signals_file(folder: Path, name: str) -> Path:
    return folder / f"signals-{name}.npy"


def _vectors_file(folder: Path, number: int) -> Path:
    return folder / f"modality-{number:03}.npy"


def _presence_file(folder: Path, number: int) -> Path:
    return folder / f"modality-{number:03}-present.npy"


def _read_modality(folder: Path, number: int) -> Modality:
    x_IF = np.load(_vectors_file(folder, number), allow_pickle=False)
    return Modality(x_IF, np.load(_presence_file(folder, number), allow_pickle=False))


def _read_encoders(folder: Path, index: dict[str, Any]) -> FeatureEncoders:
    vocabulary = index["vocabulary"]
    return FeatureEncoders(
        own=dict(index["own"]),
        clip=ClipConfig(**index["clip"]),
        clip_kinds=tuple(index["clip_kinds"]),
        words=None if vocabulary is None else WordsEncoder.from_tensors(vocabulary, load_file(folder / _WORDS)),
        attributes=AttributeEncoder.from_json(index["attributes"]),
    )
