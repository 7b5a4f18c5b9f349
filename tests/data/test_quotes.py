"""Quotation marks that are never closed: one row is affected, and the rows after it are kept."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.delimited import read_delimited
from graphrec.data.tables.quotes import with_open_quotes_literal
from graphrec.errors import GraphRecError

NEVER_CLOSED = "a quotation mark is never closed"


def read(text, separator=None):
    """(rows, their numbers, [(row set aside, its text, reason)], notes)."""
    collector = SetAsideCollector()
    table = read_delimited(text.encode(), "x.csv", collector, separator)
    rows = list(zip(*(column.to_pylist() for column in table.columns.values()), strict=True))
    told = collector.finish()
    return rows, table.row_N.tolist(), [(row.row, row.value, row.reason) for row in told.rows.itertuples()], told.notes


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("lines", "rows", "numbers", "set_aside", "num_noted"),
    [
        # Open to the end of the file: the row has the right number of fields, or not.
        (["1,a", '2,"b', "3,c", "4,d"], [("1", "a"), ("2", '"b'), ("3", "c"), ("4", "d")], [1, 2, 3, 4], [], 1),
        (["1,a", '2,"b,x', "3,c"], [("1", "a"), ("3", "c")], [1, 3], [(2, '2,"b,x', NEVER_CLOSED)], 0),
        (["1,a", '2,"17 inch'], [("1", "a"), ("2", '"17 inch')], [1, 2], [], 1),
        # Open up to the next mark, which opens a field of its own; an empty quoted field is no closing mark.
        (
            ['1,"b', "2,c", '3,""', '4,"nice, dress"', '5,"e"'],
            [("1", '"b'), ("2", "c"), ("3", ""), ("4", "nice, dress"), ("5", "e")],
            [1, 2, 3, 4, 5],
            [],
            1,
        ),
        # Two of them, alike, and one in a row that a proper field of two lines begins.
        (['1,"b', "2,c", '1,"b', '4,"x'], [("1", '"b'), ("2", "c"), ("1", '"b'), ("4", '"x')], [1, 2, 3, 4], [], 3),
        # A field that is closed on its line stays one.
        (['1,"nice, dress"', '"2","b'], [("1", "nice, dress"), ("2", '"b')], [1, 2], [], 1),
        # Marks inside a field are text, as ever.
        (['1,17" screen', "2,b"], [("1", '17" screen'), ("2", "b")], [1, 2], [], 0),
    ],
)
def test_only_the_row_of_the_open_mark_is_affected(newline, lines, rows, numbers, set_aside, num_noted):
    note = f"x.csv: {num_noted} rows hold a quotation mark that is never closed; it was read as text"
    for end in ("", newline):
        found = read(newline.join(["id,title", *lines]) + end)
        assert found == (rows, numbers, set_aside, (note,) if num_noted else ())


def test_proper_fields_over_several_lines_stay_whole_beside_an_open_mark():
    text = 'id,title\n1,"a\nb, ""c"""\n2,"17 inch,x\n3,"d\n\ne"\n4,f\n5,"g\nh"'
    rows, numbers, set_aside, _ = read(text)
    assert rows == [("1", 'a\nb, "c"'), ("3", "d\n\ne"), ("4", "f"), ("5", "g\nh")]
    assert numbers == [1, 3, 4, 5]
    assert set_aside == [(2, '2,"17 inch,x', NEVER_CLOSED)]
    assert read('id,a,b\n1,"x\ny","open\n2,c,d\n')[0] == [("1", "x\ny", '"open'), ("2", "c", "d")]


def test_a_wrong_row_with_a_proper_field_of_several_lines_is_one_row():
    rows, _, set_aside, _ = read('id,title\n1,"a\nb",more\n2,c\n')
    assert rows == [("2", "c")]
    assert set_aside == [(1, '1,"a\nb",more', "expected 2 fields, found 3")]


def test_a_header_whose_mark_is_never_closed_is_refused():
    with pytest.raises(GraphRecError, match=r"^x.csv: the header holds a quotation mark that is never closed; close"):
        read('id,"title\n1,a\n2,b\n')
    assert read('id,"long\ntitle"\n1,a\n')[0] == [("1", "a")]


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.text(st.sampled_from('ab,;"\n\r é'), max_size=8)] * 3), min_size=1, max_size=8),
    separator=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_a_csv_writer_wrote_is_left_alone(rows, separator, quoting):
    """Escaped marks, separators and line breaks within marks are no open marks."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting).writerows([("x", "y", "z"), *rows])
    data = text.getvalue().encode()
    assert with_open_quotes_literal(data, separator, 3) == (data, [])


@settings(max_examples=200, deadline=None)
@given(num_before=st.integers(0, 5), after=st.lists(st.tuples(*[st.text("ab, ", max_size=5)] * 2), max_size=8))
def test_every_row_after_an_open_mark_is_kept(num_before, after):
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL)
    writer.writerows([("id", "x", "y"), *[(f"b{n}", "p", "q") for n in range(num_before)]])
    text.write('open,"17 inch,screen\r\n')
    writer.writerows([(f"a{n}", *row) for n, row in enumerate(after)])
    rows, _, set_aside, _ = read(text.getvalue())
    assert [row for row in rows if row[0].startswith("a")] == [(f"a{n}", *row) for n, row in enumerate(after)]
    assert rows[num_before] == ("open", '"17 inch', "screen")
    assert set_aside == []
