"""Tables of lists as somebody brings them: checked once, in the caller's words, then addressed by codes.

Shapes: R rows of a table, P distinct pairs of a truth.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from graphrec.errors import GraphRecError

_IDS = ("user_id", "item_id")


def check_lists(table: pd.DataFrame, name: str) -> None:
    """Raise GraphRecError unless the table has string ids and finite scores, and at least one row."""
    _check_table(table, name, (*_IDS, "score"))
    score = table["score"]
    if not pd.api.types.is_numeric_dtype(score) or pd.api.types.is_bool_dtype(score):
        raise GraphRecError(
            f"{name}: column score holds {score.dtype}, expected numbers: convert it with .astype(float)."
        )
    _require(
        np.isfinite(score.to_numpy(dtype=np.float64, na_value=np.nan)), table, name, "a score that is no finite number"
    )


def check_truth(table: pd.DataFrame, name: str = "truth") -> None:
    """Raise GraphRecError unless the table has string ids and at least one row; repeated pairs are no mistake."""
    _check_table(table, name, _IDS)


def check_same_spelling(column: str, distinct: Mapping[str, np.ndarray]) -> None:
    """Raise GraphRecError where leading zeros of one table's ids are gone in another: nothing would match.

    `distinct` has each table's distinct ids. Said where one has an id with a leading zero, another has none at all, and
    has that id without the zero.
    """
    padded = {name: [one for one in ids if one[0:1] == "0" and len(one) > 1] for name, ids in distinct.items()}
    for name, with_zeros in padded.items():
        bare = {one.lstrip("0"): one for one in with_zeros}
        for other, ids in distinct.items():
            lost = [] if padded[other] or not bare else [one for one in ids if one in bare]
            if lost:
                raise GraphRecError(
                    f"{other}: {column} has lost its leading zeros ({bare[lost[0]]!r} of {name} is {lost[0]!r} there): "
                    "read that file with dtype=str."
                )


def coded(column: str, tables: Mapping[str, pd.DataFrame]) -> tuple[list[np.ndarray], np.ndarray]:
    """The sorted distinct ids of all tables, and the place among them of each row's (int64, one array a table).

    Raises GraphRecError where the tables spell them differently.
    """
    found = {name: pd.factorize(table[column]) for name, table in tables.items()}
    distinct = {name: np.asarray(ids, dtype=object) for name, (_, ids) in found.items()}
    check_same_spelling(column, distinct)
    ids = pd.Index(sorted(set().union(*distinct.values())), dtype=object)
    places = [ids.get_indexer(pd.Index(distinct[name], dtype=object))[codes_R] for name, (codes_R, _) in found.items()]
    return places, np.asarray(ids)


def checked_ids(ids: Iterable[str], name: str) -> pd.Index:
    """The distinct ids. Raises GraphRecError for a bare string, and for anything in it that is no string."""
    if isinstance(ids, str):
        raise GraphRecError(f"{name}: expected a list of item ids, got {ids!r}: write [{ids!r}].")
    distinct = pd.Index(list(dict.fromkeys(ids)), dtype=object)
    wrong = [one for one in distinct if not isinstance(one, str)]
    if wrong:
        raise GraphRecError(f"{name}: expected ids as strings, got {wrong[0]!r}: read the file with dtype=str.")
    return distinct


def _check_table(table: pd.DataFrame, name: str, columns: tuple[str, ...]) -> None:
    if not isinstance(table, pd.DataFrame):
        raise GraphRecError(
            f"{name}: expected a pandas DataFrame with {', '.join(columns)}, got {type(table).__name__}."
        )
    missing = [column for column in columns if column not in table.columns]
    if missing:
        have = ", ".join(map(str, table.columns)) or "no column"
        raise GraphRecError(
            f"{name} has no column {' and no column '.join(missing)} (it has: {have}); rename the right one."
        )
    if not len(table):
        raise GraphRecError(f"{name} has no rows: there is no list to read.")
    for column in _IDS:
        _require(table[column].notna().to_numpy(), table, name, f"no {column}")
        if not pd.api.types.is_string_dtype(table[column]):
            raise GraphRecError(
                f"{name}: {column} holds {_kind(table[column])}, expected strings: read the file with dtype=str, which "
                "also keeps leading zeros."
            )


def _kind(column: pd.Series) -> str:
    return "values of several types" if column.dtype == object else str(column.dtype)


def _require(is_right_R: np.ndarray, table: pd.DataFrame, name: str, wrong: str) -> None:
    if not is_right_R.all():
        row = int(np.argmin(is_right_R))
        where = ", ".join(f"{column} {table[column].iloc[row]!r}" for column in _IDS)
        raise GraphRecError(
            f"{name}: {wrong} in {(~is_right_R).sum():,} of {len(table):,} rows, the first is row {row + 1} ({where}): "
            "correct them or leave them out."
        )
