"""RecBole: the files that it preloads embeddings from, read as it reads them; RecBole itself is not needed here."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml
from example import answer, recalled, run_folder

from graphrec import Recommender
from graphrec.workflow import export_run

run, k = run_folder(), 20
vectors: dict[str, pd.Series] = {}
with TemporaryDirectory() as folder:
    export_run(Recommender.load(run), "recbole", Path(folder))  # graphrec export --to recbole --out FOLDER
    config = yaml.safe_load(Path(folder, "recbole.yaml").read_text(encoding="utf-8"))
    for suffix in config["additional_feat_suffix"]:  # "itememb", "useremb": RecBole looks for <dataset>.itememb
        table = pd.read_csv(f"{folder}/{suffix[:4]}s.{suffix}", sep="\t", dtype=str)
        table.columns = [column.partition(":")[0] for column in table.columns]  # header: name:type
        id_field, vector_field = config["load_col"][suffix]
        numbers = [np.array(text.split(" "), dtype=np.float64) for text in table[vector_field]]
        vectors[suffix] = pd.Series(numbers, index=table[id_field])

expected = recalled(run, k)
item_vectors, user_vectors = np.stack(vectors["itememb"]), np.stack(vectors["useremb"].loc[list(expected)])
best = np.argsort(-(user_vectors @ item_vectors.T).astype(np.float32), axis=1, kind="stable")[:, :k]
lists = dict(zip(expected, vectors["itememb"].index.to_numpy()[best].tolist(), strict=True))
same = sum(lists[user] == expected[user] for user in expected)
answer(f"lists equal to recall's for {same:,} of {len(expected):,} users", users=len(expected), equal=same)
