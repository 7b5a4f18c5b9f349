import json
from dataclasses import replace

import numpy as np
import pytest

from graphrec.errors import GraphRecError
from graphrec.features import storage
from graphrec.features.extract import extract_features
from graphrec.features.storage import read_features, write_features


@pytest.fixture
def features(dataset, is_warm_I, shuffled_vectors):
    return extract_features(replace(dataset, own_vectors={"../sound": shuffled_vectors}), is_warm_I)


def test_features_and_encoders_come_back_bit_for_bit(features, catalogue, tmp_path):
    write_features(features, tmp_path / "features")
    again = read_features(tmp_path / "features")
    assert list(again.modalities) == list(features.modalities)
    for name, modality in features.modalities.items():
        assert again.modalities[name].x_IF.dtype == np.float32
        np.testing.assert_array_equal(again.modalities[name].x_IF, modality.x_IF)
        np.testing.assert_array_equal(again.modalities[name].present_I, modality.present_I)
    assert again.notes == features.notes
    old, new = features.encoders, again.encoders
    assert (new.own, new.clip, new.clip_kinds, new.attributes) == (old.own, old.clip, old.clip_kinds, old.attributes)
    np.testing.assert_array_equal(new.words.encode(catalogue.text).x_IF, old.words.encode(catalogue.text).x_IF)


def test_nothing_is_written_outside_the_folder_nor_as_pickle(features, tmp_path):
    write_features(features, tmp_path / "deep" / "features")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["features"]
    assert {path.suffix for path in (tmp_path / "deep" / "features").iterdir()} == {".npy", ".json", ".safetensors"}


def test_features_without_words_come_back(features, tmp_path):
    modalities = {"attribute:price": features.modalities["attribute:price"]}
    write_features(
        replace(features, modalities=modalities, encoders=replace(features.encoders, words=None)), tmp_path / "f"
    )
    assert read_features(tmp_path / "f").encoders.words is None


def test_a_missing_or_damaged_file_is_refused_in_one_line(features, tmp_path):
    folder = tmp_path / "features"
    write_features(features, folder)

    def broken(name, content):
        original = (folder / name).read_bytes()
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        with pytest.raises(GraphRecError) as caught:
            read_features(folder)
        assert "\n" not in str(caught.value)
        (folder / name).write_bytes(original)
        return str(caught.value)

    assert "modality-001.npy is missing" in broken("modality-001.npy", None)
    assert "words.safetensors" in broken("words.safetensors", None)
    for name in ("modality-001.npy", "modality-001-present.npy", "words.safetensors", "features.json"):
        for content in (b"", b"junk", (folder / name).read_bytes()[:100]):
            broken(name, content)
    index = json.loads((folder / "features.json").read_text())
    for key in index:
        without = {name: value for name, value in index.items() if name != key}
        assert f"'{key}'" in broken("features.json", json.dumps(without).encode())
    for wrong in ([], [index], None, "text", 3, index | {"clip": []}, index | {"modalities": {}}):
        assert "features.json" in broken("features.json", json.dumps(wrong).encode())
    read_features(folder)


def test_a_mistake_in_the_code_is_not_told_as_a_damaged_file(features, tmp_path, monkeypatch):
    def mistaken(*_: object):
        raise TypeError("a bug")

    write_features(features, tmp_path / "features")
    monkeypatch.setattr(storage, "_read_encoders", mistaken)
    with pytest.raises(TypeError, match="a bug"):
        read_features(tmp_path / "features")
