"""The versions of folders: what the newest one writes, and which of the older ones are still read."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from graphrec.artifact import FORMAT_VERSION, MANIFEST, read_manifest, write_artifact
from graphrec.errors import GraphRecError
from graphrec.recommender import Recommender
from graphrec.run_folder import Run, write_run

FILES_OF_VERSION_5 = {
    "average_query.npy", "clip.faiss", "clip/blocks.safetensors", "clip/clip.json", "clip/vectors.npy", "config.yaml",
    "content.npy", "counts.parquet", "dataset.json", "degree.npy", "degree_elsewhere.npy", "encoder.safetensors",
    "features/features.json", "features/modality-NNN-present.npy", "features/modality-NNN.npy",
    "features/signals-image.npy", "features/words.safetensors", "graph.npy", "held_out/held-out.parquet",
    "interactions.parquet", "item_states.npy", "items.parquet", "metrics.json", "placement.json",
    "placement.safetensors", "raw_average.npy",
    "raw_covariance.npy", "recall.faiss", "sage_items.npy", "same_as.parquet", "score_covariance.npy", "served.npy",
    "set_aside.csv", "users.npy", "users.parquet",
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
    assert (FORMAT_VERSION, manifest.format_version, files) == (5, 5, FILES_OF_VERSION_5)


def as_version(folder, version):
    """Only the number is changed."""
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"format_version": version}))


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_earlier_run_is_refused_in_one_line_and_may_be_replaced(run_copy, loaded, version):
    as_version(run_copy, version)
    with pytest.raises(GraphRecError) as refused:
        Recommender.load(run_copy, device="cpu")
    assert str(refused.value) == f"{run_copy} was trained by an earlier graphrec: train again."
    loaded.save(run_copy)
    assert read_manifest(run_copy).format_version == FORMAT_VERSION


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["export", "clip"])
def test_other_folders_of_earlier_versions_are_read(tmp_path, kind, version):
    write_artifact(tmp_path / "out", lambda place: (place / "a.txt").write_text("some"), {"some": 3}, kind)
    as_version(tmp_path / "out", version)
    assert read_manifest(tmp_path / "out", kind=kind).about == {"some": 3}
