"""FAISS: an exported index gives the lists of `graphrec recall`; one with stable ids can be asked by id."""

from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import pandas as pd
from example import answer, recalled, run_folder

from graphrec import Recommender
from graphrec.workflow import export_run

run, k = run_folder(), 20
model, expected = Recommender.load(run), recalled(run, k)
with TemporaryDirectory() as folder:
    export_run(model, "faiss", Path(folder))  # graphrec export --to faiss --out FOLDER
    index = faiss.read_index(f"{folder}/items.faiss")
    items = pd.read_csv(f"{folder}/item_ids.csv", dtype={"id": str}, keep_default_na=False)
    user_ids = pd.read_csv(f"{folder}/user_ids.csv", dtype=str, keep_default_na=False)["id"]
    query = np.load(f"{folder}/users.npy")[pd.Index(user_ids).get_indexer(list(expected))]
    export_run(model, "faiss", Path(folder), index_ids="stable")  # graphrec export --to faiss --index-ids stable
    by_id = faiss.read_index(f"{folder}/items.faiss")

# FAISS sums in float32, so it proposes a few more than are wanted, and a sum in float64 puts them in order.
_, rows = index.search(query, min(k + 20, index.ntotal))
rows.sort(axis=1)
vectors = index.reconstruct_batch(rows.ravel()).reshape(*rows.shape, -1)
scores = np.einsum("ud,urd->ur", query, vectors, dtype=np.float64).astype(np.float32)
best = np.take_along_axis(rows, np.argsort(-scores, axis=1, kind="stable")[:, :k], axis=1)
lists = dict(zip(expected, items["id"].to_numpy()[best].tolist(), strict=True))

same = sum(lists[user] == expected[user] for user in expected)
one = items.iloc[rows[0, 0]]
assert (by_id.reconstruct(int(one["stable_id"])) == index.reconstruct(int(rows[0, 0]))).all()
answer(f"lists equal to recall's for {same:,} of {len(expected):,} users", users=len(expected), equal=same)
