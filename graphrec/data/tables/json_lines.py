"""JSON lines: one object per line."""

import json
from typing import Any

import numpy as np

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import LIST_SEPARATOR, Table, to_strings


def read_json_lines(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """Columns are the union of all keys; numbers keep the digits that the file has; bad lines are set aside."""
    # Numbers stay as written: an id of twenty digits must not pass through a float.
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line.decode("utf-8").strip())
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
            numbers.append(number)
        else:
            collector.add(file, [number], "", [line[:200].decode("utf-8", "replace")], "not a JSON object")
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    lists = {name: LIST_SEPARATOR for name in names if any(isinstance(value, list) for value in columns[name])}
    strings = {name: to_strings([_as_string(value) for value in column]) for name, column in columns.items()}
    return Table(file, np.array(numbers, dtype=np.int64), strings, lists)


def _as_string(value: Any) -> str:
    if isinstance(value, str):
        # A lone surrogate (half of an escaped character) is no text that can be stored.
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return LIST_SEPARATOR.join(_as_string(part) for part in value)
    return json.dumps(value, ensure_ascii=False)
