"""An export as the vectors that went into it."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from graphrec.artifact import read_manifest
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.vector_files.exported import EXPORT, load_exported
from graphrec.retrieval.embeddings import Embeddings


def read_export(folder: str | Path, kind: Literal["item", "user"] = "item") -> Embeddings:
    """The items or users of a folder that `graphrec export` wrote, in whichever format of files, bit for bit.

    Raises GraphRecError where there is no export, or one of its files is missing or was changed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, kind=EXPORT)
    if not manifest.about["counts"][f"{kind}s"]:
        nobody = np.array([], dtype=object)
        return Embeddings(nobody, np.empty((0, manifest.about["dim"]), np.float32), np.empty(0, np.int64), nobody)
    rows = load_exported(folder, folder.name, SetAsideCollector(), kind)
    about = _about_rows(folder, kind)  # rows stand in one order in all files of an export
    vectors = np.array(rows.vectors_RF, dtype=np.float32)  # of float32 written as text, and not a memory map
    return Embeddings(rows.ids, vectors, about["degree"].to_numpy(np.int64), about["source"].to_numpy(object))


def _about_rows(folder: Path, kind: str) -> pd.DataFrame:
    """Columns degree and source of every row, whichever file they are in."""
    path = folder / f"{kind}s.parquet"
    if path.is_file():
        return pq.read_table(path, columns=["degree", "source"]).to_pandas()
    return pd.read_csv(folder / f"{kind}_ids.csv", dtype=str, keep_default_na=False)
