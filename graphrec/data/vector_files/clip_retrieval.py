"""The folders of clip-retrieval: a matrix in parts (`img_emb/`, `text_emb/`) and a table for each (`metadata/`)."""

from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from graphrec.data.tables.table import to_objects, to_strings
from graphrec.data.vector_files.npy import load_npy
from graphrec.data.vector_files.parquet import open_parquet
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError

METADATA = "metadata"
_NAMES = ("item_id", "id", "image_path")


def is_parts(folder: Path) -> bool:
    """Whether the folder holds a matrix in parts."""
    return folder.is_dir() and any(folder.glob("*.npy"))


def load_parts(folder: Path, file: str, metadata: Path) -> VectorRows:
    """The parts one below the other, each row with the id that the part's metadata table names.

    A part is told by what follows the last underscore: `img_emb_03.npy` and `metadata_03.parquet`. The id is the column
    item_id or id, or else the name of the picture (`image_path`) without folder and suffix.

    Raises GraphRecError where a part lacks its table, their rows differ in number, or parts differ in width.
    """
    ids: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    for path in sorted(folder.glob("*.npy")):
        shown = f"{file}/{path.name}"
        table_path = metadata / f"{METADATA}_{path.stem.rpartition('_')[2]}.parquet"
        part_ids, part = _ids(open_parquet(table_path, table_path.name), table_path.name), load_npy(path, shown)
        if len(part_ids) != len(part):
            raise GraphRecError(f"{shown} has {len(part)} rows, but {table_path.name} names {len(part_ids)} ids.")
        if parts and part.shape[1] != parts[0].shape[1]:
            raise GraphRecError(f"{shown} has {part.shape[1]} features, the parts before it {parts[0].shape[1]}.")
        ids.append(part_ids)
        parts.append(part)
    return VectorRows.in_order(np.concatenate(ids), np.concatenate(parts))


def _ids(table: pa.Table, file: str) -> np.ndarray:
    name = next((name for name in _NAMES if name in table.column_names), None)
    if name is None:
        have = ", ".join(table.column_names)
        raise GraphRecError(f"{file}: expected a column {', '.join(_NAMES[:-1])} or {_NAMES[-1]}, it has: {have}.")
    ids = to_objects(to_strings(table[name]))
    return ids if name != "image_path" else np.array([PurePosixPath(one).stem for one in ids], dtype=object)
