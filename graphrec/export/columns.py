"""What every format says of a row beside its vector: whose it is and where it comes from."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from graphrec.data.stable_ids import stable_ids
from graphrec.retrieval.embeddings import Embeddings

STABLE_ID = "stable_id"


def about_rows(embeddings: Embeddings, with_stable_ids: bool) -> pa.Table:
    """Columns id, degree and source in the order of the rows, and for items their stable 64-bit id."""
    columns = {
        "id": pa.array(embeddings.ids, pa.string()),
        "degree": pa.array(embeddings.degree, pa.int64()),
        "source": pa.array(embeddings.source, pa.string()),
    }
    if with_stable_ids:
        columns[STABLE_ID] = pa.array(stable_ids(embeddings.ids), pa.int64())
    return pa.table(columns)


def write_rows(folder: Path, items: Embeddings, users: Embeddings) -> None:
    """`item_ids.csv` and `user_ids.csv`: a line per row of a matrix that stands beside them."""
    pyarrow.csv.write_csv(about_rows(items, with_stable_ids=True), folder / "item_ids.csv")
    pyarrow.csv.write_csv(about_rows(users, with_stable_ids=False), folder / "user_ids.csv")
