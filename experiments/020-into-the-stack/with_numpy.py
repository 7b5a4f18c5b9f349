"""NumPy: an export as .npy gives the lists of `graphrec recall`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from example import answer, recalled, run_folder

from graphrec import Recommender
from graphrec.workflow import export_run

run, k = run_folder(), 20
with TemporaryDirectory() as folder:
    export_run(Recommender.load(run), "npy", Path(folder))  # graphrec export --to npy --out FOLDER
    item_vectors, user_vectors = np.load(f"{folder}/items.npy"), np.load(f"{folder}/users.npy")
    table = {"dtype": str, "delimiter": ",", "quotechar": '"', "skiprows": 1, "usecols": 0, "encoding": "utf-8"}
    item_ids, user_ids = np.loadtxt(f"{folder}/item_ids.csv", **table), np.loadtxt(f"{folder}/user_ids.csv", **table)

scores = (user_vectors.astype(np.float64) @ item_vectors.astype(np.float64).T).astype(np.float32)
best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
lists = dict(zip(user_ids.tolist(), item_ids[best].tolist(), strict=True))

expected = recalled(run, k)
same = sum(lists[user] == expected[user] for user in expected)
answer(f"lists equal to recall's for {same:,} of {len(expected):,} users", users=len(expected), equal=same)
