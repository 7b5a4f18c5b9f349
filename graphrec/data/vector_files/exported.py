"""The item vectors of a folder that `graphrec export` wrote, in whichever format."""

import json
from pathlib import Path
from typing import Literal

import numpy as np

from graphrec.artifact import MANIFEST, Manifest, read_manifest
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.vector_files.atomic import load_atomic
from graphrec.data.vector_files.ids import read_ids, require_as_many
from graphrec.data.vector_files.npy import load_npy
from graphrec.data.vector_files.parquet import load_parquet
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError

EXPORT = "export"


def manifest_beside(path: Path) -> Manifest | None:
    """The manifest of the export that a folder is, or that a file is part of, every file checked; None: it is none.

    Raises GraphRecError where a file was changed since it was written.
    """
    folder = path if path.is_dir() else path.parent
    if not is_export(folder):
        return None
    manifest = read_manifest(folder, kind=EXPORT)
    return manifest if path.is_dir() or path.name in manifest.files else None


def is_export(folder: Path) -> bool:
    """Whether an export lies there; other people's manifests are none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == EXPORT and "format_version" in manifest


def load_exported(
    folder: Path, file: str, collector: SetAsideCollector, kind: Literal["item", "user"] = "item"
) -> VectorRows:
    """The items of an export, or the users. Raises GraphRecError where its format is not one of files with vectors."""
    to = read_manifest(folder, verify=False, kind=EXPORT).about.get("format")
    if to == "parquet":
        return load_parquet(folder / f"{kind}s.parquet", f"{file}/{kind}s.parquet", collector)
    if to == "recbole":
        return load_atomic(folder / f"{kind}s.{kind}emb", f"{file}/{kind}s.{kind}emb", collector)
    if to not in ("npy", "faiss"):
        raise GraphRecError(f"{file}: an export in the format {to!r} holds no vectors that can be read here.")
    ids_file = f"{file}/{kind}_ids.csv"
    ids = read_ids(folder / f"{kind}_ids.csv", ids_file, collector)
    if to == "faiss" and kind == "item":
        from graphrec.data.vector_files.faiss_index import load_faiss  # most data come without an index

        return load_faiss(folder / "items.faiss", f"{file}/items.faiss", ids, ids_file, collector)
    return with_ids(load_npy(folder / f"{kind}s.npy", f"{file}/{kind}s.npy"), f"{file}/{kind}s.npy", ids, ids_file)


def with_ids(vectors_RF: np.ndarray, file: str, ids: np.ndarray, ids_file: str) -> VectorRows:
    """A matrix whose rows stand in the order of the ids. Raises GraphRecError where they differ in number."""
    require_as_many(file, len(vectors_RF), ids_file, len(ids))
    return VectorRows.in_order(ids, vectors_RF)
