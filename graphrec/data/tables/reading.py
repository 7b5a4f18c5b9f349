"""Any supported file as a `Table`, chosen by its name."""

import codecs
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.table_format import TableFormat
from graphrec.data.tables.delimited import read_atomic, read_delimited
from graphrec.data.tables.json_ld import read_json_ld
from graphrec.data.tables.json_lines import read_json, read_json_lines
from graphrec.data.tables.lines import read_lines, read_sequences
from graphrec.data.tables.movielens import read_u_item
from graphrec.data.tables.parquet import read_parquet
from graphrec.data.tables.plain import read_plain
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError

Reader = Callable[[bytes, str, SetAsideCollector], Table]


def _read_tsv(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    return read_delimited(data, file, collector, separator="\t")


READERS: dict[str, Reader] = {
    ".parquet": read_parquet,
    ".csv": read_delimited,
    ".tsv": _read_tsv,
    ".jsonl": read_json_lines,
    ".json": read_json,
    ".item": read_atomic,
    ".inter": read_atomic,
}
"""By suffix; text files may be compressed (`.csv.gz`)."""

LAYOUTS: dict[str, Reader] = {"lines": read_lines, "sequence": read_sequences, "u.item": read_u_item}

_BY_NAME = TableFormat()


def read_table(
    root: Path, file: str, collector: SetAsideCollector, layout: str = "table", format: TableFormat = _BY_NAME
) -> Table:
    """Read `root/file` as strings: ids keep their leading zeros. Rows that cannot be read go to `collector`.

    Raises GraphRecError where the file is missing, of no known type, or not readable as what its name says.
    """
    if layout == "json-ld":
        return read_json_ld(root, file, collector)
    suffix = Path(file.removesuffix(".gz")).suffix.lower()
    if layout not in LAYOUTS and not format.is_plain and suffix not in READERS:
        raise GraphRecError(
            f"{file}: unknown file type {suffix or '(none)'!r}; expected {', '.join(READERS)} (text also as .gz), or "
            "say how it is written (delimiter: and header: in dataset.yaml)."
        )
    data = _as_utf8(_read_bytes(root, file), file, format.encoding)
    if layout in LAYOUTS:
        return LAYOUTS[layout](data, file, collector)
    if format.is_plain:
        return read_plain(data, file, collector, format.delimiter or ",", format.header).without(format.skip)
    if suffix == ".jsonl":
        return read_json_lines(data, file, collector, frozenset(format.skip))
    return READERS[suffix](data, file, collector).without(format.skip)


def _as_utf8(data: bytes, file: str, encoding: str) -> bytes:
    if encoding == "utf-8":
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise GraphRecError(
            f"{file}: cannot be read as {encoding} text: {error.reason} at byte {error.start}."
        ) from None


def _read_bytes(root: Path, file: str) -> bytes:
    path = root / file
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if file.endswith(".gz") else data
    except FileNotFoundError:
        raise GraphRecError(
            f"{file} does not exist under {root}; name the right file in dataset.yaml, or give --root."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise GraphRecError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise GraphRecError(f"{file}: is UTF-16 text; save the file as UTF-8.")
    return data
