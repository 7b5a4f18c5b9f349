"""`fuse`: two tables of lists become one."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from graphrec.errors import GraphRecError
from graphrec.fusion.candidates import OURS, THEIRS, Candidates
from graphrec.fusion.settings import Fusion


def fuse(
    theirs: pd.DataFrame, ours: pd.DataFrame, fusion: Fusion, k: int = 20, new_items: Iterable[str] = ()
) -> pd.DataFrame:
    """One list of at most k items for each user: columns user_id, rank (from 1), item_id, score, from.

    Both tables have columns user_id, item_id (strings) and score (larger is better, only its order counts, equal ones
    stand by item id); other columns are ignored. Lists longer than k, such as 100, leave more to choose from. `from`
    says which of them holds the item: theirs, ours or both. Rows stand in the order of user id and rank. A user in one
    table alone keeps that list. An answer depends on the user's own lists alone, and not on the order of rows.

    `new_items` are ids that the other system cannot know, which `fusion.new_weight` is for: those of
    `Recommender.embeddings("item")` with degree 0. Where a list of theirs has one all the same, it counts there as any
    other item.

    Raises GraphRecError in one line where a column is missing, ids are no strings or lost their leading zeros, a score
    is no number, a table is empty or repeats a pair, or no user is in both.
    """
    check_k(k)
    candidates = Candidates.of(theirs, ours, new_items)
    best, rank, score = candidates.best(fusion, k)
    is_theirs, is_ours = candidates.theirs_C[best] > 0, candidates.ours_C[best] > 0
    held_by = np.where(is_theirs & is_ours, "both", np.where(is_theirs, THEIRS, OURS))
    return pd.DataFrame(  # strings are named as such, for of an empty column pandas could not tell
        {
            "user_id": pd.Series(candidates.user_ids[candidates.user_C[best]], dtype=str),
            "rank": rank,
            "item_id": pd.Series(candidates.item_ids[candidates.item_C[best]], dtype=str),
            "score": score,
            "from": pd.Series(held_by, dtype=str),
        }
    )


def check_k(k: int) -> None:
    """Raise GraphRecError unless a list of k makes sense."""
    if k < 1:
        raise GraphRecError(f"Expected k of at least 1, got {k}.")
