"""Two plain layouts without a header: `lines` (item id, text) and `sequence` (user id, item ids)."""

import numpy as np

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, to_strings


def read_lines(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """One item per line: its id, one space, its text, which becomes the title."""
    numbers, lines = _split_lines(data, file, collector)
    parts = [line.partition(" ") for line in lines]
    columns = {
        "item_id": to_strings([head for head, _, _ in parts]),
        "title": to_strings([text.strip() for _, _, text in parts]),
    }
    return Table(file, numbers, columns)


def read_sequences(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """One user per line: their id, then item ids, oldest first. A row per event, numbered by its line."""
    numbers, lines = _split_lines(data, file, collector)
    parts = [line.split() for line in lines]
    length = np.array([len(part) - 1 for part in parts], dtype=np.int64)
    for number, part in zip(numbers[length == 0], np.flatnonzero(length == 0), strict=True):
        collector.add(file, [number], "item_id", [lines[part][:200]], "a user without items")
    users = np.repeat(np.array([part[0] for part in parts], dtype=object), length)
    items = [item for part in parts for item in part[1:]]
    return Table(file, np.repeat(numbers, length), {"user_id": to_strings(users), "item_id": to_strings(items)})


def _split_lines(data: bytes, file: str, collector: SetAsideCollector) -> tuple[np.ndarray, list[str]]:
    """The lines that hold anything, with their numbers."""
    numbers: list[int] = []
    lines: list[str] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError:
            collector.add(file, [number], "", [raw[:200].decode("utf-8", "replace")], "not UTF-8 text")
            continue
        if line.strip():
            numbers.append(number)
            lines.append(line.strip())
    return np.array(numbers, dtype=np.int64), lines
