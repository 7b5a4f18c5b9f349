"""RecBole's atomic files, read as its documentation says that it reads them."""

import numpy as np
import pandas as pd
import pytest
import yaml

from graphrec.artifact import read_manifest
from graphrec.errors import GraphRecError
from graphrec.export.embeddings import export_embeddings
from graphrec.retrieval.embeddings import Embeddings


def embeddings_of(ids, vectors, source="graph"):
    ids = np.array(ids, dtype=object)
    return Embeddings(ids, vectors, np.ones(len(ids), np.int64), np.array([source] * len(ids), dtype=object))


@pytest.fixture(scope="module")
def items():
    """Numbers of every size, the smallest and largest floats among them."""
    rng = np.random.default_rng(3)
    vectors = (rng.normal(size=(50, 3)) * 10.0 ** rng.integers(-30, 30, (50, 3))).astype(np.float32)
    vectors[0] = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max, -0.0
    return embeddings_of(["007", "a b", "été", 'say "hi"', *(f"i{n}" for n in range(46))], vectors)


@pytest.fixture(scope="module")
def users():
    return embeddings_of(["1", "02"], np.array([[0.1, 2, 3], [0, 0, 0]], np.float32))


def as_recbole_reads(path, load_col):
    """Header of name:type, tab-separated text by pandas, sequences split at spaces."""
    names, types = zip(
        *(one.split(":") for one in path.read_text(encoding="utf-8").split("\n")[0].split("\t")), strict=True
    )
    assert list(names) == load_col
    assert types == ("token", "float_seq")
    table = pd.read_csv(path, delimiter="\t", dtype=str, encoding="utf-8")
    table.columns = names
    return table[names[0]].tolist(), np.array([[float(word) for word in text.split(" ")] for text in table[names[1]]])


def test_recbole_reads_every_id_and_every_number_as_it_is(items, users, tmp_path):
    export_embeddings(items, users, "recbole", tmp_path / "out", "m1")
    config = yaml.safe_load((tmp_path / "out" / "recbole.yaml").read_text(encoding="utf-8"))
    assert config["additional_feat_suffix"] == ["itememb", "useremb"]
    for kind, one in (("item", items), ("user", users)):
        path = tmp_path / "out" / f"{kind}s.{kind}emb"
        id_field, vector_field = config["load_col"][f"{kind}emb"]
        ids, vectors = as_recbole_reads(path, [id_field, vector_field])
        assert ids == one.ids.tolist()
        assert vectors.astype(np.float32).tobytes() == one.vectors.tobytes()
        # joined to RecBole's own fields, under another name than theirs
        assert config[f"alias_of_{kind}_id"] == [id_field] != [f"{kind}_id"]
        assert config["preload_weight"][id_field] == vector_field
    assert config["load_col"]["inter"] == ["user_id", "item_id"]
    assert config["normalize_all"] is False
    assert config["embedding_size"] == 3


def test_without_users_there_is_no_file_of_them_and_no_line_about_them(items, tmp_path):
    export_embeddings(items, embeddings_of([], np.empty((0, 3), np.float32)), "recbole", tmp_path / "out", "m1")
    assert "users.useremb" not in read_manifest(tmp_path / "out", kind="export").files
    text = (tmp_path / "out" / "recbole.yaml").read_text(encoding="utf-8")
    assert "uid" not in text
    assert "useremb" not in text


@pytest.mark.parametrize("odd", ["a\tb", "line\nbreak", "NA", "null", '"quoted', "", "a\rb"])
def test_an_id_that_recbole_would_misread_is_named(users, tmp_path, odd):
    items = embeddings_of(["fine", odd, "fine too"], np.ones((3, 3), np.float32))
    with pytest.raises(GraphRecError) as caught:
        export_embeddings(items, users, "recbole", tmp_path / "out", "m1")
    assert f"RecBole would not read the id {odd!r} as it is" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
