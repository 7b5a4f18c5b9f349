"""CSV and TSV files, and the tab-separated atomic files of RecBole."""

import csv
import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.quotes import may_hold_open_quotes, with_open_quotes_literal
from graphrec.data.tables.table import Table, to_objects, to_strings
from graphrec.errors import GraphRecError

_MAX_HEADER_BYTES = 1 << 20
_BLOCK_BYTES = 64 << 20  # the longest row that can be read
_NOT_UTF8 = "not UTF-8 text"
_NEVER_CLOSED = "a quotation mark is never closed"
_NEVER_CLOSED_MARK = "a quotation mark that is never closed"


def read_delimited(data: bytes, file: str, collector: SetAsideCollector, separator: str | None = None) -> Table:
    """A CSV or TSV file with a header; rows with another number of fields or not in UTF-8 are set aside.

    `separator` None: a comma, or a semicolon or tab where the header has no comma. Blank rows are skipped and noted.
    """
    header, separator = _header(data, file, separator, has_quotes=True)
    check_header(header, file)
    columns, row_N = _parse(data, len(header), file, separator, True, collector)
    is_header_N = _is_header_again(columns, header)
    if is_header_N.any():
        number = int(is_header_N.sum())
        reason = "the header line again (were files joined?)"
        collector.add(file, row_N[is_header_N], header[0], [header[0]] * number, reason)
        columns, row_N = [column.filter(pa.array(~is_header_N)) for column in columns], row_N[~is_header_N]
    return _table(dict(zip(header, columns, strict=True)), row_N, file, collector)


def read_unquoted(data: bytes, file: str, collector: SetAsideCollector, separator: str) -> Table:
    """A table with a header in which a quotation mark is a letter like any other."""
    header, _ = _header(data, file, separator, has_quotes=False)
    check_header(header, file)
    columns, row_N = _parse(data, len(header), file, separator, False, collector)
    return _table(dict(zip(header, columns, strict=True)), row_N, file, collector)


def read_atomic(data: bytes, file: str, collector: SetAsideCollector) -> Table:
    """A RecBole atomic file: tab-separated, no quoting, a header of `name:type`.

    `token` columns are categories, `token_seq` columns lists separated by spaces; `float_seq` columns are not read.
    """
    header, _ = _header(data, file, "\t", has_quotes=False)
    names, types = zip(*(name.rpartition(":")[::2] if ":" in name else (name, "") for name in header), strict=True)
    check_header(list(names), file)
    columns, row_N = _parse(data, len(header), file, "\t", False, collector)
    kept = {name: column for name, type_, column in zip(names, types, columns, strict=True) if type_ != "float_seq"}
    table = _table(kept, row_N, file, collector)
    lists = {name: " " for name, type_ in zip(names, types, strict=True) if type_ == "token_seq"}
    tokens = frozenset(name for name, type_ in zip(names, types, strict=True) if type_ == "token")
    return Table(file, table.row_N, table.columns, lists, tokens)


def check_header(names: list[str], file: str) -> None:
    """Raise GraphRecError where a column name stands twice."""
    for name in names:
        if name and names.count(name) > 1:
            raise GraphRecError(
                f"{file}: column {name!r} stands {names.count(name)} times in the header; rename all but one."
            )


def _header(data: bytes, file: str, separator: str | None, has_quotes: bool) -> tuple[list[str], str]:
    head = data[:_MAX_HEADER_BYTES]
    cut = max(head.rfind(b"\n"), head.rfind(b"\r"))  # do not cut a character in two
    lines = re.split(rb"\r\n|\n|\r", head[:cut] if cut > 0 else head, maxsplit=1)
    try:
        first = lines[0].decode("utf-8-sig")
        # A quoted column name may hold a line break: then the header is more than its first line.
        text = head[:cut].decode("utf-8-sig") if has_quotes and first.count('"') % 2 else first
    except UnicodeDecodeError:
        raise GraphRecError(f"{file}: the header is {_NOT_UTF8}; save the file as UTF-8.") from None
    if not first.strip():
        raise GraphRecError(f"{file}: the first line is blank; it must name the columns.")
    if "\x00" in first:
        raise GraphRecError(f"{file}: the header is {_NOT_UTF8} (binary, or UTF-16); save the file as UTF-8.")
    if separator is None:
        separator = next((s for s in ",;\t" if s in first), ",")
    lines_read = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=text is not first)
    try:
        names = next(lines_read) if has_quotes else text.split(separator)
    except csv.Error:
        raise GraphRecError(f"{file}: the header holds {_NEVER_CLOSED_MARK}; close it or leave it out.") from None
    return [name.strip() for name in names], separator


def _parse(
    data: bytes, num_columns: int, file: str, separator: str, has_quotes: bool, collector: SetAsideCollector
) -> tuple[list[pa.Array], np.ndarray]:
    """The columns as bytes and each row's number; the header, read as row 0, is dropped."""
    names = [f"c{c}" for c in range(num_columns)]
    rewritten: list[tuple[bytes, bytes]] = []
    try:
        table, wrong = _read_csv(data, names, separator, has_quotes)
        is_in_doubt = has_quotes and may_hold_open_quotes(data, table.num_rows + len(wrong))
    except pa.ArrowInvalid as error:
        is_in_doubt, problem = has_quotes, _first_line(error)
    else:
        problem = ""
    if is_in_doubt:
        data, rewritten = with_open_quotes_literal(data, separator, num_columns)
    if rewritten:
        try:
            table, wrong = _read_csv(data, names, separator, has_quotes)
            problem = ""
        except pa.ArrowInvalid as error:
            problem = _first_line(error)
    if problem:
        raise GraphRecError(f"{file}: cannot be read as a table (is a quotation mark not closed?): {problem}.")
    num_set_aside = _set_wrong_rows_aside(wrong, dict(rewritten), file, collector)
    if len(rewritten) > num_set_aside:
        num_kept = len(rewritten) - num_set_aside
        collector.note(f"{file}: {num_kept} rows hold {_NEVER_CLOSED_MARK}; it was read as text")
    wrong_N = np.array([row.number - 1 for row in wrong], dtype=np.int64)
    row_N = np.setdiff1d(np.arange(table.num_rows + len(wrong)), wrong_N, assume_unique=True)
    columns = [pc.cast(table[name], pa.large_binary()).combine_chunks() for name in names]
    columns = [pa.concat_arrays(c.chunks) if isinstance(c, pa.ChunkedArray) else c for c in columns]
    return [column[1:] for column in columns], row_N[1:]


def _read_csv(
    data: bytes, names: list[str], separator: str, has_quotes: bool
) -> tuple[pa.Table, list[pa_csv.InvalidRow]]:
    """The rows with as many fields as names, and the others."""
    wrong: list[pa_csv.InvalidRow] = []

    def set_aside(row: pa_csv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    table = pa_csv.read_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=_BLOCK_BYTES, column_names=names
        ),  # one thread: numbered rows
        parse_options=pa_csv.ParseOptions(
            delimiter=separator,
            quote_char='"' if has_quotes else False,
            newlines_in_values=has_quotes,
            ignore_empty_lines=False,  # blank lines count, as they do in an editor
            invalid_row_handler=set_aside,
        ),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary())),
    )
    return table, wrong


def _set_wrong_rows_aside(
    wrong: list[pa_csv.InvalidRow], rewritten: dict[bytes, bytes], file: str, collector: SetAsideCollector
) -> int:
    """The number of those whose quotation mark is never closed."""
    num_never_closed = 0
    for row in wrong:
        text = row.text.encode() if isinstance(row.text, str) else row.text
        reason = f"expected {row.expected_columns} fields, found {row.actual_columns}"
        if (old := rewritten.get(text)) is not None:
            text, reason = old, _NEVER_CLOSED
            num_never_closed += 1
        collector.add(file, [row.number - 1], "", [text.decode("utf-8", "replace")[:200]], reason)
    return num_never_closed


def _table(columns: dict[str, pa.Array], row_N: np.ndarray, file: str, collector: SetAsideCollector) -> Table:
    """Decode to text; rows that are not UTF-8 are set aside, blank rows skipped, columns without a name not kept."""
    is_kept_N = np.ones(len(row_N), dtype=bool)
    decoded = {}
    for name, column in columns.items():
        try:
            decoded[name] = to_strings(column)
        except pa.ArrowInvalid:
            decoded[name], is_bad_N = _decode_leniently(column)
            is_reported_N = is_bad_N & is_kept_N
            collector.add(file, row_N[is_reported_N], name, to_objects(decoded[name])[is_reported_N], _NOT_UTF8)
            is_kept_N &= ~is_bad_N
    is_blank_N = _is_blank(list(decoded.values()), len(row_N))
    if is_blank_N.any():
        collector.note(f"{file}: {is_blank_N.sum()} blank rows skipped")
    decoded.pop("", None)
    return Table(file, row_N, decoded).take(is_kept_N & ~is_blank_N)


def _is_header_again(columns: list[pa.Array], header: list[str]) -> np.ndarray:
    is_again_N = np.ones(len(columns[0]), dtype=bool)
    for name, column in zip(header, columns, strict=True):
        if not is_again_N.any():
            break
        is_name_N = pc.equal(column, pa.scalar(name.encode(), pa.large_binary()))
        is_again_N &= is_name_N.to_numpy(zero_copy_only=False)
    return is_again_N


def _decode_leniently(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    texts, is_bad = [], []
    for value in column.to_pylist():
        text = value.decode("utf-8", "replace")
        texts.append(text)
        is_bad.append("�" in text and text.encode() != value)
    return to_strings(texts), np.array(is_bad, dtype=bool)


def _is_blank(columns: list[pa.Array], num_rows: int) -> np.ndarray:
    is_blank_N = np.ones(num_rows, dtype=bool)
    for column in columns:
        if not is_blank_N.any():
            break
        is_blank_N &= pc.equal(column, "").to_numpy(zero_copy_only=False)
    return is_blank_N


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
