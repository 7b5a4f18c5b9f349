"""A planted id is found wherever it is planted, and nobody else is taken for it."""

import gzip
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphrec.data.mentions import Mentions
from graphrec.forgetting import contents
from graphrec.forgetting.traces import find_traces

SHORT, LONG, ODD = "u844a27", "u1_mfrggzdfmztwq2lknnwg23tpobyxe43u", 'zoë "z" müller'


def parquet(table):
    """Compressed bit by bit: nothing of it can be read from the file's own bytes."""
    out = io.BytesIO()
    pq.write_table(table, out, compression="gzip", write_statistics=False)
    return out.getvalue()


def npz(array):
    out = io.BytesIO()
    np.savez_compressed(out, some=array)
    return out.getvalue()


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def zipped(**files: bytes):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


NOISE = np.random.default_rng(0).bytes(50_000)
PLANTED = {
    "text": lambda one: f"seen: {one}\n".encode(),
    "json": lambda one: json.dumps({"a": [{"who": one}]}).encode(),
    "json-key": lambda one: json.dumps({one: 1}).encode(),
    "csv": lambda one: csv_of({"id": ["a", one, "b"], "degree": [1, 2, 3]}),
    "parquet-column": lambda one: parquet(pa.table({"x": [1, 2], "id": ["a", one]})),
    "parquet-dictionary": lambda one: parquet(pa.table({"id": pa.array(["a", one, one]).dictionary_encode()})),
    "parquet-list": lambda one: parquet(pa.table({"shown": [["a"], ["b", one]]})),
    "parquet-struct": lambda one: parquet(pa.table({"row": [{"a": 1, "user": one}]})),
    "parquet-map": lambda one: parquet(
        pa.table({"of": pa.array([[("a", 1.5), (one, 2.5)]], pa.map_(pa.string(), pa.float64()))})
    ),
    "parquet-binary": lambda one: parquet(pa.table({"raw": pa.array([b"a", f"..{one}..".encode()])})),
    "parquet-metadata": lambda one: parquet(pa.table({"x": [1]}).replace_schema_metadata({"of": one})),
    "parquet-name": lambda one: parquet(pa.table({one: [1]})),
    "gzip": lambda one: gzip.compress(f"line\n{one}\n".encode() + b"more\n" * 1000),
    "gzip-in-zip": lambda one: zipped(inner=gzip.compress(one.encode())),
    "parquet-in-gzip": lambda one: gzip.compress(parquet(pa.table({"id": [one]}))),
    "npz-of-texts": lambda one: npz(np.array(["a", one])),
    "npy-of-texts": lambda one: npy(np.array(["a", one])),
    "npy-of-bytes": lambda one: npy(np.array([b"a", one.encode()])),
    "bytes": lambda one: NOISE + one.encode() + NOISE,
    "utf-16": lambda one: one.encode("utf-16"),
    "latin-1-beside": lambda one: b"\xe9\n" + one.encode(),
    "tar-like": lambda one: b"\0" * 600 + one.encode() + b"\0" * 600,
    "damaged-gzip": lambda one: b"\x1f\x8b" + one.encode() + NOISE[:100],
}  # fmt: skip


def csv_of(columns):

    return pd.DataFrame(columns).to_csv(index=False).encode()


@pytest.mark.parametrize("id_", [SHORT, LONG, ODD])
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_trace_is_found(tmp_path, kind, id_):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    file = tmp_path / "deep" / "er" / ("file.csv" if kind == "csv" else "file.bin")
    file.write_bytes(PLANTED[kind]("somebody"))
    (tmp_path / "other.txt").write_text("nothing")
    assert find_traces(tmp_path, [id_]) == []
    file.write_bytes(PLANTED[kind](id_))
    (trace, *_) = find_traces(tmp_path, ["nobody-else", id_])
    assert trace.file == f"deep/er/{file.name}"
    assert id_ not in str(trace)
    assert find_traces(file, [id_]) != []


@pytest.mark.parametrize("cut", range(-12, 3))
@pytest.mark.parametrize("around", [b"\0\1", b"word "])
def test_an_id_that_lies_across_two_chunks_is_found(tmp_path, monkeypatch, cut, around):
    monkeypatch.setattr(contents, "_CHUNK", 100)
    (tmp_path / "file").write_bytes((around * 60)[: 100 + cut] + b" " + SHORT.encode() + b" " + around * 60)
    assert len(find_traces(tmp_path, [SHORT])) == 1


def test_a_number_is_found_in_a_column_of_numbers(tmp_path):
    (tmp_path / "log.parquet").write_bytes(parquet(pa.table({"user_id": [1, 42], "degree": [7, 8]})))
    assert find_traces(tmp_path, ["7"], own_files=["log.parquet"]) == []
    (trace,) = find_traces(tmp_path, ["42"], own_files=["log.parquet"])
    assert trace.where == "column user_id"


def test_names_of_files_and_folders_are_looked_at(tmp_path):
    (tmp_path / SHORT).mkdir()
    (tmp_path / SHORT / "a.txt").write_text("nothing")
    (trace,) = find_traces(tmp_path, [SHORT])
    assert trace.where == "its name"


def test_nobody_is_found_in_the_longer_id_of_somebody_who_stays(tmp_path):
    stays, gone = "user-00012-b", "user-0001"
    (tmp_path / "a.txt").write_text(f"{stays}\n")
    (tmp_path / "b.bin").write_bytes(b"\0" + stays.encode() + b"\0")
    pq.write_table(pa.table({"user_id": [stays]}), tmp_path / "c.parquet")
    assert [trace.file for trace in find_traces(tmp_path, [gone])] == ["a.txt", "b.bin", "c.parquet"]
    assert find_traces(tmp_path, [gone], other_ids=[stays, "x"]) == []
    (tmp_path / "a.txt").write_text(f"{stays}\n{gone}-c\n")
    assert [trace.file for trace in find_traces(tmp_path, [gone], other_ids=[stays])] == ["a.txt"]


def test_a_short_id_is_a_word_of_its_own(tmp_path):
    (tmp_path / "a.txt").write_text("annabel, hanna, anna_b")
    assert find_traces(tmp_path, ["anna"]) == []
    (tmp_path / "a.txt").write_text("annabel (anna)")
    assert len(find_traces(tmp_path, ["anna"])) == 1


def test_an_id_that_is_a_number_or_an_item_is_looked_for_where_user_ids_stand(tmp_path):
    """MovieLens: users and items are both numbers from 1 on."""
    (tmp_path / "manifest.json").write_text(json.dumps({"items": 42, "note": "Blade"}))
    pq.write_table(pa.table({"item_id": ["42", "Blade"]}), tmp_path / "items.parquet")
    pq.write_table(pa.table({"user_id": ["43", "Trinity"]}), tmp_path / "users.parquet")
    own = ["manifest.json", "items.parquet", "users.parquet", "user_ids.csv"]
    words = "42\nBlade\nThe Matrix"
    assert find_traces(tmp_path, ["42", "Blade"], words=words, own_files=own) == []
    for gone in ("42", "Blade"):
        pq.write_table(pa.table({"user_id": ["43", gone]}), tmp_path / "users.parquet")
        (trace,) = find_traces(tmp_path, [gone], words=words, own_files=own)
        assert str(trace) == "users.parquet (column user_id)"
    pq.write_table(pa.table({"user_id": ["43"]}), tmp_path / "users.parquet")
    (tmp_path / "user_ids.csv").write_text("id,degree\n7,42\n")
    assert find_traces(tmp_path, ["42"], words=words, own_files=own) == []
    (tmp_path / "user_ids.csv").write_text("id,degree\n42,7\n")
    assert len(find_traces(tmp_path, ["42"], words=words, own_files=own)) == 1
    (tmp_path / "user_ids.csv").unlink()
    (tmp_path / "notes.txt").write_text("called number 42 today")
    (trace,) = find_traces(tmp_path, ["42"], words=words, own_files=own)
    assert trace.file == "notes.txt"


def test_a_number_of_a_vector_is_no_id_in_recboles_files(tmp_path):
    """The id of eight digits is in one of the numbers; the line that names a person is found."""
    path = tmp_path / "users.useremb"
    path.write_text("uid:token\tuser_emb:float_seq\n11111111\t0.12345678 1\n22222222\t2 3\n")
    assert find_traces(tmp_path, ["12345678"]) == []
    (found,) = find_traces(tmp_path, ["22222222"])
    assert (found.file, found.where) == ("users.useremb", "column uid:token")
    (found,) = find_traces(tmp_path, ["7", "11111111"], own_files=["users.useremb"])
    path.write_text("uid:token\tuser_emb:float_seq\n7\t0.7 1\n")
    (found,) = find_traces(tmp_path, ["7"], own_files=["users.useremb"])
    assert found.where == "column uid:token"


def test_mentions_in_bytes_need_six_of_them():
    assert not Mentions.of(["ab12"]).within_bytes(b"\0ab12\0")
    assert Mentions.of(["ab12xy"]).within_bytes(b"\0ab12xy\0")
    assert not Mentions.of([""]).within("anything")
