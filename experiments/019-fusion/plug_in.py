"""Plug graphrec into a recommender that somebody already runs: here ALS of `implicit` on the sample store.

python experiments/019-fusion/plug_in.py [DATASET] (pip install 'graphrec[baselines]')
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from implicit.als import AlternatingLeastSquares

from graphrec import Dataset, GraphRecConfig, Recommender, fuse, learn_fusion
from graphrec.data.sample_store import write_sample_store


def main(folder: Path, config: GraphRecConfig | None = None) -> pd.DataFrame:
    data = Dataset.load(folder)
    split = data.split_cold_items(0.2, seed=0, warm_fraction=0.2)  # kept from both, to learn the weights on
    held = split.truth
    truth = pd.DataFrame(
        {"user_id": data.user_ids[held.user_index_P], "item_id": data.catalogue.item_ids[held.item_index_P]}
    )
    theirs = running_system(split.train)  # yours: any table of user_id, item_id, score

    model = Recommender(config).fit(split.train)
    ours = model.recommend(theirs["user_id"].unique().tolist(), k=100)
    items = model.embeddings("item")
    new = items.ids[items.degree == 0]  # nobody has touched them, so only ours can list them
    fusion = learn_fusion(theirs, ours, truth, k=20, new_items=new)
    print(fusion)
    return fuse(theirs, ours, fusion, k=20, new_items=new)  # in service: lists of both, trained on everything


def running_system(train: Dataset) -> pd.DataFrame:
    """The 50 best items for everybody with a history."""
    matrix = train.interactions.user_item_matrix()
    users = np.flatnonzero(np.diff(matrix.indptr))
    als = AlternatingLeastSquares(factors=16, random_state=0)
    als.fit(matrix, show_progress=False)
    known = np.flatnonzero(train.interactions.item_degree())
    items, scores = als.recommend(users, matrix[users], N=50, items=known, filter_already_liked_items=False)
    lists = pd.DataFrame(
        {
            "user_id": np.repeat(train.user_ids[users], items.shape[1]),
            "item_id": train.catalogue.item_ids[items.ravel()],
            "score": scores.ravel(),
        }
    )
    is_seen = np.asarray(matrix[np.repeat(users, items.shape[1]), items.ravel()]).ravel() > 0
    return lists[~is_seen]


if __name__ == "__main__":
    store = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/sample-store")
    print(main(store if store.exists() else write_sample_store(store)).head(20).to_string(index=False))
