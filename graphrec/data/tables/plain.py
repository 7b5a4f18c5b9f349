"""Plain tables: any delimiter, no quotation marks, with or without a header line."""

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.delimited import read_unquoted
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError

_UNIT_SEPARATOR = b"\x1f"
"""Stands for delimiters of several characters: no text holds this control character."""


def read_plain(
    data: bytes, file: str, collector: SetAsideCollector, delimiter: str, header: tuple[str, ...] | None
) -> Table:
    """Rows split at `delimiter`; those with another number of fields are set aside.

    Row numbers count the lines after the header; from 1 where `header` names the columns. Raises GraphRecError where
    the file holds the control character that stands for a long delimiter.
    """
    separator = delimiter.encode()
    if len(separator) > 1:
        if _UNIT_SEPARATOR in data:
            raise GraphRecError(f"{file}: holds a control character (0x1F); it is no text table.")
        data = data.replace(separator, _UNIT_SEPARATOR)
        separator = _UNIT_SEPARATOR
    if header is not None:
        data = separator.join(name.encode() for name in header) + b"\n" + data.removeprefix(b"\xef\xbb\xbf")
    return read_unquoted(data, file, collector, separator.decode())
