import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from graphrec.errors import GraphRecError
from graphrec.features import clip_loading, hub
from graphrec.features.clip import ClipConfig, ClipEncoder

TEXTS = ["red dress", "blue shirt with stripes", "shoes " * 200, "", "ß 漢字 🙂"]


@pytest.fixture(scope="module")
def encoder():
    return ClipEncoder(ClipConfig())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of many formats and shapes, and some that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(1)
    for name, shape in {
        "a.png": (64, 64, 3),
        "b.jpg": (700, 300, 3),
        "c.webp": (30, 90, 3),
        "grey.png": (40, 50),
    }.items():
        Image.fromarray(rng.integers(0, 256, size=shape, dtype=np.uint8)).save(folder / name)
    Image.fromarray(rng.integers(0, 256, size=(33, 44, 4), dtype=np.uint8)).save(folder / "alpha.png")
    Image.new("P", (20, 20), 3).save(folder / "palette.gif")
    Image.new("I;16", (20, 20), 300).save(folder / "deep.png")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:4000])
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:4000])
    (folder / "note.png").write_text("no picture")
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Random weights of the small architecture in each format."""
    folder = tmp_path_factory.mktemp("checkpoints")
    model = clip_loading.load_clip("small", None, "cpu", random_seed=7).model
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "tiny.safetensors")
    torch.save(state, folder / "tiny.pt")
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": t for name, t in state.items()}}, folder / "tiny.bin")
    return folder


def test_vectors_have_length_1_and_differ(encoder, folder):
    x_ND = encoder.encode_texts(TEXTS)
    assert x_ND.shape == (5, encoder.dim)
    assert x_ND.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x_ND, axis=1), 1, atol=1e-5)
    assert np.linalg.matrix_rank(x_ND) == 5
    x_ND, present_N, problems = encoder.encode_images([folder / "a.png", folder / "b.jpg"])
    np.testing.assert_allclose(np.linalg.norm(x_ND, axis=1), 1, atol=1e-5)
    assert present_N.all()
    assert problems == {}
    assert not np.allclose(x_ND[0], x_ND[1], atol=1e-3)


def test_the_small_model_is_the_same_in_another_process_whatever_the_seed(encoder):
    code = (
        "import sys, json, torch; torch.manual_seed(int(sys.argv[1]))\n"
        "from graphrec.features.clip import *\n"
        "print(json.dumps(ClipEncoder(ClipConfig()).encode_texts(['red dress'])[0].tolist()))"
    )
    answer = subprocess.run([sys.executable, "-c", code, "77"], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(json.loads(answer.stdout), encoder.encode_texts(["red dress"])[0], atol=1e-6)
    assert answer.stderr == ""  # open_clip's warnings stay off the screen


def test_loading_leaves_the_random_state_and_the_logging_of_others_alone():
    import logging

    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    handlers, filters = list(logging.getLogger().handlers), list(logging.getLogger().filters)
    ClipEncoder(ClipConfig())
    assert torch.equal(torch.rand(3), expected)
    assert (logging.getLogger().handlers, logging.getLogger().filters) == (handlers, filters)


def test_a_vector_does_not_depend_on_its_batch(encoder, folder):
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    together_ND, present_N, _ = encoder.encode_images(paths)
    alone = ClipEncoder(ClipConfig(batch_size=1, decode_threads=1))
    alone_ND, alone_present_N, _ = alone.encode_images(paths)
    np.testing.assert_allclose(alone_ND, together_ND, atol=1e-5)
    np.testing.assert_array_equal(alone_present_N, present_N)
    np.testing.assert_allclose(alone.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=1e-5)


def test_a_bad_picture_is_absent_with_a_reason_and_never_fatal(encoder, folder):
    names = ["a.png", "cut.png", "nowhere.png", "note.png", "empty.png", "cut.jpg", "folder.png"]
    names += ["b.jpg", "c.webp", "grey.png", "alpha.png", "palette.gif"]
    x_ND, present_N, problems = encoder.encode_images([folder / name for name in names])
    assert present_N.tolist() == [True] + [False] * 6 + [True] * 5
    assert not x_ND[~present_N].any()
    assert {Path(path).name: reason for path, reason in problems.items()} == {
        "cut.png": "damaged picture",
        "nowhere.png": "missing",
        "note.png": "damaged or no picture",
        "empty.png": "damaged or no picture",
        "cut.jpg": "damaged picture",
        "folder.png": "missing",
    }
    encoder.encode_images([folder / "deep.png"])  # either answer is right, an exception is not


def test_nothing_to_encode_gives_nothing(encoder):
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    x_ND, present_N, problems = encoder.encode_images([])
    assert (x_ND.shape, present_N.shape, problems) == ((0, encoder.dim), (0,), {})


def test_progress_sees_every_batch(folder):
    seen = []

    def progress(steps, description, total=None):
        for step in steps:
            seen.append(description)
            yield step

    encoder = ClipEncoder(ClipConfig(batch_size=2))
    encoder.encode_texts(TEXTS, progress)
    encoder.encode_images([folder / "a.png"] * 3, progress)
    assert seen == ["Encoding texts"] * 3 + ["Encoding pictures"] * 2


@pytest.mark.parametrize("file", ["tiny.safetensors", "tiny.pt", "tiny.bin"])
def test_a_local_checkpoint_is_loaded_whatever_its_format(encoder, checkpoints, file):
    config = ClipConfig(pretrained=str(checkpoints / file))
    assert not config.is_small
    x_ND = ClipEncoder(config).encode_texts(TEXTS)
    reference = ClipEncoder(ClipConfig(pretrained=str(checkpoints / "tiny.safetensors"))).encode_texts(TEXTS)
    np.testing.assert_array_equal(x_ND, reference)
    assert not np.allclose(x_ND, encoder.encode_texts(TEXTS), atol=1e-3)


def test_a_local_folder_with_its_own_weights_is_loaded(checkpoints, tmp_path):
    shutil.copy(checkpoints / "tiny.safetensors", tmp_path / "open_clip_model.safetensors")
    shutil.copy(clip_loading.SMALL_FOLDER / "open_clip_config.json", tmp_path)
    x_ND = ClipEncoder(ClipConfig(model=f"local-dir:{tmp_path}")).encode_texts(TEXTS)
    reference = ClipEncoder(ClipConfig(pretrained=str(checkpoints / "tiny.pt"))).encode_texts(TEXTS)
    np.testing.assert_array_equal(x_ND, reference)
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(GraphRecError, match=r"could not be fetched or read .*leave clip\.model at 'small'\.$"):
        ClipEncoder(ClipConfig(model=f"local-dir:{tmp_path}"))


def one_line_of(config):
    with pytest.raises(GraphRecError) as caught:
        ClipEncoder(config)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def test_a_wrong_checkpoint_is_refused_in_one_line(checkpoints, tmp_path):
    assert "does not exist" in one_line_of(ClipConfig(pretrained=str(tmp_path / "none.pt")))
    assert "is not a file" in one_line_of(ClipConfig(pretrained=str(tmp_path)))
    for suffix in (".pt", ".safetensors"):
        (tmp_path / f"junk{suffix}").write_bytes(b"not weights at all")
        assert "does not hold weights" in one_line_of(ClipConfig(pretrained=str(tmp_path / f"junk{suffix}")))
    (tmp_path / "notes.txt").touch()
    assert "expected a .safetensors" in one_line_of(ClipConfig(pretrained=str(tmp_path / "notes.txt")))
    save_file({"other": torch.ones(2)}, tmp_path / "other.safetensors")
    assert "does not hold weights" in one_line_of(ClipConfig(pretrained=str(tmp_path / "other.safetensors")))


class Boom:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Boom()}, tmp_path / "evil.pt")
    assert "does not hold weights" in one_line_of(ClipConfig(pretrained="evil.pt"))
    assert not (tmp_path / "executed").exists()


def test_an_unknown_model_names_close_ones():
    assert "did you mean" in (line := one_line_of(ClipConfig(model="VIT-B32", pretrained="openai")))
    assert "ViT-B-32" in line
    assert "small" in one_line_of(ClipConfig(model="smal"))


def test_a_model_without_weights_or_with_an_unknown_tag_names_the_tags():
    assert "set clip.pretrained" in one_line_of(ClipConfig(model="ViT-B-32"))
    line = one_line_of(ClipConfig(model="ViT-B-32", pretrained="opnai"))
    assert "neither a file nor a tag of ViT-B-32" in line
    assert "openai" in line


def test_the_small_model_takes_no_tag_instead_of_ignoring_it():
    assert "neither a file nor a tag of small" in one_line_of(ClipConfig(pretrained="openai"))
    assert "brings its own weights" in one_line_of(ClipConfig(model="hf-hub:some/model", pretrained="openai"))


def test_a_known_tag_wins_over_a_folder_of_that_name(monkeypatch, tmp_path):
    from open_clip import factory

    monkeypatch.chdir(tmp_path)
    (tmp_path / "openai").mkdir()
    asked = []
    monkeypatch.setattr(hub, "_answers", lambda url: True)
    monkeypatch.setattr(factory, "download_pretrained", lambda config, **_: asked.append(config) or "nowhere.pt")
    assert "could not be fetched or read" in one_line_of(ClipConfig(model="ViT-B/32", pretrained="openai"))
    assert len(asked) == 1


def test_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch):
    from open_clip import factory

    def offline(*args: object, **kwargs: object):
        raise OSError("We couldn't connect to the hub.\nCheck your internet connection")

    monkeypatch.setattr(hub, "_answers", lambda url: True)
    monkeypatch.setattr(factory, "download_pretrained", offline)
    line = one_line_of(ClipConfig(model="ViT-B-32", pretrained="openai"))
    assert line.startswith("The weights of CLIP ViT-B-32 / openai could not be fetched")
    assert "local checkpoint" in line
    assert "'small'" in line


@pytest.mark.parametrize("config", [ClipConfig(model="ViT-B-32", pretrained="openai"), ClipConfig(model="hf-hub:a/b")])
def test_a_hub_that_cannot_be_reached_is_told_without_waiting_for_it(monkeypatch, config):
    import time

    from huggingface_hub import constants

    monkeypatch.setattr(hub, "_answers", lambda url: False)
    monkeypatch.setattr(hub, "getproxies", dict)
    before, started = constants.HF_HUB_OFFLINE, time.monotonic()
    line = one_line_of(config)
    assert time.monotonic() - started < 20  # its client alone would try again for a minute
    assert "the hub of models cannot be reached from this machine" in line
    assert "local checkpoint" in line
    assert constants.HF_HUB_OFFLINE is before


def test_the_hub_answers_where_something_listens():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert hub._answers(f"http://127.0.0.1:{port}")
    assert not hub._answers(f"http://127.0.0.1:{port}")


def test_an_open_clip_that_cannot_be_imported_says_what_to_install(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(clip_loading, "import_module", broken)
    assert "torchvision that fits the installed torch" in one_line_of(ClipConfig())


def test_the_small_model_never_asks_the_network(monkeypatch, checkpoints):
    import socket

    def refuse(*args: object, **kwargs: object):
        raise AssertionError("network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ClipEncoder(ClipConfig()).encode_texts(["red"])
    ClipEncoder(ClipConfig(pretrained=str(checkpoints / "tiny.pt"))).encode_texts(["red"])
