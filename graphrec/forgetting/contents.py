"""What a file holds, piece by piece: texts as texts, tables by column, and what is compressed unpacked."""

import gzip
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

_CHUNK = 16 << 20
_ROWS = 65_536
_SQLITE = b"SQLite format 3\x00"
_MOST_PACKED = 4
"""Files in files in files; deeper ones are looked at as they are."""
_ARROWS_OWN = b"ARROW:schema"
_TABLES = (".csv", ".tsv")
_ATOMIC = (".itememb", ".useremb")
"""RecBole's tables of vectors."""


@dataclass(frozen=True)
class Piece:
    """A part of a file's content."""

    where: str
    """For a reader, such as "column user_id"; "" for the file itself."""
    column: str
    """The column of a table that these are the values of, one per line; "" elsewhere."""
    content: str | bytes
    """Bytes where it is no text."""


def pieces(path: Path, overlap: int) -> Iterator[Piece]:
    """Everything in the file; pieces of long content share `overlap` bytes at least with the next one."""
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            yield from _of_sqlite(path)  # and then its bytes, for what SQLite itself does not show
        file.seek(0)
        yield from _of(file, "", overlap, 0, path.suffix)


def _of(file: IO[bytes], where: str, overlap: int, depth: int, suffix: str) -> Iterator[Piece]:
    head = file.read(8)
    file.seek(0)
    if depth < _MOST_PACKED:
        try:
            if head[:4] == b"PAR1":
                yield from _of_parquet(file, where)
                return
            if head[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=file) as inner:
                    unpacked = cast(IO[bytes], inner)
                    yield from _of(unpacked, _inside(where, "unpacked"), overlap, depth + 1, suffix)
                return
            if head[:4] == b"PK\x03\x04":
                yield from _of_zip(file, where, overlap, depth)
                return
            if suffix in _ATOMIC:
                yield from _of_atomic(file, where)
                return
            if suffix in _TABLES:
                yield from _of_csv(file, where)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, pa.ArrowInvalid):
            pass  # it is not what it looks like: then its bytes say what there is
        file.seek(0)
    yield from _plain(file, where, overlap)


def _of_sqlite(path: Path) -> Iterator[Piece]:
    """Every column with text, table by table; nothing where it cannot be read."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            while some := rows.fetchmany(_ROWS):
                for name, values in zip(names, zip(*some, strict=True), strict=True):
                    texts = [one for one in values if isinstance(one, str)]
                    if texts:
                        yield Piece(f"table {table}, column {name}", name, "\n".join(texts))


def _of_parquet(file: IO[bytes], where: str) -> Iterator[Piece]:
    parquet = pq.ParquetFile(file)
    schema = parquet.schema_arrow
    metadata = {key: value for key, value in (parquet.metadata.metadata or {}).items() if key != _ARROWS_OWN}
    told = [*schema.names, *(text.decode("utf-8", "replace") for pair in metadata.items() for text in pair)]
    told += [str(pair) for field in schema for pair in (field.metadata or {}).items()]
    yield Piece(_inside(where, "metadata"), "", "\n".join(told))
    for batch in parquet.iter_batches():
        yield from _of_columns(zip(batch.schema.names, batch.columns, strict=True), where)


def _of_csv(file: IO[bytes], where: str) -> Iterator[Piece]:
    names = pa.csv.open_csv(file).schema.names
    file.seek(0)
    types = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    for batch in pa.csv.open_csv(file, convert_options=types):
        yield from _of_columns(zip(batch.schema.names, batch.columns, strict=True), where)


def _of_atomic(file: IO[bytes], where: str) -> Iterator[Piece]:
    """All columns but those of numbers, of which nine digits may look like an id."""
    parse = pa.csv.ParseOptions(delimiter="\t", quote_char=False)
    names = pa.csv.open_csv(file, parse_options=parse).schema.names
    file.seek(0)
    types = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    for batch in pa.csv.open_csv(file, parse_options=parse, convert_options=types):
        kept = [(name, column) for name, column in zip(names, batch.columns, strict=True) if ":float" not in name]
        yield from _of_columns(kept, where)


def _of_columns(columns: Iterable[tuple[str, pa.Array]], where: str) -> Iterator[Piece]:
    for name, column in columns:
        for values in _leaves(column):
            type_ = values.type
            if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
                content: str | bytes = b"\n".join(one for one in values.to_pylist() if one)
            elif pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_integer(type_):
                content = "\n".join(pc.drop_null(pc.cast(values, pa.large_string())).to_pylist())
            else:
                continue  # no id is a fraction, a time or a truth value
            yield Piece(_inside(where, f"column {name}"), name, content)


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    """The plain values of a column of lists, records, mappings or categories."""
    type_ = column.type
    if pa.types.is_struct(type_):
        for field in column.flatten():
            yield from _leaves(field)
    elif pa.types.is_map(type_):
        yield from _leaves(column.keys)
        yield from _leaves(column.items)
    elif pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        yield from _leaves(column.flatten())
    elif pa.types.is_dictionary(type_):
        yield from _leaves(column.dictionary_decode())
    elif pa.types.is_nested(type_) or isinstance(type_, pa.BaseExtensionType):
        yield pa.array([str(one) for one in column.to_pylist()], pa.large_string())
    else:
        yield column


def _of_zip(file: IO[bytes], where: str, overlap: int, depth: int) -> Iterator[Piece]:
    with zipfile.ZipFile(file) as archive:
        yield Piece(_inside(where, "names of its files"), "", "\n".join(archive.namelist()))
        for name in archive.namelist():
            with archive.open(name) as inner:
                yield from _of(inner, _inside(where, name), overlap, depth + 1, PurePosixPath(name).suffix)


def _plain(file: IO[bytes], where: str, overlap: int) -> Iterator[Piece]:
    """Chunks as text as long as they are text; each begins so far before the end of the last, and cuts no word."""
    rest = b""
    while chunk := file.read(_CHUNK):
        data = rest + chunk
        end = _last_gap(data, len(data)) or len(data)
        yield _piece(data[:end], where)
        rest = data[_last_gap(data, end - overlap) or max(0, end - overlap) :]
    yield _piece(rest, where)


def _last_gap(data: bytes, end: int) -> int:
    """Where the last word before `end` begins; 0 where there is no gap."""
    return max(data.rfind(b"\n", 0, max(0, end)), data.rfind(b" ", 0, max(0, end))) + 1


def _piece(data: bytes, where: str) -> Piece:
    text = _text(data)
    return Piece(where, "", data if text is None else text)


def _text(data: bytes) -> str | None:
    if b"\x00" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _inside(where: str, part: str) -> str:
    return f"{where}, {part}" if where else part
