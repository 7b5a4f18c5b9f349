"""JSON lines: one object per line; and a JSON file that is one list of objects."""

import json
from typing import Any

import numpy as np

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import LIST_SEPARATOR, Table, to_strings

_NO_OBJECT = "not a JSON object"
# Numbers stay as written: an id of twenty digits must not pass through a float.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def read_json_lines(data: bytes, file: str, collector: SetAsideCollector, skip: frozenset[str] = frozenset()) -> Table:
    """Columns are the union of all keys; numbers keep the digits that the file has; bad lines are set aside.

    A line that is a list of objects is a row for each.
    """
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            content = _DECODER.decode(line.decode("utf-8").strip())
        except (ValueError, RecursionError):
            content = None
        for row in content if isinstance(content, list) else [content]:
            if isinstance(row, dict):
                rows.append({key: value for key, value in row.items() if key not in skip} if skip else row)
                numbers.append(number)
            else:
                collector.add(file, [number], "", [line[:200].decode("utf-8", "replace")], _NO_OBJECT)
    return table_of_objects(rows, np.array(numbers, dtype=np.int64), file)


def read_json(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """A file that is one list of objects, numbered from 1, or JSON lines under another name."""
    try:
        is_list = data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
        objects = _DECODER.decode(data.decode("utf-8-sig").strip()) if is_list else None
    except (ValueError, RecursionError):  # lists line by line, or a broken file
        objects = None
    if objects is None:
        return read_json_lines(data, file, collector)
    rows, numbers = [], []
    for number, row in enumerate(objects, start=1):
        if isinstance(row, dict):
            rows.append(row)
            numbers.append(number)
        else:
            collector.add(file, [number], "", [str(row)[:200]], _NO_OBJECT)
    return table_of_objects(rows, np.array(numbers, dtype=np.int64), file)


def table_of_objects(rows: list[dict[str, Any]], row_N: np.ndarray, file: str) -> Table:
    """Columns are the union of all keys; a list becomes its values, joined by the list separator."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    lists = {name: LIST_SEPARATOR for name in names if any(isinstance(value, list) for value in columns[name])}
    strings = {name: to_strings([_as_string(value) for value in column]) for name, column in columns.items()}
    return Table(file, row_N, strings, lists)


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
