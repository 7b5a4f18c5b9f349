"""The example of a recommender that somebody already runs works as it stands."""

import importlib.util
from pathlib import Path

import pytest

from graphrec import Dataset

EXAMPLE = Path(__file__).resolve().parents[2] / "experiments" / "019-fusion" / "plug_in.py"


def test_the_example_lists_new_items_that_the_running_system_cannot(small_store, quick_config, capsys):
    pytest.importorskip("implicit")
    spec = importlib.util.spec_from_file_location("plug_in", EXAMPLE)
    plug_in = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plug_in)
    fused = plug_in.main(small_store, quick_config)
    assert "NDCG@20 of" in capsys.readouterr().out
    assert (fused.groupby("user_id")["rank"].max() == 20).all()
    assert fused["user_id"].nunique() > 100
    data = Dataset.load(small_store)
    cold = data.catalogue.item_ids[data.split_cold_items(0.2, seed=0, warm_fraction=0.2).cold_items]
    assert set(fused[fused["item_id"].isin(cold)]["from"]) == {"ours"}
