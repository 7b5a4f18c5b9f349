import csv
import json
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from graphrec.artifact import read_manifest, write_artifact
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.embeddings import export_embeddings
from graphrec.retrieval.embeddings import Embeddings
from graphrec.retrieval.item_index import IndexConfig, ItemIndex

FORMATS = ["parquet", "npy", "faiss"]
ODD_IDS = ["007", 'say "hi"', "a,b", "line\nbreak", "日本", "", "None"]


def objects(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


@pytest.fixture(scope="module")
def items():
    """300 items, a third of them equal to another one."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 7)).astype(np.float32)
    vectors[200:] = vectors[rng.choice(40, size=100)]
    ids = [*ODD_IDS, *(f"item {i}" for i in range(300 - len(ODD_IDS)))]
    source = np.array(["content", "cross-site", "blend", "graph"])[rng.integers(0, 4, 300)]
    return Embeddings(objects(ids), vectors, rng.integers(0, 9, 300), objects(list(map(str, source))))


@pytest.fixture(scope="module")
def users():
    """10 users; nothing is known of the last one."""
    vectors = np.random.default_rng(1).normal(size=(10, 7)).astype(np.float32)
    vectors[9] = 0
    source = objects(["graph"] * 9 + ["none"])
    return Embeddings(objects([f"u{i}" for i in range(10)]), vectors, np.arange(9, -1, -1), source)


def test_plain_numpy_over_the_parquet_files_gives_exactly_the_lists_of_the_index(items, users, tmp_path):
    out, k = tmp_path / "vectors", 20
    export_embeddings(items, users, "parquet", out, "m1")

    items_table, users_table = pd.read_parquet(out / "items.parquet"), pd.read_parquet(out / "users.parquet")
    item_vectors = np.stack(items_table["vector"]).astype(np.float64)
    user_vectors = np.stack(users_table["vector"]).astype(np.float64)
    scores = (user_vectors @ item_vectors.T).astype(np.float32)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    recommended = items_table["id"].to_numpy()[best]

    found = ItemIndex.build(items.vectors).search(users.vectors, k)
    np.testing.assert_array_equal(best, found.items_BK)
    np.testing.assert_array_equal(np.take_along_axis(scores, best, axis=1), found.scores_BK)
    np.testing.assert_array_equal(recommended, items.ids[found.items_BK])


def test_parquet_keeps_every_column_in_order_and_in_type(items, users, tmp_path):
    export_embeddings(items, users, "parquet", tmp_path / "out", "m1")
    for name, embeddings in (("items", items), ("users", users)):
        table = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        types = [str(field.type) for field in table.schema]
        assert types[:4] == ["string", "fixed_size_list<element: float>[7]", "int64", "string"]
        assert table.column_names == ["id", "vector", "degree", "source", "stable_id"][: 5 if name == "items" else 4]
        assert table["id"].to_pylist() == list(embeddings.ids)
        assert table["degree"].to_pylist() == list(embeddings.degree)
        assert table["source"].to_pylist() == list(embeddings.source)
        vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, 7)
        np.testing.assert_array_equal(vectors, embeddings.vectors)


def test_parquet_is_written_one_row_group_at_a_time(items, users, tmp_path, monkeypatch):
    monkeypatch.setattr("graphrec.export.embeddings._ROWS", 128)
    export_embeddings(items, users, "parquet", tmp_path / "out", "m1")
    file = pq.ParquetFile(tmp_path / "out" / "items.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [128, 128, 44]
    assert file.read()["id"].to_pylist() == list(items.ids)


def ids_in(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("to", ["npy", "faiss"])
def test_ids_stand_in_the_order_of_the_vectors(items, users, tmp_path, to):
    export_embeddings(items, users, to, tmp_path / "out", "m1")
    header, *rows = ids_in(tmp_path / "out" / "item_ids.csv")
    assert header == ["id", "degree", "source", "stable_id"]
    numbers = map(str, stable_ids(items.ids))
    assert rows == [list(row) for row in zip(items.ids, map(str, items.degree), items.source, numbers, strict=True)]
    assert [row[0] for row in ids_in(tmp_path / "out" / "user_ids.csv")[1:]] == list(users.ids)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "users.npy"), users.vectors)


def test_npy_holds_one_vector_per_row(items, users, tmp_path):
    export_embeddings(items, users, "npy", tmp_path / "out", "m1")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "items.npy", allow_pickle=False), items.vectors)


@pytest.mark.parametrize("factory", [None, "HNSW32,Flat", "IVF4,Flat"])
def test_faiss_alone_finds_the_rows_of_the_ids(items, users, tmp_path, factory):
    config = IndexConfig(factory=factory)
    export_embeddings(items, users, "faiss", tmp_path / "out", "m1", config)
    index = faiss.read_index(str(tmp_path / "out" / "items.faiss"))
    assert index.ntotal == 300
    query = np.load(tmp_path / "out" / "users.npy")[:9]
    scores, rows = index.search(query, 1)
    expected = np.einsum("ud,ud->u", query, items.vectors[rows[:, 0]])
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("factory", [None, "HNSW32,Flat", "IVF4,Flat"])
def test_an_index_of_stable_ids_answers_with_them(items, users, tmp_path, factory):
    out = tmp_path / "out"
    export_embeddings(items, users, "faiss", out, "m1", IndexConfig(factory=factory), index_ids="stable")
    index, by_row = (
        faiss.read_index(str(out / "items.faiss")),
        ItemIndex.build(items.vectors, IndexConfig(factory=factory), False),
    )
    numbers = stable_ids(items.ids)
    assert set(index.search(users.vectors, 5)[1].ravel()) <= set(numbers)
    np.testing.assert_array_equal(
        index.search(users.vectors, 5)[1], numbers[by_row.faiss_index.search(users.vectors, 5)[1]]
    )
    if factory is None:  # it can be asked for one item, and lose one
        np.testing.assert_array_equal(index.reconstruct(int(numbers[33])), items.vectors[33])
        assert index.remove_ids(numbers[:1]) == 1
        assert numbers[0] not in index.search(users.vectors, 299)[1]
    assert read_manifest(out, kind="export").about["index_ids"] == "stable"


def test_parquet_and_csv_name_the_same_stable_ids(items, users, tmp_path):
    for to in ("parquet", "npy"):
        export_embeddings(items, users, to, tmp_path / to, "m1")
    in_parquet = pd.read_parquet(tmp_path / "parquet" / "items.parquet")["stable_id"]
    in_csv = pd.read_csv(tmp_path / "npy" / "item_ids.csv")["stable_id"]
    assert in_parquet.dtype == in_csv.dtype == np.int64
    assert in_parquet.tolist() == in_csv.tolist() == stable_ids(items.ids).tolist()


@pytest.mark.parametrize("to", FORMATS)
def test_the_manifest_says_what_is_there_and_how_to_score(items, users, tmp_path, to):
    export_embeddings(items, users, to, tmp_path / "out", "sha-of-the-run")
    manifest = read_manifest(tmp_path / "out", kind="export")
    about = json.loads((tmp_path / "out" / "manifest.json").read_text())["about"]
    assert about == manifest.about
    assert about["counts"] == {"items": 300, "users": 10}
    assert (about["format"], about["dim"], about["metric"]) == (to, 7, "inner product")
    assert about["model_version"] == "sha-of-the-run"
    assert "inner product" in about["how_to_score"]
    present = {path.name for path in (tmp_path / "out").iterdir()}
    assert present == {*manifest.files, "manifest.json"}


def test_an_export_replaces_an_earlier_export_and_nothing_else(items, users, tmp_path):
    out = tmp_path / "out"
    export_embeddings(items, users, "npy", out, "m1")
    export_embeddings(items, users, "parquet", out, "m2")
    assert {path.name for path in out.iterdir()} == {"items.parquet", "users.parquet", "manifest.json"}
    write_artifact(tmp_path / "run", lambda folder: (folder / "weights").touch(), {})
    with pytest.raises(GraphRecError, match="is not a graphrec export"):
        export_embeddings(items, users, "npy", tmp_path / "run", "m1")
    read_manifest(tmp_path / "run")


def test_an_unknown_format_is_refused_by_name(items, users, tmp_path):
    with pytest.raises(GraphRecError, match='no index ids "name": choose one of row, stable'):
        export_embeddings(items, users, "faiss", tmp_path / "out", "m1", index_ids="name")
    with pytest.raises(GraphRecError, match='no export format "xml": choose one of parquet, npy, faiss, recbole'):
        export_embeddings(items, users, "xml", tmp_path / "out", "m1")


def test_a_model_without_users_is_exported_too(items, tmp_path):
    nobody = Embeddings(objects([]), np.empty((0, 7), np.float32), np.empty(0, np.int64), objects([]))
    for to in FORMATS:
        export_embeddings(items, nobody, to, tmp_path / to, "m1")
        assert read_manifest(tmp_path / to, kind="export").about["counts"]["users"] == 0
