"""Co-occurrence counts as a file: all that a site that keeps its log to itself hands to others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from pydantic import BaseModel, PositiveInt, ValidationError

from graphrec.atomic_file import replacing
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.group_size import leaves_few
from graphrec.data.site_counts import SiteCounts
from graphrec.disk import why_not_written
from graphrec.errors import GraphRecError

_COLUMNS = ("item_id", "other_item_id", "users")
_ABOUT = b"graphrec.cooccurrence"


class _About(BaseModel, extra="forbid", frozen=True):
    site: str
    minimum: PositiveInt
    most_items_per_user: PositiveInt


def write_counts(of_site: SiteCounts, path: Path) -> None:
    """Write parquet rows (item_id, other_item_id, users), whole or not at all.

    Each pair stands once, sorted by id, an item's own users with its id in both columns. Neither a person nor an item
    of fewer people than the minimum is in the file. Raises GraphRecError where the disk refuses.
    """
    item_ids, counts = of_site.item_ids, of_site.counts
    pairs = sp.triu(counts.counts_II).tocoo()
    order = np.lexsort([pairs.col, pairs.row])
    columns = [
        pa.array(item_ids[pairs.row[order]], pa.string()),
        pa.array(item_ids[pairs.col[order]], pa.string()),
        pa.array(pairs.data[order]),
    ]
    about = _About(site=of_site.site, minimum=counts.minimum, most_items_per_user=counts.most_items_per_user)
    table = pa.table(columns, names=list(_COLUMNS)).replace_schema_metadata({_ABOUT: about.model_dump_json()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as scratch:
            pq.write_table(table, scratch)
    except OSError as error:
        raise GraphRecError(f"{path} cannot be written: {why_not_written(error)}.") from None


def read_counts(path: Path) -> SiteCounts:
    """What `write_counts` wrote.

    Raises GraphRecError in one line where the file is missing or something else, a pair stands twice or without its
    items, a count is below the file's own minimum or above what its items allow, or a pair leaves fewer users of one of
    its items than the minimum.
    """
    about, table = _read(path)
    one_P, other_P = (table[name].to_numpy(zero_copy_only=False).astype(object) for name in _COLUMNS[:2])
    users_P = table[_COLUMNS[2]].to_numpy().astype(np.int64)
    item_ids = np.unique(one_P[one_P == other_P])
    index = pd.Index(item_ids, dtype=object)
    row_P, column_P = (index.get_indexer(pd.Index(ids, dtype=object)) for ids in (one_P, other_P))
    users_N = np.zeros(len(item_ids) + 1, dtype=np.int64)  # the last is that of an item without a row of its own
    users_N[row_P[one_P == other_P]] = users_P[one_P == other_P]
    is_again_P = pd.DataFrame({"one": np.minimum(row_P, column_P), "other": np.maximum(row_P, column_P)}).duplicated()
    for is_wrong_P, what in (
        (users_P < about.minimum, f"has fewer users than the file's own minimum of {about.minimum}"),
        ((row_P < 0) | (column_P < 0), "has an item without a row of its own users"),
        (is_again_P.to_numpy(), "stands twice"),
        (users_P > np.minimum(users_N[row_P], users_N[column_P]), "has more users than one of its items"),
        (
            leaves_few(users_P, users_N[row_P], about.minimum) | leaves_few(users_P, users_N[column_P], about.minimum),
            f"tells of fewer than {about.minimum} users who have one of its items and not the other",
        ),
    ):
        if is_wrong_P.any():
            row = int(is_wrong_P.argmax())
            pair = f"({one_P[row]}, {other_P[row]}, {users_P[row]})"
            raise GraphRecError(f"{path}: row {row + 1} {pair} {what}: have its site write the file again.")
    half = sp.csr_matrix((users_P, (row_P, column_P)), (len(item_ids), len(item_ids)))
    counts_NN = (half + half.T - sp.diags(half.diagonal(), dtype=np.int64)).tocsr()
    counts_NN.sort_indices()
    return SiteCounts(about.site, item_ids, CooccurrenceCounts(counts_NN, about.minimum, about.most_items_per_user))


def _read(path: Path) -> tuple[_About, pa.Table]:
    expected = "expected a file that `graphrec sites counts` wrote"
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise GraphRecError(f"{path} does not exist: make it with `graphrec sites counts`.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise GraphRecError(f"{path}: {expected}: {str(error).splitlines()[0].rstrip('.')}.") from None
    if tuple(table.column_names) != _COLUMNS:
        has = ", ".join(table.column_names)
        raise GraphRecError(f"{path}: {expected} (columns {', '.join(_COLUMNS)}), it has: {has}.")
    *ids, users = table.schema.types
    if not (
        all(pa.types.is_string(one) or pa.types.is_large_string(one) for one in ids) and pa.types.is_integer(users)
    ):
        raise GraphRecError(f"{path}: {expected}: ids as text and whole numbers of users, not {table.schema.types}.")
    if any(column.null_count for column in table.columns):
        raise GraphRecError(f"{path}: {expected}, without empty cells.")
    try:
        return _About.model_validate_json((table.schema.metadata or {}).get(_ABOUT, b"")), table
    except ValidationError:
        raise GraphRecError(f"{path}: {expected}: it does not say its site and minimum.") from None
