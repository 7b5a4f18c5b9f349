"""`learn_fusion`: the weights that a validation truth speaks for, or theirs alone where it speaks for none.

Shapes: U users that judge.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from graphrec.errors import GraphRecError
from graphrec.evaluation.intervals import paired_bootstrap
from graphrec.fusion.candidates import Candidates
from graphrec.fusion.fusing import check_k
from graphrec.fusion.judges import Judges
from graphrec.fusion.settings import Fusion, Learned
from graphrec.fusion.tables import check_same_spelling, check_truth, checked_ids
from graphrec.progress import Progress, silent

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NEW_WEIGHTS = (None, 0.75, 0.9, 1.0, 1.05, 1.1, 1.15, 1.25, 1.5, 2.0, 3.0)


def learn_fusion(
    theirs: pd.DataFrame,
    ours: pd.DataFrame,
    truth: pd.DataFrame,
    k: int = 20,
    new_items: Iterable[str] = (),
    known_loss: float = 0.03,
    seed: int = 0,
    progress: Progress = silent,
) -> Fusion:
    """The fusion with the highest mean NDCG@k on `truth` (user_id, item_id), of which neither system may have learned.

    Every weight from theirs alone to ours alone is tried and, where `new_items` are named (see `fuse`), every weight of
    theirs with each of `NEW_WEIGHTS`. `known_loss` is the share of their NDCG@k on the other items that may be given up
    for more new ones at most: a truth in which new items have all of their history asks for more of them than people
    will, so without a bound (1) they would crowd out what is known. Users with a pair in the truth and a list in both
    tables judge, at most `judges.MOST_USERS` of them, drawn by `seed`.

    Whether the best setting is ahead of theirs alone is asked with a paired bootstrap over these users. Where the 95 %
    interval of the gain reaches zero, theirs alone is returned: what runs is not changed for noise. The best was chosen
    on these very users, so its gain is optimistic; `Fusion.learned` has both and the number of users.

    Raises GraphRecError in one line as `fuse` does, and where fewer than two users could judge.
    """
    check_k(k)
    if not 0 <= known_loss <= 1:
        raise GraphRecError(f"Expected a known_loss between 0 (none) and 1 (no bound), got {known_loss}.")
    check_truth(truth)
    new_items = list(checked_ids(new_items, "new_items"))
    candidates = Candidates.of(theirs, ours, new_items)
    for column, ids in (("user_id", candidates.user_ids), ("item_id", candidates.item_ids)):
        check_same_spelling(column, {"theirs and ours": ids, "truth": truth[column].unique()})
    judges = Judges.of(candidates, truth, new_items, k, seed)
    news = NEW_WEIGHTS if judges.candidates.is_new_C.any() else (None,)
    settings = [Fusion(weight, new) for weight in WEIGHTS for new in news]  # theirs alone first: ties go to it
    alone = {weight: judges.values(Fusion(weight)) for weight in (0.0, 1.0)}
    theirs_U, known_theirs = alone[0.0]
    best, best_U, best_known = settings[0], theirs_U, known_theirs
    for setting in progress(settings, "Trying weights"):
        value_U, known = judges.values(setting)
        if value_U.mean() > best_U.mean() and known >= (1 - known_loss) * known_theirs:
            best, best_U, best_known = setting, value_U, known
    gain = paired_bootstrap(best_U, theirs_U, np.random.default_rng(seed))
    if gain.low <= 0:
        best, best_U, best_known = settings[0], theirs_U, known_theirs
    learned = Learned(
        k=k,
        num_users=len(theirs_U),
        num_settings=len(settings),
        theirs=float(theirs_U.mean()),
        ours=float(alone[1.0][0].mean()),
        fused=float(best_U.mean()),
        gain=gain,
        known_loss=1 - best_known / known_theirs if known_theirs > 0 else 0.0,
    )
    return replace(best, learned=learned)
