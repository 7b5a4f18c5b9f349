"""The versions of the run folder: what the newest one writes, and that the older ones are still read."""

import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from graphrec.artifact import FORMAT_VERSION, MANIFEST, FileRecord, read_manifest
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender
from graphrec.retrieval.item_index import ItemIndex
from graphrec.run_folder import Run, write_run

FILES_OF_VERSION_2 = {
    "average_query.npy", "clip.faiss", "clip/blocks.safetensors", "clip/clip.json", "clip/vectors.npy", "config.yaml",
    "content.npy", "dataset.json", "degree.npy", "encoder.safetensors", "features/features.json",
    "features/modality-NNN-present.npy", "features/modality-NNN.npy", "features/signals-image.npy",
    "features/words.safetensors", "graph.npy", "held_out/held-out.parquet", "interactions.parquet", "item_states.npy",
    "items.parquet", "metrics.json", "raw_average.npy", "raw_covariance.npy", "recall.faiss", "sage_items.npy",
    "score_covariance.npy", "served.npy", "set_aside.csv", "users.npy", "users.parquet",
}  # fmt: skip


def test_who_writes_another_file_thinks_of_the_version(loaded, tmp_path):
    """An older graphrec reads a new file not at all: where it then answers otherwise, the version has to be raised."""
    signals = {"image": np.zeros((len(loaded.train_.catalogue), 2), dtype=np.float32)}
    run = Run(
        loaded.config, loaded.train_, replace(loaded.features_, signals=signals), loaded.model_, loaded.index_,
        loaded.held_out_, loaded.clip_,
    )  # fmt: skip
    write_run(run, tmp_path / "run")
    manifest = read_manifest(tmp_path / "run")
    files = {re.sub(r"modality-\d{3}", "modality-NNN", name) for name in manifest.files}
    assert (FORMAT_VERSION, manifest.format_version, files) == (2, 2, FILES_OF_VERSION_2)


def without_keys(path, parse, dump, *places: list[str]):
    """Rewrite a JSON or YAML file without these keys, each given as the way to it."""
    content = parse(path.read_text(encoding="utf-8"))
    for *way, last in places:
        inner = content
        for key in way:
            inner = inner[key]
        del inner[last]
    path.write_text(dump(content), encoding="utf-8")


@pytest.fixture
def run_of_version_1(run_copy, loaded):
    """The saved run as the first version wrote it: vectors without a raw block, no clip index, no gate."""
    dim = loaded.model_.encoded.q_UD.shape[1]
    for name in ("served", "content", "graph"):
        vectors_ID = np.load(run_copy / f"{name}.npy", allow_pickle=False)
        np.save(run_copy / f"{name}.npy", np.delete(vectors_ID, np.s_[dim:-1], axis=1), allow_pickle=False)
    served_ID = np.load(run_copy / "served.npy", allow_pickle=False)
    ItemIndex.build(served_ID, loaded.config.index).save(run_copy / "recall.faiss")
    for name in ("raw_covariance.npy", "raw_average.npy", "clip.faiss"):
        (run_copy / name).unlink()
    shutil.rmtree(run_copy / "clip")
    without_keys(run_copy / "metrics.json", json.loads, json.dumps, ["raw_share"])
    without_keys(run_copy / "features" / "features.json", json.loads, json.dumps, ["signals"])
    without_keys(
        run_copy / "config.yaml", yaml.safe_load, yaml.safe_dump, ["search"], ["model", "raw_dim"], ["features", "gate"]
    )
    path = run_copy / MANIFEST
    manifest = read_manifest(run_copy, verify=False)
    files = {
        name: FileRecord(
            size=(run_copy / name).stat().st_size, sha256=hashlib.sha256((run_copy / name).read_bytes()).hexdigest()
        )
        for name in manifest.files
        if (run_copy / name).exists()
    }
    path.write_text(manifest.model_copy(update={"format_version": 1, "files": files}).model_dump_json())
    return run_copy


def test_a_run_of_version_1_is_read_and_recommends_as_it_did(run_of_version_1, loaded):
    """Its scores are those of the learned vector and the popularity term alone."""
    old = Recommender.load(run_of_version_1, device="cpu")
    model = loaded.model_
    dim = model.encoded.q_UD.shape[1]
    vectors_ID = np.delete(np.asarray(model.served_ID), np.s_[dim:-1], axis=1)
    users = np.flatnonzero(loaded.train_.interactions.user_degree() > 0)[:5]
    scores_BI = model.scale.query(model.encoded.q_UD[users], model.choices.popularity_weight) @ vectors_ID.T
    scores_BI[loaded.seen[users].toarray() > 0] = -np.inf
    for user, scores_I in zip(users, scores_BI, strict=True):
        table = old.recommend([str(loaded.train_.user_ids[user])], k=5)
        np.testing.assert_allclose(table["score"], np.sort(scores_I)[::-1][:5], rtol=1e-5)
        rows = loaded.train_.catalogue.id_index.get_indexer(table["item_id"])
        np.testing.assert_allclose(scores_I[rows], table["score"], rtol=1e-5)
    assert old.clip_ is None


def test_a_run_of_version_1_says_that_it_cannot_be_searched_and_is_written_as_version_2(run_of_version_1, tmp_path):
    old = Recommender.load(run_of_version_1, device="cpu")
    with pytest.raises(GraphRecError, match="train again to search it"):
        old.search("red dress")
    old.save(tmp_path / "again")
    assert read_manifest(tmp_path / "again").format_version == 2
    user = [str(old.train_.user_ids[0])]
    assert list(Recommender.load(tmp_path / "again").recommend(user)["item_id"]) == list(old.recommend(user)["item_id"])
