"""Files as tables of strings, and columns as times and numbers."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.table_format import TableFormat
from graphrec.data.tables.plain import read_plain
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_strings
from graphrec.data.timestamps import read_timestamps
from graphrec.data.values import read_numbers


def read(folder, name, content):
    collector = SetAsideCollector()
    (folder / name).write_bytes(content)
    table = read_table(folder, name, collector)
    return {column: values.to_pylist() for column, values in table.columns.items()}, table.row_N.tolist(), collector


def reasons(collector):
    return [(row.row, row.column, row.reason) for row in collector.finish().rows.itertuples()]


def test_rows_keep_the_numbers_that_a_reader_of_the_file_sees(tmp_path):
    content = b'id,t\r\n001,a\r\n\r\n002\r\n003,"two\nlines, ""quoted"""\r\n004,b,c\r\n005,NULL\r\n\r\n'
    columns, rows, collector = read(tmp_path, "x.csv", content)
    assert columns == {"id": ["001", "003", "005"], "t": ["a", 'two\nlines, "quoted"', "NULL"]}
    assert rows == [1, 4, 6]
    assert reasons(collector) == [(3, "", "expected 2 fields, found 1"), (5, "", "expected 2 fields, found 3")]
    assert collector.finish().notes == ("x.csv: 2 blank rows skipped",)


def test_a_row_that_is_not_utf8_is_set_aside_alone(tmp_path):
    columns, rows, collector = read(tmp_path, "x.csv", "id,t\n1,é\n2,".encode() + b"\xe9" + "\n3,�\n".encode())
    assert columns == {"id": ["1", "3"], "t": ["é", "�"]}
    assert rows == [1, 3]
    assert reasons(collector) == [(2, "t", "not UTF-8 text")]


def test_a_single_column_and_a_file_without_a_last_line_break_are_read(tmp_path):
    assert read(tmp_path, "x.csv", b"id\n01\n\n02")[:2] == ({"id": ["01", "02"]}, [1, 3])


def test_a_column_without_a_name_is_not_kept(tmp_path):
    assert read(tmp_path, "x.csv", b",id,\n0,a,\n1,b,\n")[:2] == ({"id": ["a", "b"]}, [1, 2])


def test_json_numbers_keep_their_digits_and_bad_lines_are_set_aside(tmp_path):
    content = b'\xef\xbb\xbf{"id": "01", "n": 12345678901234567890, "x": 1.50}\n[1]\n'
    content += b'{"id": 2, "ok": true, "x": null}\n{"id"\n\n'
    content += b'{"id": "\\ud800", "n": NaN, "tags": ["a", 1]}\n{"id": "\xff"}\n' + b"[" * 100_000
    columns, rows, collector = read(tmp_path, "x.jsonl", content)
    assert columns["id"] == ["01", "2", "?"]
    assert columns["n"] == ["12345678901234567890", "", "NaN"]
    assert columns["x"] == ["1.50", "", ""]
    assert columns["ok"] == ["", "true", ""]
    assert columns["tags"] == ["", "", "a\x1f1"]
    assert rows == [1, 3, 6]
    assert reasons(collector) == [(row, "", "not a JSON object") for row in (2, 4, 7, 8)]


def test_parquet_values_become_the_strings_that_a_csv_file_would_hold(tmp_path):
    table = pa.table(
        {
            "whole": pa.array([7, None], pa.int64()),
            "share": [0.5, 3.0],
            "day": pa.array([0, None], pa.date32()),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "tags": [["x", None, "y"], None],
            "codes": pa.array([[1, 2], []], pa.list_(pa.int8())),
            "vector": [[0.5], [1.5]],
            "raw": [b"\xff", b"a"],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    columns, rows, collector = read(tmp_path, "x.parquet", (tmp_path / "x.parquet").read_bytes())
    assert columns == {
        "whole": ["7", ""],
        "share": ["0.5", "3"],
        "day": ["1970-01-01", ""],
        "kind": ["a", "b"],
        "tags": ["x\x1fy", ""],
        "codes": ["1\x1f2", ""],
    }
    assert rows == [1, 2]
    (note,) = collector.finish().notes
    assert note.startswith("x.parquet: columns not read: vector (list<")
    assert "raw (binary)" in note


def times(*values: str):
    seconds, is_wrong = read_timestamps(to_strings(list(values)))
    return seconds.tolist(), is_wrong.tolist()


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epoch_units_are_told_apart_by_magnitude(factor):
    moments = [964_982_703, 1_709_251_200, 1_538_351_999]
    seconds, is_wrong = times(*(str(moment * factor) for moment in moments))
    assert seconds == moments
    assert not any(is_wrong)


def test_the_unit_is_one_for_the_whole_column():
    # 86,400,000 alone would be seconds; among milliseconds it is the second of January 1970.
    assert times("1709251200000", "1709251201000", "86400000")[0] == [1709251200, 1709251201, 86400]


def test_iso_times_are_utc_unless_they_name_a_zone():
    expected = datetime(2024, 5, 31, tzinfo=UTC).timestamp()
    values = ("2024-05-31", "2024-05-31T00:00:00Z", "2024-05-31 02:00:00+02:00", "2024-05-31T00:00:00.500")
    assert times(*values)[0] == [expected, expected, expected, expected + 0.5]


def test_eight_digits_are_a_date_when_most_of_the_column_is():
    seconds, is_wrong = times("20240531", "20240601", "19991332", "")
    assert seconds[:2] == [datetime(2024, 5, 31, tzinfo=UTC).timestamp(), datetime(2024, 6, 1, tzinfo=UTC).timestamp()]
    assert np.isnan(seconds[2:]).all()
    assert is_wrong == [False, False, True, False]


@pytest.mark.parametrize("wrong", ["now", "today", "31/05/2024", "nan", "inf", "2024-13-01", "x"])
def test_what_is_no_time_is_wrong_in_either_kind_of_column(wrong):
    assert times("2024-01-01", "2024-01-02", wrong)[1] == [False, False, True]
    assert times("100", "200", wrong)[1] == [False, False, True]
    assert times("100", "200", "2024-01-01")[1] == [False, False, True]


def test_an_empty_column_has_no_times_and_no_mistakes():
    seconds, is_wrong = times("", " ")
    assert np.isnan(seconds).all()
    assert is_wrong == [False, False]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(), st.text(st.characters(codec="ascii"), max_size=5)), max_size=20))
def test_numbers_read_as_python_reads_them_or_not_at_all(values):
    texts = [str(value) for value in values]
    numbers, is_wrong = read_numbers(to_strings(texts))
    for text, number, wrong in zip(texts, numbers.tolist(), is_wrong.tolist(), strict=True):
        if not text.strip():
            assert not wrong
            assert np.isnan(number)
        elif not wrong:
            assert number == pytest.approx(float(text.strip()), rel=1e-12)
        else:
            assert np.isnan(number)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.txt"])
def test_skipped_columns_are_not_read(tmp_path, name):
    rows = [{"item_id": "1", "text": "long"}, {"item_id": "2", "text": "longer"}]
    text = "item_id,text\n1,long\n2,longer\n" if name in ("t.csv", "t.txt") else "\n".join(map(json.dumps, rows))
    (tmp_path / name).write_text(json.dumps(rows) if name == "t.json" else text)
    how = TableFormat(skip=("text", "absent"), delimiter="," if name == "t.txt" else None)
    table = read_table(tmp_path, name, SetAsideCollector(), format=how)
    assert {column: values.to_pylist() for column, values in table.columns.items()} == {"item_id": ["1", "2"]}


FIELDS = st.lists(st.lists(st.text("ab:\"'|, é", max_size=4), min_size=3, max_size=3), min_size=1, max_size=6)


@given(FIELDS, st.sampled_from(["::", "|", "\t", "<>"]))
@settings(deadline=None)
def test_a_plain_table_is_its_lines_split_at_the_delimiter(rows, delimiter):
    lines = [delimiter.join(fields) for fields in rows]
    naive = [line.split(delimiter) for line in lines]
    whole = [fields for fields in naive if len(fields) == 3 and any(fields)]
    collector = SetAsideCollector()
    table = read_plain("\n".join(lines).encode(), "t.dat", collector, delimiter, ("a", "b", "c"))
    assert [list(row) for row in zip(*(table.columns[name].to_pylist() for name in "abc"), strict=True)] == whole
    assert len(collector) == sum(len(fields) != 3 for fields in naive)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["@type", "@graph", "hasVariant", "offers", "image", "sku", "name", "brand", "category", "url"]
            )
            | st.text(max_size=3),
            inner | st.sampled_from(["Product", "ProductGroup", ["Product"]]),
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON)
@settings(deadline=None)
def test_no_json_ld_breaks_the_reader(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("ld")
    (folder / "a.jsonld").write_text(json.dumps(content), encoding="utf-8")
    table = read_table(folder, "a.jsonld", SetAsideCollector(), "json-ld")
    assert all(table.columns["item_id"].to_pylist()) if len(table) else True
