from pathlib import Path

import pytest

from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig, parse_clip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("small", ClipConfig(model="small")),
        ("ViT-B/32", ClipConfig(model="ViT-B/32")),
        ("ViT-B-32:laion2b_s34b_b79k", ClipConfig(model="ViT-B-32", pretrained="laion2b_s34b_b79k")),
        (
            "ViT-B-32:/somewhere/w.safetensors",
            ClipConfig(model="ViT-B-32", pretrained="/somewhere/w.safetensors"),
        ),
        ("hf-hub:owner/name", ClipConfig(model="hf-hub:owner/name")),
    ],
)
def test_a_word_names_model_and_weights(name, expected):
    assert parse_clip(name) == expected


def test_a_folder_with_a_model_is_its_full_path_with_or_without_the_schema(tmp_path, monkeypatch):
    (tmp_path / "runs" / "clip").mkdir(parents=True)
    (tmp_path / "runs" / "clip" / "open_clip_config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    expected = ClipConfig(model=f"local-dir:{(tmp_path / 'runs' / 'clip').resolve()}")
    assert parse_clip("runs/clip") == parse_clip("local-dir:runs/clip") == expected
    assert parse_clip(str(tmp_path / "runs" / "clip")) == expected


@pytest.mark.parametrize("name", ["", ":openai", "ViT-B-32:", "local-dir:nowhere", "local-dir:", "runs"])
def test_what_names_no_clip_is_refused_in_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(GraphRecError, match="CLIP") as caught:
        parse_clip(name)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_is_its_full_path_however_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("w.safetensors").touch()
    full = str(tmp_path / "w.safetensors")
    assert parse_clip("ViT-B-32:w.safetensors").pretrained == full
    assert ClipConfig(model="ViT-B-32", pretrained="w.safetensors").pretrained == full
    assert ClipConfig(model="ViT-B-32", pretrained="openai").pretrained == "openai"
    Path("model").mkdir()
    assert ClipConfig(model="local-dir:model").model == f"local-dir:{tmp_path / 'model'}"
