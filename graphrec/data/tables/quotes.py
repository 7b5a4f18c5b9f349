"""Quotation marks in delimited text that open a field and are never closed, such as inches before a number.

One such mark makes a reader take the lines after it, up to the next mark or the end of the file, for one field.
"""

import re
from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_FEW_LINES = 3


def may_hold_open_quotes(data: bytes, num_rows: int) -> bool:
    """Whether some of the rows that were read go over several lines, or the last could lack its closing mark."""
    if b'"' not in data:
        return False
    stripped = data.rstrip(b"\r\n")
    last_line = stripped[max(stripped.rfind(b"\n"), stripped.rfind(b"\r")) + 1 :]
    num_lines = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n") + (not data.endswith((b"\n", b"\r")))
    return num_lines > num_rows or b'"' in last_line


def with_open_quotes_literal(data: bytes, separator: str, num_columns: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The text with every mark that is never closed written as part of its field's text: the field ends with its line.

    Second, the rows that were rewritten, without their line break: (new bytes, old bytes). A quoted field over several
    lines stays as it is unless it is open to the end of the file, or is no quoted field of one row: text follows its
    closing mark, or its row has another number of fields than `num_columns`, while most of the lines in it have as
    many as a row of their own.
    """
    grammar = _Grammar(separator, num_columns)
    parts: list[bytes] = []
    rewritten: list[tuple[bytes, bytes]] = []
    copied = 0
    position = len(_BOM) if data.startswith(_BOM) else 0
    while (quote := data.find(b'"', position)) >= 0:
        start = max(data.rfind(b"\n", position, quote) + 1, data.rfind(b"\r", position, quote) + 1, position)
        end = grammar.row_end(data, start)
        opened = grammar.never_closed(data, start, end)
        if opened is not None:
            end = grammar.line_end(data, opened)
            literal = grammar.literal(data[opened:end])
            rewritten.append((data[start:opened] + literal, data[start:end]))
            parts += [data[copied:opened], literal]
            copied = end
        position = end + (2 if data[end : end + 2] == b"\r\n" else 1)
    return b"".join([*parts, data[copied:]]) if parts else data, rewritten


class _Grammar:
    """Fields and rows as Arrow reads them: a mark counts at the start of a field, and what follows the closing mark up
    to the separator is part of the field."""

    def __init__(self, separator: str, num_columns: int) -> None:
        self._num_columns = num_columns
        self._separator = separator.encode()
        plain = rb"[^%s\r\n]*+" % self._separator
        field = rb'(?:"[^"]*+(?:""[^"]*+)*+"?+%s|%s)' % (plain, plain)
        parts = rb'"(?P<text>[^"]*+(?:""[^"]*+)*+)(?P<closing>"?+)(?P<after>%s)|%s' % (plain, plain)
        self._field = re.compile(parts)
        self._row = re.compile(rb"%s(?:%s%s)*+" % (field, self._separator, field))
        proper = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^%s"\r\n]*+)' % self._separator
        self._proper_row = re.compile(
            rb"%s(?:%s%s){%d}(?=[\r\n]|\Z)" % (proper, self._separator, proper, num_columns - 1)
        )
        self._line = re.compile(rb"[^\r\n]*+")

    def row_end(self, data: bytes, start: int) -> int:
        return self._end(self._row, data, start)

    def line_end(self, data: bytes, start: int) -> int:
        return self._end(self._line, data, start)

    def never_closed(self, data: bytes, start: int, end: int) -> int | None:
        """Where the field begins whose mark is never closed, in the row data[start:end]; None where all is well."""
        if self._proper_row.match(data, start) is not None:  # most are, and this is quick
            return None
        lines = _lines(data[start:end])
        if len(lines) == 1 and end < len(data):
            return None
        fields = list(self._fields(data, start, end))
        quoted = [field for field in fields if field["text"] is not None]
        is_open = bool(quoted) and not quoted[-1]["closing"]
        closed = quoted[:-1] if is_open else quoted
        over_lines = [field for field in closed if b"\n" in field["text"] or b"\r" in field["text"]]
        plain = [field[0] for field in fields if field["text"] is None]
        has_stray_mark = any(field["after"].strip() for field in over_lines) or any(b'"' in text for text in plain)
        if is_open or has_stray_mark or (len(fields) != self._num_columns and len(lines) > _FEW_LINES):
            for field in over_lines:
                if self._are_rows(_lines(data[start : self.line_end(data, field.end())])[1:]):
                    return field.start()
        return quoted[-1].start() if is_open else None

    def literal(self, text: bytes) -> bytes:
        """Fields of one line, written so that every mark in them is read as text."""
        fields = text.split(self._separator)
        return self._separator.join(
            b'"' + field.replace(b'"', b'""') + b'"' if b'"' in field else field for field in fields
        )

    def _are_rows(self, lines: list[bytes]) -> bool:
        num_right = sum(len(list(self._fields(line, 0, len(line)))) == self._num_columns for line in lines)
        return 2 * num_right > len(lines)

    def _fields(self, data: bytes, start: int, end: int) -> Iterator[re.Match[bytes]]:
        while (field := self._field.match(data, start, end)) is not None:
            yield field
            if field.end() == end:
                return
            start = field.end() + 1

    @staticmethod
    def _end(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
        found = pattern.match(data, start)
        assert found is not None  # it matches the empty text
        return found.end()


def _lines(data: bytes) -> list[bytes]:
    return re.split(rb"\r\n|\n|\r", data)
