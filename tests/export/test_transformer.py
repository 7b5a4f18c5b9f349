"""Vectors in scikit-learn's pipelines."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import estimator_checks

from graphrec.errors import GraphRecError
from graphrec.export.transformer import EmbeddingTransformer
from graphrec.retrieval.embeddings import Embeddings
from graphrec.workflow import export_run

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def embeddings():
    ids = np.array(["007", "b", "c", "0"], dtype=object)
    return Embeddings(ids, VECTORS, np.ones(4, np.int64), np.full(4, "graph", dtype=object))


GIVEN = {
    "list": ["c", "007", "c"],
    "array": np.array(["c", "007", "c"]),
    "objects": np.array(["c", "007", "c"], dtype=object),
    "one column": np.array([["c"], ["007"], ["c"]], dtype=object),
    "Series": pd.Series(["c", "007", "c"], index=[9, 9, 1]),
    "strings": pd.Series(["c", "007", "c"], dtype="string"),
    "categories": pd.Series(["c", "007", "c"], dtype="category"),
    "DataFrame": pd.DataFrame({"item": ["c", "007", "c"]}),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_any_column_of_ids_becomes_its_vectors(embeddings, kind):
    vectors = EmbeddingTransformer(embeddings).fit().transform(GIVEN[kind])
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, VECTORS[[2, 0, 2]])


def test_what_comes_out_can_be_changed_without_harm(embeddings):
    transformer = EmbeddingTransformer(embeddings).fit()
    transformer.transform(["b"])[:] = 99
    np.testing.assert_array_equal(transformer.transform(["b"]), VECTORS[[1]])


def test_unknown_ids_are_an_error_or_zero(embeddings):
    given = pd.Series(["b", "nobody", None, np.nan], dtype=object)
    with pytest.raises(GraphRecError) as caught:
        EmbeddingTransformer(embeddings).fit().transform(given)
    assert str(caught.value) == ("No vector for 3 of 4 ids, such as 'nobody': leave them out, or set unknown=\"zero\".")
    zero = EmbeddingTransformer(embeddings, unknown="zero").fit().transform(given)
    np.testing.assert_array_equal(zero, [VECTORS[1], [0, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_numbers_are_no_ids(embeddings):
    """7 is not "007"; a column that was read as numbers has lost its zeros."""
    with pytest.raises(GraphRecError, match=r"Expected ids as strings, got 7 \(int\): read the column as text"):
        EmbeddingTransformer(embeddings, unknown="zero").fit().transform(pd.Series([7, 8]))
    with pytest.raises(GraphRecError, match=r"Expected one column of ids, got an array of shape \(1, 2\)"):
        EmbeddingTransformer(embeddings).fit().transform([["b", "c"]])


def test_a_run_and_its_exports_give_the_same_vectors(loaded, saved_run, tmp_path):
    for to in ("parquet", "recbole"):
        export_run(loaded, to, tmp_path / to)
    for kind in ("item", "user"):
        expected = loaded.embeddings(kind)
        for source in (saved_run, str(saved_run), tmp_path / "parquet", tmp_path / "recbole", expected):
            vectors = EmbeddingTransformer(source, kind=kind).fit().transform(expected.ids[::-1])
            assert vectors.tobytes() == np.ascontiguousarray(expected.vectors[::-1]).tobytes()
    content = EmbeddingTransformer(saved_run, kind="content").fit().transform(loaded.train_.catalogue.item_ids)
    assert content.tobytes() == np.ascontiguousarray(loaded.model_.content_ID).tobytes()
    with pytest.raises(GraphRecError, match="is an export, which holds served vectors: name the run"):
        EmbeddingTransformer(tmp_path / "parquet", kind="content").fit()


def test_wrong_settings_are_named_by_fit(embeddings, tmp_path):
    with pytest.raises(GraphRecError, match="Expected unknown to be one of error, zero, got 'drop'"):
        EmbeddingTransformer(embeddings, unknown="drop").fit()
    with pytest.raises(GraphRecError, match="There is no run at"):
        EmbeddingTransformer(tmp_path / "none").fit()
    with pytest.raises(NotFittedError):
        EmbeddingTransformer(embeddings).transform(["b"])


def test_it_works_inside_pipelines_column_transformers_and_searches(embeddings):
    table = pd.DataFrame({"item": ["007", "b", "c", "0"] * 6, "weekday": ["mo", "tu", "we"] * 8})
    clicked = np.isin(table["item"], ["c", "0"]).astype(int)
    columns = ColumnTransformer(
        [("item", EmbeddingTransformer(embeddings), "item"), ("day", OneHotEncoder(), ["weekday"])]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(table, clicked)
    assert (model.predict(table) == clicked).all()
    assert list(columns.fit(table).get_feature_names_out())[:4] == [
        "item__embeddingtransformer0", "item__embeddingtransformer1", "item__embeddingtransformer2", "day__weekday_mo",
    ]  # fmt: skip
    pipeline = make_pipeline(EmbeddingTransformer(embeddings), LogisticRegression(max_iter=500))
    search = GridSearchCV(pipeline, {"embeddingtransformer__unknown": ["error", "zero"]}, cv=2)
    assert search.fit(table["item"], clicked).best_score_ == 1


def test_it_can_be_cloned_and_names_the_columns_of_a_frame(embeddings):
    transformer = clone(EmbeddingTransformer(embeddings, unknown="zero")).set_output(transform="pandas").fit()
    assert transformer.get_params()["unknown"] == "zero"
    frame = transformer.transform(pd.Series(["b", "x"], index=[5, 7]))
    assert list(frame.columns) == [f"embeddingtransformer{d}" for d in range(3)]
    np.testing.assert_array_equal(frame.loc[5], VECTORS[1])
    assert not frame.loc[7].any()


ABOUT_ANY_ESTIMATOR = (
    "check_estimator_cloneable", "check_estimator_repr", "check_estimator_tags_renamed", "check_get_params_invariance",
    "check_set_params", "check_no_attributes_set_in_init", "check_parameters_default_constructible",
    "check_do_not_raise_errors_in_init_or_set_param", "check_mixin_order", "check_valid_tag_types",
)  # fmt: skip


@pytest.mark.parametrize("check", ABOUT_ANY_ESTIMATOR)
def test_it_passes_scikit_learns_checks_of_any_estimator(embeddings, check):
    """The other checks feed numbers, which are no ids."""
    run = getattr(estimator_checks, check, None)
    if run is None:
        pytest.skip("another scikit-learn than the one that has this check")
    run("EmbeddingTransformer", EmbeddingTransformer(embeddings))
