"""Every example of experiments/020-into-the-stack runs on a small run and finds what it says that it finds."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from graphrec.evaluation.metrics import recall
from graphrec.evaluation.protocol import build_pool
from graphrec.evaluation.ranking import hits
from graphrec.workflow import run_split

FOLDER = Path(__file__).parents[2] / "experiments" / "020-into-the-stack"
NEEDS = {"with_implicit.py": "implicit", "with_qdrant.py": "qdrant_client", "with_postgres.py": "pgserver"}


@pytest.fixture
def found_by(monkeypatch, capsys, elsewhere, saved_run):
    """Runs an example on the small run, in another folder than the project's; the last line that it prints."""

    def run(example):
        monkeypatch.setattr(sys, "argv", [example, str(saved_run)])
        monkeypatch.syspath_prepend(str(FOLDER))
        runpy.run_path(str(FOLDER / example), run_name="__main__")
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


@pytest.mark.parametrize("example", sorted(path.name for path in FOLDER.glob("with_*.py")))
def test_every_example_runs_and_says_what_it_found(found_by, example):
    if example in NEEDS:
        pytest.importorskip(NEEDS[example])
    found = found_by(example)
    assert found.get("found") or found.get("checked")
    assert found.get("lists_equal", True) is True


@pytest.mark.parametrize("library", ["pandas", "numpy", "faiss", "recbole", "qdrant", "postgres"])
def test_an_export_read_with_one_library_gives_recalls_lists(found_by, loaded, library):
    found = found_by(f"with_{library}.py")
    assert found["equal"] == found["users"] == min(300, int((loaded.embeddings("user").degree > 0).sum()))


def test_an_als_finds_new_items_that_it_was_never_fitted_on(found_by, loaded):
    pytest.importorskip("implicit")
    found, pool = found_by("with_implicit.py"), build_pool(run_split(loaded), "cold")
    assert (found["items"], found["users"]) == (len(pool.items), len(pool.users))
    own = hits(loaded.rank(pool.users, pool.items, None, 20), pool.truth[pool.users])
    assert found["own_list"] == pytest.approx(float(np.mean(recall(*own, 20))))
    assert found["extended"] > 20 / len(pool.items)  # of lists in a random order


def test_a_graph_goes_to_pyg_and_back(found_by, loaded):
    found = found_by("with_pyg.py")
    assert found["edges_equal"] is True
    assert found["edges"] == loaded.graph.num_edges
    assert found["losses"][1] < found["losses"][0]


def test_a_pipeline_predicts_an_attribute_from_ids(found_by):
    found = found_by("with_sklearn.py")
    assert found["accuracy"] > found["most_frequent"] + 0.2
