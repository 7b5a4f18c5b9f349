"""Structured columns of the items: which columns are attributes, of which kind, and their values."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.catalogue import Attributes
from graphrec.data.columns import require_columns
from graphrec.data.description import ItemsDescription
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import LIST_SEPARATOR, Table, factorize, to_strings
from graphrec.data.values import read_numbers
from graphrec.errors import GraphRecError

Kind = Literal["categorical", "multi_valued", "numeric"]

_SEPARATOR = "|"
_MAX_DISTINCT = 1000
"""A guessed category has at most this many values, and each of them two rows on average."""
_NEVER_GUESSED = re.compile(
    r"(^|_)(ids?|uuid|guid|asin|sku|ean|gtin|isbn|urls?|uri|links?|href|title|description|image|images|img)$"
)
_WRONG_NUMBER = "not a finite number; the value counts as missing, the item stays"


def read_attributes(
    tables: Sequence[Table],
    descriptions: Sequence[ItemsDescription],
    used: Sequence[set[str]],
    collector: SetAsideCollector,
) -> Attributes:
    """The attributes of all item tables, rows one table after the other.

    `used` names, per table, the columns that have another meaning (ids, texts) and are never guessed. A table without
    a column that another has counts as missing there. Raises GraphRecError where a listed column does not exist or two
    files disagree on what a column is.
    """
    kinds = _listed_kinds(tables, descriptions)
    guessed = _guess_kinds(tables, descriptions, used, set(kinds))
    if any(not description.lists_attributes for description in descriptions):
        collector.note(_guess_note(tables, descriptions, used, guessed))
    kinds |= guessed
    by_kind = {
        kind: [name for name, k in kinds.items() if k == kind] for kind in ("categorical", "multi_valued", "numeric")
    }
    return Attributes(
        categorical={name: np.concatenate([_categorical(t, name) for t in tables]) for name in by_kind["categorical"]},
        multi_valued={
            name: [values for t, d in zip(tables, descriptions, strict=True) for values in _multi_valued(t, name, d)]
            for name in by_kind["multi_valued"]
        },
        numeric={name: np.concatenate([_numeric(t, name, collector) for t in tables]) for name in by_kind["numeric"]},
    )


def _listed_kinds(tables: Sequence[Table], descriptions: Sequence[ItemsDescription]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for table, description in zip(tables, descriptions, strict=True):
        here: dict[str, Kind] = dict.fromkeys(description.categorical or (), "categorical")
        here |= dict.fromkeys(description.multi_valued, "multi_valued")
        here |= dict.fromkeys(description.numeric, "numeric")
        require_columns(table, here, "items")
        for name, kind in here.items():
            if kinds.setdefault(name, kind) != kind:
                raise GraphRecError(
                    f"{table.file}: attribute {name!r} is {kind} here and {kinds[name]} in another items file."
                )
    return kinds


def _guess_kinds(
    tables: Sequence[Table], descriptions: Sequence[ItemsDescription], used: Sequence[set[str]], listed: set[str]
) -> dict[str, Kind]:
    guessed: dict[str, Kind] = {}
    open_tables = [(t, u) for t, d, u in zip(tables, descriptions, used, strict=True) if not d.lists_attributes]
    for name in dict.fromkeys(name for table, skip in open_tables for name in table.columns if name not in skip):
        if name in listed or _NEVER_GUESSED.search(_snake_case(name)):
            continue
        holders = [table for table, skip in open_tables if name in table.columns and name not in skip]
        kind = _guess(pa.concat_arrays([table.columns[name] for table in holders]), holders[0], name)
        if kind is not None:
            guessed[name] = kind
    return guessed


def _guess(array: pa.Array, table: Table, name: str) -> Kind | None:
    given = array.filter(pc.not_equal(array, ""))
    if not len(given) or pc.starts_with(given[0], "http").as_py():
        return None
    if name in table.list_separator:
        return "multi_valued" if _has_few_values(_parts(given, table.list_separator[name])) else None
    if pc.mean(pc.match_substring(given, _SEPARATOR)).as_py() >= 0.1:
        return "multi_valued" if _has_few_values(_parts(given, _SEPARATOR)) else None
    number, _ = read_numbers(given)
    # 0123 is a code, not a number.
    has_code = pc.any(pc.match_substring_regex(given, r"^0\d")).as_py()
    if name not in table.discrete and not has_code and np.isfinite(number).mean() >= 0.9:
        return "numeric" if len(np.unique(number[np.isfinite(number)])) > 1 else None
    return "categorical" if _has_few_values(given) else None


def _has_few_values(values: pa.Array) -> bool:
    return 2 <= pc.count_distinct(values).as_py() <= min(len(values) // 2, _MAX_DISTINCT)


def _parts(array: pa.Array, separator: str) -> pa.Array:
    return to_strings(pc.list_flatten(pc.split_pattern(array, separator)))


def _guess_note(
    tables: Sequence[Table],
    descriptions: Sequence[ItemsDescription],
    used: Sequence[set[str]],
    guessed: dict[str, Kind],
) -> str:
    open_tables = [(t, u) for t, d, u in zip(tables, descriptions, used, strict=True) if not d.lists_attributes]
    files = ", ".join(table.file for table, _ in open_tables)
    parts = [
        f"{kind} {', '.join(name for name, k in guessed.items() if k == kind)}"
        for kind in ("categorical", "multi_valued", "numeric")
        if kind in guessed.values()
    ]
    unused = dict.fromkeys(
        name for table, skip in open_tables for name in table.columns if name not in skip and name not in guessed
    )
    note = f"{files}: attributes guessed from the columns: {'; '.join(parts) or 'none'}"
    note += f" (not used: {', '.join(unused)})" if unused else ""
    return note + "; list categorical, multi_valued and numeric under items: in dataset.yaml to decide otherwise"


def _categorical(table: Table, name: str) -> np.ndarray:
    if name not in table.columns:
        return np.full(len(table), "", dtype=object)
    code_N, distinct = factorize(table.text(name))
    return distinct[code_N]


def _multi_valued(table: Table, name: str, description: ItemsDescription) -> list[tuple[str, ...]]:
    if name not in table.columns:
        return [()] * len(table)
    own = table.list_separator.get(name, _SEPARATOR)
    separator = own if own == LIST_SEPARATOR else description.multi_valued.get(name, own)
    code_N, distinct = factorize(table.columns[name])
    # The same value twice in one row says nothing more.
    parts = [tuple(dict.fromkeys(part.strip() for part in text.split(separator) if part.strip())) for text in distinct]
    return [parts[code] for code in code_N.tolist()]


def _numeric(table: Table, name: str, collector: SetAsideCollector) -> np.ndarray:
    if name not in table.columns:
        return np.full(len(table), np.nan)
    number_N, is_wrong_N = read_numbers(table.columns[name])
    collector.report(table, is_wrong_N, name, _WRONG_NUMBER)
    return number_N


def _snake_case(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()).strip("_")
