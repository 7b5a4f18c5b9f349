"""Vectors that users bring."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphrec.data.dataset import Dataset
from graphrec.data.own_vectors import read_own_vectors
from graphrec.data.set_aside import SetAsideCollector
from graphrec.errors import GraphRecError


def save(folder, vectors, ids, header="item_id"):
    np.save(folder / "v.npy", vectors)
    (folder / "ids.csv").write_text("\n".join([header, *ids]) + "\n")
    return folder / "v.npy", folder / "ids.csv"


def error(path, ids_path):
    with pytest.raises(GraphRecError) as caught:
        read_own_vectors(path, ids_path, SetAsideCollector())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
def test_any_float_array_becomes_float32_with_its_ids(tmp_path, dtype):
    vectors = np.arange(1, 7).reshape(3, 2).astype(dtype)
    own = read_own_vectors(*save(tmp_path, vectors, ["01", "2", "c"]), SetAsideCollector(), item_prefix="x-")
    assert own.ids.tolist() == ["x-01", "x-2", "x-c"]
    assert own.x_RF.dtype == np.float32
    np.testing.assert_array_equal(own.x_RF, vectors)


def test_vectors_that_say_nothing_are_set_aside_by_id(tmp_path):
    vectors = np.ones((5, 3))
    vectors[1, 0], vectors[2, 2], vectors[3] = np.nan, 1e300, 0
    collector = SetAsideCollector()
    own = read_own_vectors(*save(tmp_path, vectors, ["a", "b", "c", "d", "e"]), collector)
    assert own.ids.tolist() == ["a", "e"]
    assert own.x_RF.tolist() == [[1, 1, 1], [1, 1, 1]]
    infinite = "the vector holds NaN or infinite values; it counts as missing"
    assert [tuple(row) for row in collector.finish().rows.itertuples(index=False)] == [
        ("v.npy", 2, "vector", "b", infinite),
        ("v.npy", 3, "vector", "c", infinite),
        ("v.npy", 4, "vector", "d", "the vector is all zero; it counts as missing"),
    ]


def test_a_parquet_table_of_vectors_is_read(tmp_path):
    vectors = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0], None, [6.0, None]], pa.list_(pa.float64()))
    pq.write_table(pa.table({"item_id": [10, 11, 12, 13, 14], "vector": vectors}), tmp_path / "v.parquet")
    collector = SetAsideCollector()
    own = read_own_vectors(tmp_path / "v.parquet", None, collector)
    assert own.ids.tolist() == ["10", "11"]
    assert own.x_RF.tolist() == [[1, 2], [3, 4]]
    rows = collector.finish().rows
    assert list(zip(rows["row"], rows["value"], rows["reason"], strict=True)) == [
        (3, "12", "expected 2 numbers, got 1"),
        (4, "13", "expected 2 numbers, got 0"),
        (5, "14", "the vector holds NaN or infinite values; it counts as missing"),
    ]
    fixed = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4], pa.float32()), 2)
    pq.write_table(pa.table({"id": ["a", "b"], "vector": fixed}), tmp_path / "f.parquet")
    assert read_own_vectors(tmp_path / "f.parquet", None, collector).x_RF.tolist() == [[1, 2], [3, 4]]


def test_mistakes_are_answered_in_one_line(tmp_path):
    ones = np.ones((2, 3))
    assert "v.npy has 2 rows, but ids.csv names 3 ids." in error(*save(tmp_path, ones, ["a", "b", "c"]))
    assert "id 'a' stands twice" in error(*save(tmp_path, ones, ["a", "a"]))
    assert "none of its 2 vectors can be used; main reason: the vector is all zero" in error(
        *save(tmp_path, ones * 0, ["a", "b"])
    )
    assert "expected floats of shape (rows, features), got int64 of shape (2,)" in error(
        *save(tmp_path, np.arange(2), ["a", "b"])
    )
    assert "blank or unreadable rows" in error(*save(tmp_path, np.ones((3, 2)), ["a", "", "b"]))
    assert "expected a column item_id" in error(*save(tmp_path, ones, ["a,1", "b,2"], header="name,n"))
    path, ids = save(tmp_path, ones, ["a", "b"])
    assert "which item is each row of?" in error(path, None)
    assert "gone.npy does not exist" in error(tmp_path / "gone.npy", ids)
    path.write_bytes(path.read_bytes()[:-4])
    assert "not a readable .npy array" in error(path, ids)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "not a readable .npy array" in error(path, ids)
    pq.write_table(pa.table({"id": ["a"], "embedding": [[1.0]]}), tmp_path / "v.parquet")
    assert "expected columns id (or item_id) and vector, it has: id, embedding." in error(tmp_path / "v.parquet", None)
    assert "expected vectors as .npy" in error(ids, None)


def test_a_dataset_carries_its_own_vectors(tmp_path):
    save(tmp_path, np.array([[1.0, 0], [0, 0], [2, 2]]), ["b", "a", "zzz"])
    (tmp_path / "items.csv").write_text("item_id,t\na,x\nb,y\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id\nu,a\n")
    (tmp_path / "dataset.yaml").write_text("vectors: {text: {file: v.npy, ids: ids.csv}}")
    data = Dataset.load(tmp_path)
    assert data.own_vectors["text"].ids.tolist() == ["b", "zzz"]
    assert data.set_aside.counts() == {("v.npy", "the vector is all zero; it counts as missing"): 1}
