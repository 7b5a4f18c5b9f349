"""What is put into the databases: two runs, and a large catalogue drawn for the purpose."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphrec import Dataset, GraphRecConfig, Recommender
from graphrec.data.catalogue import Attributes
from graphrec.data.stable_ids import stable_ids
from graphrec.export.stores.queries import Queries
from graphrec.export.stores.records import ItemRecords
from graphrec.retrieval.embeddings import Embeddings
from graphrec.retrieval.item_index import ItemIndex
from graphrec.workflow import open_dataset, train_run

PROJECT = Path(__file__).parents[2]
ML1M = PROJECT / "configs" / "data" / "ml1m-posters.yaml"
NAMES = ("sample-store", "ml1m", "drawn-100k")


@dataclass(frozen=True)
class World:
    """Items, queries, and the index that graphrec itself searches."""

    name: str
    items: ItemRecords
    queries: Queries
    index: ItemIndex

    def seen_rows(self, row: int) -> np.ndarray:
        """What a query has seen, as rows of the index."""
        order = np.argsort(self.items.stable_id_N)
        place = np.searchsorted(self.items.stable_id_N[order], self.queries.seen[row])
        return order[place]


def world_of(name: str, root: Path | None, num_queries: int) -> World:
    if name == "drawn-100k":
        return drawn(100_000, num_queries)
    folder = PROJECT / "runs" / "021-vector-stores" / name
    if not folder.exists():
        dataset = open_dataset(None) if name == "sample-store" else Dataset.load(ML1M, root)
        train_run(dataset, GraphRecConfig(), folder, device="cpu")
    model = Recommender.load(folder, device="cpu")
    users = np.random.default_rng(0).permutation(Queries.of(model).user_ids)[:num_queries]
    return World(name, ItemRecords.of(model), Queries.of(model, [str(one) for one in users]), model.index_)


def drawn(num_items: int, num_queries: int, dim: int = 385, num_clusters: int = 1000) -> World:
    """Vectors in clusters of about a hundred, of uneven length; a query lies between three clusters.

    A tenth of the items are new. This is harder for HNSW than one cloud: items of a cluster link to each other.
    """
    rng = np.random.default_rng(0)
    centre_CD = rng.normal(size=(num_clusters, dim))
    item_ID = centre_CD[rng.integers(0, num_clusters, num_items)] + 0.7 * rng.normal(size=(num_items, dim))
    item_ID *= np.exp(0.3 * rng.normal(size=(num_items, 1))) / np.linalg.norm(item_ID, axis=1, keepdims=True)
    query_BD = centre_CD[rng.integers(0, num_clusters, (num_queries, 3))].sum(axis=1)
    query_BD += 0.7 * rng.normal(size=query_BD.shape)
    query_BD /= np.linalg.norm(query_BD, axis=1, keepdims=True)
    degree_I = np.where(rng.random(num_items) < 0.1, 0, 5)
    source_I = np.where(degree_I == 0, "content", "graph").astype(object)
    ids = _strings("item", num_items)
    embeddings = Embeddings(ids, item_ID.astype(np.float32), degree_I, source_I)
    items = ItemRecords(embeddings, ids, np.full(num_items, "", dtype=object), Attributes(), "drawn")
    seen = [stable_ids(ids[rng.choice(num_items, size=50, replace=False)]) for _ in range(num_queries)]
    queries = Queries(_strings("user", num_queries), query_BD.astype(np.float32), seen, "drawn")
    return World("drawn-100k", items, queries, ItemIndex.build(embeddings.vectors))


def _strings(what: str, count: int) -> np.ndarray:
    return np.array([f"{what} {number}" for number in range(count)], dtype=object)
