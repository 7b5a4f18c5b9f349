"""Vectors come back from every layout bit for bit, with their ids."""

import json

import faiss
import numpy as np
import pandas as pd
import pytest

from graphrec.data.dataset import Dataset
from graphrec.data.own_vectors import read_own_vectors
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError
from graphrec.export.embeddings import export_embeddings
from graphrec.retrieval.embeddings import Embeddings
from graphrec.retrieval.item_index import IndexConfig

IDS = np.array(["007", "a b", "été", *(f"i{n}" for n in range(200))], dtype=object)


@pytest.fixture(scope="module")
def items():
    vectors = np.random.default_rng(0).normal(size=(len(IDS), 8)).astype(np.float32)
    return Embeddings(IDS, vectors, np.ones(len(IDS), np.int64), np.full(len(IDS), "graph", dtype=object))


def export(items, to, out, version="m1", **settings):  # noqa: ANN003
    users = Embeddings(np.array(["u"], dtype=object), items.vectors[:1], np.ones(1, np.int64), items.source[:1])
    export_embeddings(items, users, to, out, version, **settings)
    return out


def read(path, ids_path=None):
    return read_own_vectors(path, ids_path, SetAsideCollector())


def error(path, ids_path=None):
    with pytest.raises(GraphRecError) as caught:
        read(path, ids_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_same(own, items):
    assert own.ids.tolist() == items.ids.tolist()
    assert own.x_RF.tobytes() == items.vectors.tobytes()


EXPORTS = [
    ("parquet", {}),
    ("npy", {}),
    ("recbole", {}),
    ("faiss", {}),
    ("faiss", {"index_ids": "stable"}),
    ("faiss", {"index": IndexConfig(factory="HNSW8,Flat")}),
    ("faiss", {"index": IndexConfig(factory="IVF4,Flat"), "index_ids": "stable"}),
]


@pytest.mark.parametrize(("to", "settings"), EXPORTS)
def test_what_export_wrote_comes_back_bit_for_bit(items, tmp_path, to, settings):
    own = read(export(items, to, tmp_path / "out", **settings))
    assert_same(own, items)
    assert own.model_version == "m1"


def test_single_files_of_an_export_come_back_too(items, tmp_path):
    for to in ("parquet", "npy", "recbole", "faiss"):
        export(items, to, tmp_path / to)
    ids = tmp_path / "npy" / "item_ids.csv"
    for path, ids_path in [
        (tmp_path / "parquet" / "items.parquet", None), (tmp_path / "npy" / "items.npy", ids),
        (tmp_path / "recbole" / "items.itememb", None), (tmp_path / "faiss" / "items.faiss", ids),
    ]:  # fmt: skip
        own = read(path, ids_path)
        assert_same(own, items)
        assert own.model_version == "m1"
    copied = tmp_path / "shop.anyemb"
    copied.write_bytes((tmp_path / "recbole" / "items.itememb").read_bytes())
    assert_same(read(copied), items)
    assert read(copied).model_version is None


def test_an_export_without_stable_ids_is_read_as_before(items, tmp_path):
    out = export(items, "npy", tmp_path / "out")
    table = pd.read_csv(out / "item_ids.csv", dtype=str).drop(columns="stable_id")
    table.to_csv(tmp_path / "old_ids.csv", index=False)
    assert_same(read(out / "items.npy", tmp_path / "old_ids.csv"), items)


def test_a_recbole_file_by_somebody_else(tmp_path):
    """As in its documentation: any names, numbers of any form, one line that is no vector."""
    path = tmp_path / "ml-1m.itememb"
    path.write_text("itemid:token\temb:float_seq\n10\t-115.08 13.60  1e2\n011\t1 x 3\n12\t1 2\n13\t\n14\t0 -1 .5\n")
    collector = SetAsideCollector()
    own = read_own_vectors(path, None, collector)
    assert own.ids.tolist() == ["10", "14"]
    np.testing.assert_array_equal(own.x_RF, np.array([[-115.08, 13.6, 100], [0, -1, 0.5]], np.float32))
    rows = collector.finish().rows
    assert list(zip(rows["row"], rows["value"], rows["reason"], strict=True)) == [
        (2, "011", "the vector holds NaN or infinite values; it counts as missing"),
        (3, "12", "expected 3 numbers, got 2"),
        (4, "13", "expected 3 numbers, got 0"),
    ]
    path.write_text("a:token\tb:float_seq\tc:float_seq\nx\t1\t1\n")
    assert "expected one column of type float_seq in its header (name:type), it has: a:token, b:float_seq" in error(
        path
    )
    path.write_text("a:token\tb:float_seq\n")
    assert "has no rows" in error(path)


@pytest.fixture
def ids_file(tmp_path):
    path = tmp_path / "ids.csv"
    pd.DataFrame({"item_id": IDS}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    "factory", ["Flat", "HNSW8,Flat", "IVF4,Flat", "IDMap,Flat", "IDMap2,HNSW8,Flat", "IDMap,IVF4,Flat"]
)
def test_any_index_that_keeps_its_vectors_gives_them_back(items, ids_file, tmp_path, factory):
    index = faiss.index_factory(8, factory)
    index.train(items.vectors)
    if factory.startswith("IDMap"):  # in another order, numbered by the rows of the table
        order = np.random.default_rng(1).permutation(len(items))
        index.add_with_ids(items.vectors[order], order)
    else:
        index.add(items.vectors)
    faiss.write_index(index, str(tmp_path / "knn.index"))
    own = read(tmp_path / "knn.index", ids_file)
    place = {id_: row for row, id_ in enumerate(own.ids)}
    np.testing.assert_array_equal(own.x_RF[[place[one] for one in IDS]], items.vectors)


def test_an_index_of_some_stable_ids_is_joined_by_them(items, ids_file, tmp_path):
    index, rows = faiss.IndexIDMap(faiss.IndexFlatIP(8)), np.arange(150, 20, -1)
    index.add_with_ids(items.vectors[rows], stable_ids(IDS)[rows])
    faiss.write_index(index, str(tmp_path / "part.faiss"))
    own = read(tmp_path / "part.faiss", ids_file)
    assert own.ids.tolist() == IDS[rows].tolist()
    assert own.x_RF.tobytes() == items.vectors[rows].tobytes()


def test_compressed_vectors_come_back_rounded_and_say_so(items, ids_file, tmp_path):
    index = faiss.index_factory(8, "SQ8")
    index.train(items.vectors)
    index.add(items.vectors)
    faiss.write_index(index, str(tmp_path / "v.faiss"))
    collector = SetAsideCollector()
    own = read_own_vectors(tmp_path / "v.faiss", ids_file, collector)
    np.testing.assert_allclose(own.x_RF, items.vectors, atol=0.02)
    assert collector.finish().notes == ("v.faiss: its vectors are stored in compressed form and come back rounded",)


def test_mistakes_about_an_index_are_answered_in_one_line(items, ids_file, tmp_path):
    path = tmp_path / "v.faiss"
    assert "v.faiss does not exist" in error(path, ids_file)
    path.write_bytes(b"nothing")
    assert "v.faiss: not a readable FAISS index of floats" in error(path, ids_file)
    index = faiss.IndexFlatIP(8)
    index.add(items.vectors[:5])
    faiss.write_index(index, str(path))
    assert "v.faiss has 5 rows, but ids.csv names 203 ids." in error(path, ids_file)
    assert "which item is each row of?" in error(path)
    index = faiss.IndexIDMap(faiss.IndexFlatIP(8))
    index.add_with_ids(items.vectors[:2], np.array([4, 999]))
    faiss.write_index(index, str(path))
    assert "its numbers are neither the rows of ids.csv nor the stable ids" in error(path, ids_file)
    hashes = faiss.IndexIVFSpectralHash(faiss.IndexFlatL2(8), 8, 4, 16, 0.1)
    hashes.train(items.vectors)
    hashes.add(items.vectors)
    faiss.write_index(hashes, str(path))
    assert "v.faiss: this index cannot give its vectors back" in error(path, ids_file)


def clip_retrieval(folder, column, parts):
    """The layout of `clip-retrieval inference`: parts numbered alike in three folders."""
    for name in ("img_emb", "text_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    for number, (names, vectors) in enumerate(parts):
        np.save(folder / "img_emb" / f"img_emb_{number:02d}.npy", vectors)
        table = pd.DataFrame({column: names, "caption": ["a hat"] * len(names)})
        table.to_parquet(folder / "metadata" / f"metadata_{number:02d}.parquet")
    return folder / "img_emb"


def test_what_clip_retrieval_wrote_is_read_by_the_name_of_the_picture(tmp_path):
    vectors = np.arange(1, 13, dtype=np.float16).reshape(6, 2)
    names = [f"/data/pictures/00{n}.v2.jpg" for n in range(6)]
    folder = clip_retrieval(tmp_path / "clip", "image_path", [(names[:4], vectors[:4]), (names[4:], vectors[4:])])
    own = read(folder)
    assert own.ids.tolist() == [f"00{n}.v2" for n in range(6)]
    np.testing.assert_array_equal(own.x_RF, vectors)
    with_ids = clip_retrieval(tmp_path / "other", "item_id", [(["b", "a"], vectors[:2])])
    assert read(with_ids).ids.tolist() == ["b", "a"]
    (tmp_path / "other" / "metadata").rename(tmp_path / "elsewhere")
    assert read(with_ids, tmp_path / "elsewhere").ids.tolist() == ["b", "a"]
    assert "metadata_00.parquet does not exist" in error(with_ids)
    assert "expected a folder of graphrec export" in error(tmp_path / "elsewhere")


def test_parts_that_do_not_fit_are_named(tmp_path):
    ones = np.ones((2, 3), np.float32)
    short = clip_retrieval(tmp_path / "short", "id", [(["a"], ones)])
    assert "img_emb_00.npy has 2 rows, but metadata_00.parquet names 1 ids." in error(short)
    wide = clip_retrieval(tmp_path / "wide", "id", [(["a", "b"], ones), (["c", "d"], np.ones((2, 4)))])
    assert "img_emb_01.npy has 4 features, the parts before it 3." in error(wide)
    nameless = clip_retrieval(tmp_path / "nameless", "url", [(["a", "b"], ones)])
    assert "expected a column item_id, id or image_path, it has: url, caption." in error(nameless)


def dataset(folder, vectors):
    pd.DataFrame({"item_id": IDS, "title": "x"}).to_csv(folder / "items.csv", index=False)
    (folder / "interactions.csv").write_text("user_id,item_id\nu,007\n")
    (folder / "dataset.yaml").write_text(f"vectors: {json.dumps(vectors)}\n")
    return folder


def test_a_dataset_takes_an_export_as_its_vectors(items, tmp_path):
    export(items, "recbole", tmp_path / "vectors")
    data = Dataset.load(dataset(tmp_path, {"learned": {"file": "vectors"}}))
    assert_same(data.own_vectors["learned"], items)


def test_vectors_of_two_models_are_never_joined(items, tmp_path):
    for name, version in (("a", "m1"), ("b", "m2"), ("c", "m1")):
        export(items, "npy", tmp_path / name, version)
    assert error(tmp_path / "a" / "items.npy", tmp_path / "b" / "item_ids.csv") == (
        "items.npy and item_ids.csv were exported from two models: name files of one export."
    )
    assert_same(read(tmp_path / "a" / "items.npy", tmp_path / "c" / "item_ids.csv"), items)
    with pytest.raises(GraphRecError) as caught:
        Dataset.load(dataset(tmp_path, {"image": {"file": "a"}, "learned": {"file": "b"}}))
    told = "vectors: exported from two models (image of m1, learned of m2); export all of them from one run."
    assert str(caught.value) == told
    data = Dataset.load(dataset(tmp_path, {"image": {"file": "a"}, "learned": {"file": "c"}}))
    assert list(data.own_vectors) == ["image", "learned"]


def test_a_file_of_an_export_that_was_changed_is_refused_by_name(items, tmp_path):
    out = export(items, "npy", tmp_path / "out")
    vectors = np.load(out / "items.npy")
    vectors[0, 0] += 1
    np.save(out / "items.npy", vectors)
    assert "items.npy was changed after it was written" in error(out)
    assert "items.npy was changed after it was written" in error(out / "items.npy", out / "item_ids.csv")
