"""A `Placement` on disk: safetensors and JSON; every value comes back bit for bit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel import Kernel, terms_of
from graphrec.models.kernel_ridge import FittedHead
from graphrec.models.placement import Placement
from graphrec.models.popularity import DegreeScale

_TENSORS, _ABOUT = "placement.safetensors", "placement.json"
_HEADS = ("taught", "raw", "popularity")


def write_placement(placement: Placement, numeric: frozenset[str], folder: Path) -> None:
    """Write into a run folder. `numeric` names the feature blocks that are a number's bumps."""
    tensors = {"fold_in": placement.fold_in_DD}
    about: dict[str, Any] = {
        "degree_scale": [placement.degree_scale.mean, placement.degree_scale.deviation],
        "deviations": [placement.z_deviation, placement.fold_deviation],
        "numeric": sorted(numeric),
        "heads": {},
    }
    for name in _HEADS:
        head: FittedHead = getattr(placement, name)
        tensors[f"{name}.landmarks"] = head.landmark_x_LF
        tensors[f"{name}.coefficients"] = head.coefficients_LT
        about["heads"][name] = {
            "columns": {block: [columns.start, columns.stop] for block, columns in head.kernel.columns.items()},
            "weights": dict(head.kernel.weights),
        }
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / _TENSORS)
    (folder / _ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")


def read_placement(folder: Path) -> Placement:
    """What `write_placement` wrote."""
    tensors = load_file(folder / _TENSORS)
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    heads = {name: _head(name, about["heads"][name], frozenset(about["numeric"]), tensors) for name in _HEADS}
    z_deviation, fold_deviation = about["deviations"]
    return Placement(
        **heads,
        degree_scale=DegreeScale(*about["degree_scale"]),
        z_deviation=z_deviation,
        fold_deviation=fold_deviation,
        fold_in_DD=tensors["fold_in"],
    )


def _head(
    name: str, about: Mapping[str, Any], numeric: frozenset[str], tensors: Mapping[str, np.ndarray]
) -> FittedHead:
    columns = {block: slice(*edges) for block, edges in about["columns"].items()}
    landmark_x_LF = tensors[f"{name}.landmarks"]
    terms = terms_of(FeatureBlocks(landmark_x_LF[:0], columns, numeric & set(columns)))
    return FittedHead(Kernel(columns, terms, about["weights"]), landmark_x_LF, tensors[f"{name}.coefficients"])
