"""The review file: proposed pairs for a person to say yes or no to."""

from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.atomic_file import replacing
from graphrec.data.columns import resolve_columns
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_objects
from graphrec.disk import why_not_written
from graphrec.errors import GraphRecError
from graphrec.identity.matches import SiteMatches

COLUMNS = (
    "item_id", "same_item_id", "probability", "verdict", "site", "same_site", "title", "same_title", "evidence"
)  # fmt: skip


def review_table(matches: SiteMatches) -> pd.DataFrame:
    """One row per proposed pair, `COLUMNS`: the most uncertain first, then the certain ones, last those with a verdict.

    `verdict` holds what a person said, and waits for it elsewhere.
    """
    catalogue, (left, right) = matches.catalogue, (matches.pairs.left_P, matches.pairs.right_P)
    table = pd.DataFrame(
        {
            "item_id": catalogue.item_ids[left],
            "same_item_id": catalogue.item_ids[right],
            "probability": np.floor(matches.probability_P * 1e4) / 1e4,  # .89996 must not be written as .9
            "verdict": matches.verdict_P,
            "site": catalogue.site[left],
            "same_site": catalogue.site[right],
            "title": catalogue.title[left],
            "same_title": catalogue.title[right],
            "evidence": matches.evidence_P,
        }
    )
    doubt = np.abs(matches.probability_P - 0.5)
    order = np.lexsort((right, left, doubt, matches.is_certain_P, matches.verdict_P != ""))
    return table.iloc[order].reset_index(drop=True)


def other_verdicts(labels: Path, matches: SiteMatches) -> pd.DataFrame:
    """The rows of a review file whose verdict `review_table` does not repeat, `COLUMNS`, as they are there.

    They are of other sites than were matched, could not be obeyed, or would link what others forbid: a person's work
    all the same. Raises GraphRecError where the file or a column is missing.
    """
    collector = SetAsideCollector()  # whoever obeyed the file has told what cannot be read
    table = read_table(labels.parent, labels.name, collector)
    resolve_columns(table, {}, ("item_id", "same_item_id", "verdict"), (), None, collector)
    rows = pd.DataFrame({name: to_objects(table.text(name)) if name in table.columns else "" for name in COLUMNS})
    shown = review_table(matches)
    is_repeated = _said(rows).isin(_said(shown[shown["verdict"] != ""]))
    return rows[(rows["verdict"] != "") & ~is_repeated]


def _said(rows: pd.DataFrame) -> pd.MultiIndex:
    """Pair, in the one direction or the other, and verdict."""
    pairs = np.sort(rows[["item_id", "same_item_id"]].to_numpy(dtype=str), axis=1)
    return pd.MultiIndex.from_arrays([pairs[:, 0], pairs[:, 1], rows["verdict"].str.lower()])


def write_review(matches: SiteMatches, path: Path, kept: pd.DataFrame | None = None) -> None:
    """Write `review_table` as CSV, whole or not at all, then the rows `kept` (see `other_verdicts`).

    Raises GraphRecError where the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as scratch:
            review_table(matches).to_csv(scratch, index=False)
            if kept is not None:
                kept.to_csv(scratch, mode="a", header=False, index=False)
    except OSError as error:
        raise GraphRecError(f"{path} cannot be written: {why_not_written(error)}.") from None


def check_replaceable(path: Path, labels: Path | None) -> None:
    """Raise GraphRecError where writing `path` would lose verdicts that `labels` does not hold."""
    if not path.exists() or (labels is not None and labels.exists() and path.samefile(labels)):
        return
    try:
        verdicts = pd.read_csv(path, dtype=str, keep_default_na=False).get("verdict", pd.Series(dtype=str))
    except (OSError, ValueError) as error:  # no CSV: somebody's other file
        raise GraphRecError(f"{path} exists and is no review file ({error}); give another --out.") from None
    given = int((verdicts.str.strip() != "").sum())
    if given:
        raise GraphRecError(
            f"{path} holds {given} verdicts of a person, which would be lost; add --labels {path} to obey and keep "
            "them, or give another --out."
        )
