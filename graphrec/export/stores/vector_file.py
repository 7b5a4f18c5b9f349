"""Vectors from a database as the parquet file that `vectors:` in dataset.yaml reads."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.atomic_file import replacing
from graphrec.errors import GraphRecError

_ROWS = 8_192  # of a row group
_SCHEMA = pa.schema([("id", pa.string()), ("vector", pa.list_(pa.float32()))])

Row = tuple[str | None, Sequence[float] | None, str | None]
"""Id, vector, model version (None where the database knows of none)."""


def write_vectors(rows: Iterable[Row], out: Path, place: str) -> int:
    """Columns id and vector, whole or not at all; returns how many rows.

    What cannot be used (no id, no vector, another length) is written as it is: reading sets it aside with the reason.
    Raises GraphRecError where there is no row, or vectors of two model versions; `place` says where.
    """
    versions: set[str] = set()
    count = 0
    with replacing(out) as path, pq.ParquetWriter(path, _SCHEMA) as writer:
        rows = iter(rows)
        while some := list(islice(rows, _ROWS)):
            ids, vectors, version = zip(*some, strict=True)
            versions |= set(version) - {None}
            if len(versions) > 1:
                raise GraphRecError(
                    f"{place} holds vectors of model versions {' and '.join(sorted(versions))}, which are not "
                    "comparable: upsert one of them again with replace."
                )
            writer.write_table(pa.table([pa.array(ids), pa.array(vectors, pa.list_(pa.float32()))], schema=_SCHEMA))
            count += len(some)
        if not count:
            raise GraphRecError(f"{place} holds no vectors.")
    return count
