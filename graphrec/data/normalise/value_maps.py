"""Value maps: theirs → ours, for whole values or for the parts of a list."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, factorize, to_strings

_SHOWN = 3


def mapped(
    table: Table,
    column: str,
    ours: Mapping[str, str | None],
    separator: str | None,
    keep_unmapped: bool,
    collector: SetAsideCollector,
) -> pa.Array:
    """The column with its values (or, with a separator, the parts of each) replaced; None counts as missing.

    Reported with counts and examples: values that the map does not name, values that stay although another becomes the
    same, and names of the map that no row has.
    """
    code_N, distinct = factorize(table.text(column) if separator is None else table.columns[column])
    count_D = np.bincount(code_N, minlength=len(distinct))
    unmapped: Counter[str] = Counter()
    seen: set[str] = set()
    new = []
    for text, count in zip(distinct, count_D.tolist(), strict=True):
        parts = [part.strip() for part in (text.split(separator) if separator else [text])]
        kept = []
        for part in filter(None, parts):
            seen.add(part)
            if part not in ours:
                unmapped[part] += count
            value = ours.get(part, part if keep_unmapped else None)
            if value:
                kept.append(value)
        new.append((separator or "").join(kept))
    where = f"{table.file}, column {column!r}"
    is_drop_list = all(value is None for value in ours.values())  # it names what to leave out, not what there is
    _report_unmapped(where, unmapped, keep_unmapped, is_drop_list, collector)
    if keep_unmapped:
        _report_collisions(where, unmapped, ours, collector)
    idle = [name for name in ours if name not in seen]
    if idle and not is_drop_list:
        collector.note(f"{where}: {len(idle)} names in its value map occur in no row, such as {idle[0]!r}")
    return to_strings(np.array(new, dtype=object)[code_N])


def _report_unmapped(
    where: str, unmapped: Counter[str], is_kept: bool, is_drop_list: bool, collector: SetAsideCollector
) -> None:
    if not unmapped:
        return
    examples = ", ".join(f"{value!r} ({count} rows)" for value, count in unmapped.most_common(_SHOWN))
    more = ", ..." if len(unmapped) > _SHOWN else ""
    line = f"{where}: {len(unmapped)} values are not in its value map"
    if is_kept and not is_drop_list:
        collector.note(f"{line} and stay as they are: {examples}{more}")
    elif not is_kept:
        collector.warn(f"{line} and count as missing: {examples}{more}; add them under values: in dataset.yaml.")


def _report_collisions(
    where: str, unmapped: Counter[str], ours: Mapping[str, str | None], collector: SetAsideCollector
) -> None:
    """A value that nobody mapped, and that another value is mapped to: it may mean something else in this file."""
    theirs_of = {value: theirs for theirs, value in ours.items() if value is not None and value != theirs}
    for value in unmapped:
        if value in theirs_of:
            collector.warn(
                f"{where}: {value!r} ({unmapped[value]} rows) is not in the value map, but {theirs_of[value]!r} "
                f'becomes {value!r} by it, so the two are one now; if they are, add "{value}: {value}", if not, map it.'
            )
