"""Vectors as files that other systems read: Parquet, NumPy or FAISS, with a manifest that says how to score."""

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from graphrec.artifact import CONTAINS_FORGOTTEN, Manifest, write_artifact
from graphrec.errors import GraphRecError
from graphrec.retrieval.embeddings import Embeddings
from graphrec.retrieval.item_index import IndexConfig, ItemIndex

Format = Literal["parquet", "npy", "faiss"]

HOW_TO_SCORE = (
    "The score of an item for a user is the inner product of their vectors, computed in float64 and rounded to "
    "float32; more is better, equal scores stand in the order of the item rows."
)
_ROWS = 65_536  # of a row group


def export_embeddings(
    items: Embeddings,
    users: Embeddings,
    to: Format,
    out: Path,
    model_version: str,
    index: IndexConfig | None = None,
    forgotten: int = 0,
) -> Manifest:
    """Write item and user vectors into a new or empty folder, or in place of an earlier export.

    parquet: `items.parquet`, `users.parquet` with columns id, vector, degree, source. npy: `items.npy`, `users.npy`
    (float32, one vector per row) with `item_ids.csv`, `user_ids.csv` (id, degree, source) in the same order. faiss:
    `items.faiss`, whose ids are the rows of `item_ids.csv`, and the users as for npy; `index` says how it is built.
    Each with `manifest.json`. The order of the rows is that of the model. `forgotten` are people whose rows left after
    training; the manifest says how many.

    Raises GraphRecError where the format is unknown or the folder holds something else, ValueError where users and
    items have different dimensions.
    """
    if to not in get_args(Format):
        raise GraphRecError(f'There is no export format "{to}": choose one of {", ".join(get_args(Format))}.')
    if items.dim != users.dim:
        raise ValueError(f"Expected vectors of one dimension, got {items.dim} for items and {users.dim} for users.")
    about: dict[str, Any] = {
        "format": to,
        "counts": {"items": len(items), "users": len(users)},
        "dim": items.dim,
        "metric": "inner product",
        "how_to_score": HOW_TO_SCORE,
        "model_version": model_version,
        **({CONTAINS_FORGOTTEN: forgotten} if forgotten else {}),
    }
    if to == "parquet":
        return write_artifact(out, lambda folder: _write_parquet(folder, items, users), about, kind="export")
    if to == "npy":
        return write_artifact(out, lambda folder: _write_npy(folder, items, users), about, kind="export")
    item_index = ItemIndex.build(items.vectors, index, merge_equal=False)
    return write_artifact(out, lambda folder: _write_faiss(folder, item_index, items, users), about, kind="export")


def _write_parquet(folder: Path, items: Embeddings, users: Embeddings) -> None:
    _write_table(folder / "items.parquet", items)
    _write_table(folder / "users.parquet", users)


def _write_npy(folder: Path, items: Embeddings, users: Embeddings) -> None:
    np.save(folder / "items.npy", items.vectors)
    _write_ids(folder / "item_ids.csv", items)
    np.save(folder / "users.npy", users.vectors)
    _write_ids(folder / "user_ids.csv", users)


def _write_faiss(folder: Path, item_index: ItemIndex, items: Embeddings, users: Embeddings) -> None:
    item_index.save(folder / "items.faiss")
    _write_ids(folder / "item_ids.csv", items)
    np.save(folder / "users.npy", users.vectors)
    _write_ids(folder / "user_ids.csv", users)


def _write_table(path: Path, embeddings: Embeddings) -> None:
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("vector", pa.list_(pa.float32(), embeddings.dim)),
            ("degree", pa.int64()),
            ("source", pa.string()),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(embeddings), _ROWS):
            rows = slice(start, start + _ROWS)
            values = pa.array(np.ascontiguousarray(embeddings.vectors[rows]).reshape(-1))
            vector = pa.FixedSizeListArray.from_arrays(values, embeddings.dim)
            id_, degree, source = _id_columns(embeddings, rows)
            writer.write_table(pa.table([id_, vector, degree, source], schema=schema))


def _write_ids(path: Path, embeddings: Embeddings) -> None:
    columns = _id_columns(embeddings, slice(None))
    pyarrow.csv.write_csv(pa.table(columns, names=["id", "degree", "source"]), path)


def _id_columns(embeddings: Embeddings, rows: slice) -> list[pa.Array]:
    return [
        pa.array(embeddings.ids[rows], pa.string()),
        pa.array(embeddings.degree[rows], pa.int64()),
        pa.array(embeddings.source[rows], pa.string()),
    ]
