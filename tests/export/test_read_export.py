"""Exports as the vectors that went into them."""

import pytest

from graphrec.errors import GraphRecError
from graphrec.export.reading import read_export
from graphrec.workflow import export_run


@pytest.mark.parametrize(
    ("to", "index_ids"), [("parquet", "row"), ("npy", "row"), ("faiss", "row"), ("faiss", "stable"), ("recbole", "row")]
)
def test_items_and_users_come_back_bit_for_bit(loaded, tmp_path, to, index_ids):
    export_run(loaded, to, tmp_path / "out", index_ids)
    for kind in ("item", "user"):
        read, written = read_export(tmp_path / "out", kind), loaded.embeddings(kind)
        assert read.vectors.tobytes() == written.vectors.tobytes()
        for name in ("ids", "degree", "source"):
            assert getattr(read, name).tolist() == getattr(written, name).tolist()


def test_what_is_no_export_or_was_changed_is_refused(loaded, saved_run, tmp_path):
    with pytest.raises(GraphRecError, match=r"Expected a graphrec export at .*, found a graphrec run"):
        read_export(saved_run)
    export_run(loaded, "npy", tmp_path / "out")
    (tmp_path / "out" / "item_ids.csv").write_text("id,degree,source\n")
    with pytest.raises(GraphRecError, match=r"item_ids\.csv was changed after it was written"):
        read_export(tmp_path / "out")
