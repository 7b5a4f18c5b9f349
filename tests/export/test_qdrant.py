"""The embedded mode of Qdrant's client, which searches exactly."""

import numpy as np
import pytest
from made_up_items import NUM_ITEMS, lists, naive_lists, of_version
from qdrant_client import QdrantClient, models
from store_promises import StorePromises, filled, items, queries, refusal  # noqa: F401

from graphrec.data.filters import Filters
from graphrec.data.own_vectors import read_own_vectors
from graphrec.data.set_aside import SetAsideCollector
from graphrec.export.from_qdrant import own_vectors_from_qdrant
from graphrec.export.qdrant import QdrantItems


@pytest.fixture
def store():
    with QdrantItems.open() as store:
        yield store


@pytest.fixture
def own_vectors(tmp_path):
    def read(store):
        own_vectors_from_qdrant(store.client, store.collection, tmp_path / "own.parquet")
        own = read_own_vectors(tmp_path / "own.parquet", None, SetAsideCollector())
        return own.ids, own.x_RF

    return read


class TestQdrant(StorePromises):
    def rows(self, store):
        points, _ = store.client.scroll(store.collection, limit=1000, with_vectors=True)
        return sorted((point.id, repr(point.payload), tuple(point.vector)) for point in points)


def test_a_name_with_a_quote_cannot_be_filtered_by(filled, queries):  # noqa: F811
    told = refusal(filled.search, queries, filters=Filters(where=['size "in" cm=1..2']))
    assert "Qdrant cannot filter by a name that holds a quote" in told


def test_a_folder_keeps_what_was_put_there_and_belongs_to_one_process(tmp_path, items, queries):  # noqa: F811
    with QdrantItems.open(path=tmp_path / "q") as store:
        store.upsert(items, queries)
        store.delete(["007"])
        assert "is open in another process" in refusal(QdrantItems.open(path=tmp_path / "q").__enter__)
    with QdrantItems.open(path=tmp_path / "q") as store:
        expected = naive_lists(items, queries, 9, range(1, NUM_ITEMS))
        assert lists(store.search(store.queries(list(queries.user_ids)), 9)) == expected


def test_a_replacement_that_was_cut_short_is_told_from_either_version_and_can_be_finished(
    filled,  # noqa: F811
    items,  # noqa: F811
    queries,  # noqa: F811
    monkeypatch,
):
    newer, asking = of_version(items, queries, "v2")

    def killed(steps, description, total=None):
        for _ in steps:
            yield _
            raise KeyboardInterrupt

    monkeypatch.setattr("graphrec.export.qdrant._POINTS", 25)
    with pytest.raises(KeyboardInterrupt):
        filled.upsert(newer, asking, replace=True, progress=killed)
    for half in (queries, asking):
        assert "a mix of model versions (v1 and v2)" in refusal(filled.search, half)
    filled.upsert(newer, asking, replace=True)
    assert lists(filled.search(asking, 9)) == naive_lists(newer, asking, 9)


def test_a_collection_of_somebody_else_is_left_alone(items):  # noqa: F811
    client = QdrantClient(":memory:")
    client.create_collection("theirs", models.VectorParams(size=9, distance=models.Distance.COSINE))
    assert "exists and is not graphrec's" in refusal(QdrantItems(client, "theirs").upsert, items)
    assert client.count("theirs").count == 0


def test_vectors_of_any_collection_become_own_vectors(tmp_path):
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=3, distance=models.Distance.DOT)
    client.create_collection("theirs", {"picture": params, "text": params})
    vectors = np.array([[0.1, -0.0, 3e-38], [1, 2, 3]], dtype=np.float32)
    points = [models.PointStruct(id=i, vector={"picture": row.tolist()}, payload={"sku": f"0{i}"}) for i, row in
              enumerate(vectors)]  # fmt: skip
    client.upsert("theirs", points)
    assert own_vectors_from_qdrant(client, "theirs", tmp_path / "v.parquet", id_field="sku") == 2
    own = read_own_vectors(tmp_path / "v.parquet", None, SetAsideCollector())
    assert own.ids.tolist() == ["00", "01"]
    np.testing.assert_array_equal(own.x_RF.view(np.uint32), vectors.view(np.uint32))
    assert own_vectors_from_qdrant(client, "theirs", tmp_path / "v.parquet", None, "picture") == 2
    told = refusal(own_vectors_from_qdrant, client, "theirs", tmp_path / "v.parquet", "sku", "sound")
    assert "name one (it has: picture)" in told
    assert "no collection 'none'" in refusal(own_vectors_from_qdrant, client, "none", tmp_path / "v.parquet")


def test_a_server_that_is_not_there_is_told_in_one_line(items):  # noqa: F811
    with QdrantItems.open(url="http://127.0.0.1:9") as store:
        assert "Qdrant does not answer" in refusal(store.upsert, items)


def test_the_command_fills_a_folder(graphrec, saved_run, tmp_path, fitted):
    arguments = ("export", "--run", saved_run, "--to", "qdrant", "--collection", "shop", "--users")
    code, out, err = graphrec(*arguments, "--path", tmp_path / "q")
    assert (code, "shop in qdrant: " in out) == (0, True), err
    with QdrantItems.open(path=tmp_path / "q", collection="shop") as store:
        users = [str(one) for one in fitted.embeddings("user").ids[:3]]
        assert store.search(store.queries(users))["item_id"].tolist() == fitted.recommend(users)["item_id"].tolist()
    assert graphrec(*arguments)[0] == 2
    code, _, err = graphrec(*arguments, "--url", "http://127.0.0.1:9", "--api-key-env", "NOT_SET_ANYWHERE")
    assert (code, err.count("\n")) == (1, 1)
    assert "NOT_SET_ANYWHERE is not set" in err
