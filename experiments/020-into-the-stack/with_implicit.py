"""implicit: a fitted ALS recommends items that nobody has touched, by factors that graphrec's vectors tell."""

import numpy as np
from example import answer, run_folder
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from graphrec import Recommender
from graphrec.evaluation.metrics import recall
from graphrec.evaluation.protocol import build_pool
from graphrec.evaluation.ranking import hits, rank_by_vectors
from graphrec.export.cold_factors import add_cold_items
from graphrec.workflow import run_split

model = Recommender.load(run_folder(), "cpu")
split = run_split(model)
user_items = (split.train.interactions.user_item_matrix() > 0).astype(np.float32)

with threadpool_limits(1, "blas"):  # implicit has threads of its own
    als = AlternatingLeastSquares(factors=256, regularization=100.0, alpha=10.0, random_state=0)
    als.fit(user_items, show_progress=False)
extended = add_cold_items(als, split.train.catalogue.item_ids, model.embeddings())

best, _ = extended.model.recommend(0, user_items[0], N=20, items=split.cold_items)  # item_ids[best]: 20 new items
assert not als.item_factors[best].any()

# What was held out of the new items: found by the ALS, and by graphrec's own list.
pool = build_pool(split, "cold")


def recall_at_20(user_vectors: np.ndarray, item_vectors: np.ndarray) -> float:
    lists = rank_by_vectors(user_vectors[pool.users], item_vectors, pool.items, None, 20)
    return float(recall(*hits(lists, pool.truth[pool.users]), 20).mean())


by_als = recall_at_20(extended.model.user_factors, extended.model.item_factors)
own_list = recall_at_20(model.embeddings("user").vectors, model.embeddings().vectors)
answer(
    f"Recall@20 of {len(pool.items)} new items {by_als:.3f} (without: all score 0), graphrec's own list {own_list:.3f}",
    items=len(pool.items), users=len(pool.users), extended=by_als, own_list=own_list, explained=extended.explained,
)  # fmt: skip
