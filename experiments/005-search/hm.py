"""H&M articles with pictures and words through a CLIP that was fitted on such pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from encoded import ALTERED, TextsAndPictures
from tasks import SplitTask, halves, study

from graphrec import Dataset
from graphrec.features.clip import ClipEncoder, parse_clip
from graphrec.progress import Progress
from graphrec.retrieval.clip_space import ClipSpace
from graphrec.search.fitting import FitTask

DATASET = Path(__file__).parents[2] / "configs" / "data" / "hm-fashion.yaml"
QUERIES = 2000


def hm_study(root: Path, clip_name: str, progress: Progress) -> dict[str, Any]:
    """An article from its name, which the index does not hold, and its altered picture; all articles are candidates."""
    catalogue = Dataset.load(DATASET, root).catalogue
    made = TextsAndPictures(catalogue, ClipEncoder(parse_clip(clip_name)), progress)
    items = pd.read_csv(root / "hm-fashion" / "items.csv", dtype=str, keep_default_na=False).set_index("item_id")
    items = items.loc[list(catalogue.item_ids)]
    columns = ["product_type_name", "colour_group_name", "detail_desc"]
    rest = [". ".join(part for part in row if part) for row in items[columns].itertuples(index=False)]
    space = ClipSpace.build({"image": made.pictures(), "text": made.texts(rest)}, is_shared=True)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(np.flatnonzero((space.route_I == "both") & (catalogue.title != "")))[:QUERIES]
    title = made.texts([catalogue.title[item] for item in chosen])
    product = np.array([catalogue.item_ids[item][:7] for item in chosen])
    tasks = []
    for how in ALTERED:
        changed = made.altered(how, chosen)
        usable = changed.present_I & title.present_I
        task = FitTask(space, {"image": changed.x_IF[usable], "text": title.x_IF[usable]}, chosen[usable])
        tasks.append(SplitTask(f"name and {how}", task, halves(product[usable], np.random.default_rng(0))))
    return {"clip": Path(clip_name).name, "tasks": [study(task) for task in tasks]}
