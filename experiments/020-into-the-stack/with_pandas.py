"""pandas: an export in parquet gives the lists of `graphrec recall`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from example import answer, recalled, run_folder

from graphrec import Recommender
from graphrec.workflow import export_run

run, k = run_folder(), 20
with TemporaryDirectory() as folder:
    export_run(Recommender.load(run), "parquet", Path(folder))  # graphrec export --to parquet --out FOLDER
    items, users = pd.read_parquet(f"{folder}/items.parquet"), pd.read_parquet(f"{folder}/users.parquet")

# One row of numbers per item and per user; a score is the inner product of the two.
item_vectors = pd.DataFrame(items["vector"].tolist(), index=items["id"], dtype="float64")
user_vectors = pd.DataFrame(users["vector"].tolist(), index=users["id"], dtype="float64")

expected = recalled(run, k)
scores = user_vectors.loc[list(expected)].dot(item_vectors.T).astype("float32")
lists = {user: row.sort_values(ascending=False, kind="stable").index[:k].tolist() for user, row in scores.iterrows()}

same = sum(lists[user] == expected[user] for user in expected)
answer(f"lists equal to recall's for {same:,} of {len(expected):,} users", users=len(expected), equal=same)
