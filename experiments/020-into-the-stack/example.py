"""What the examples share: a run to begin with, what `graphrec recall` answers, and the line that an example ends with.

Every example takes a run folder, `python with_numpy.py runs/latest`; without one it trains a quick run of the sample
store, once. Its last line is JSON, with a sentence of what was found under "found".
"""

import json
import sys
from pathlib import Path
from typing import Any

from graphrec import GraphRecConfig, Recommender
from graphrec.workflow import open_dataset, train_run

SAMPLE_RUN = Path("runs/into-the-stack/sample-store")
QUICK = ("model.encoder.dim=32", "model.training.max_epochs=4", "model.tuning.tries=16")
MOST_USERS = 300


def run_folder() -> Path:
    """The folder that the command line names, or the quick run."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    if not SAMPLE_RUN.exists():
        train_run(open_dataset(None), GraphRecConfig.load(None, QUICK), SAMPLE_RUN, device="cpu")
    return SAMPLE_RUN


def recalled(run: Path, k: int = 20) -> dict[str, list[str]]:
    """User id → what `graphrec recall --include-seen` answers, for up to 300 users with a history."""
    model = Recommender.load(run, "cpu")
    users = model.embeddings("user")
    known = users.ids[users.degree > 0][:MOST_USERS].tolist()
    table = model.recommend(known, k, exclude_seen=False)
    return {user: items["item_id"].tolist() for user, items in table.groupby("user_id", sort=False)}


def answer(found: str, **figures: Any) -> None:
    """The last line of an example."""
    print(json.dumps({"found": found, **figures}))
