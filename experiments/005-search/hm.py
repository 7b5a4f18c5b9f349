"""H&M articles with pictures and words through a CLIP that was fitted on such pairs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from encoded import ALTERED, TextsAndPictures
from tasks import SplitTask, study

from graphrec import Dataset
from graphrec.features.clip import ClipEncoder, parse_clip
from graphrec.progress import Progress
from graphrec.retrieval.clip_space import ClipSpace
from graphrec.retrieval.pair_weights import KINDS
from graphrec.search.config import SearchConfig
from graphrec.search.fitting import FitTask, catalogue_task, fit_weights
from graphrec.search.query_encoder import QueryEncoder

DATASET = Path(__file__).parents[2] / "configs" / "data" / "hm-fashion.yaml"


def hm_study(root: Path, clip_name: str, progress: Progress) -> dict[str, Any]:
    """An article from its name, which the index does not hold, and its altered picture; all articles are candidates.

    Queries are the arrivals of the valid split, whose pairs (and those of the same name) the CLIP was not fitted on.
    """
    dataset = Dataset.load(DATASET, root)
    catalogue = dataset.catalogue
    made = TextsAndPictures(catalogue, ClipEncoder(parse_clip(clip_name)), progress)
    items = pd.read_csv(root / "hm-fashion" / "items.csv", dtype=str, keep_default_na=False).set_index("item_id")
    items = items.loc[list(catalogue.item_ids)]
    columns = ["product_type_name", "colour_group_name", "detail_desc"]
    rest = [". ".join(part for part in row if part) for row in items[columns].itertuples(index=False)]
    space = ClipSpace.build({"image": made.pictures(), "text": made.texts(rest)}, is_shared=True)
    rng = np.random.default_rng(0)
    is_new_I = dataset.interactions.item_degree() == 0
    is_new_I[np.setdiff1d(np.arange(len(catalogue)), dataset.truths["valid"].item_index_P)] = False
    chosen = rng.permutation(np.flatnonzero(is_new_I & (space.route_I == "both") & (catalogue.title != "")))
    title = made.texts([catalogue.title[item] for item in chosen])
    product = np.array([catalogue.item_ids[item][:7] for item in chosen])
    encoder = QueryEncoder(dict.fromkeys(KINDS, made.encoder.config), dict.fromkeys(KINDS, made.encoder.dim))
    others = np.setdiff1d(np.arange(len(catalogue)), chosen)  # so that no query is seen in training
    shown = replace(catalogue, title=np.where(np.isin(np.arange(len(catalogue)), others), catalogue.title, ""))
    in_training = fit_weights(
        catalogue_task(space, shown, encoder, SearchConfig().fit_items, np.random.default_rng(0), progress)
    )
    tasks = []
    for how in ALTERED:
        changed = made.altered(how, chosen)
        usable = changed.present_I & title.present_I
        task = FitTask(space, {"image": changed.x_IF[usable], "text": title.x_IF[usable]}, chosen[usable])
        tasks.append(SplitTask(f"name and {how}", task, product[usable]))
    return {"clip": Path(clip_name).name, "tasks": [study(task, in_training) for task in tasks]}
