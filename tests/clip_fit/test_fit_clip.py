import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from graphrec.artifact import checkpoint_path, read_manifest
from graphrec.clip_fit import training as training_loop
from graphrec.clip_fit.fit import ClipFitConfig, fit_clip
from graphrec.clip_fit.model_folder import KIND, WEIGHTS
from graphrec.clip_fit.training import TrainingConfig
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipEncoder, parse_clip


def weights(folder):
    return load_file(Path(folder) / WEIGHTS)


def is_same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stop_after(num_steps):
    """A progress that stops the training like Ctrl-C after some steps; decoding and the like go through."""

    def progress(steps, description, total=None):
        for number, step in enumerate(steps):
            yield step
            if description.startswith("Training") and number + 1 == num_steps:
                raise KeyboardInterrupt

    return progress


def changed(config, **training: object):
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def test_it_learns_which_word_names_which_colour(shop, config, tmp_path):
    config = changed(config, epochs=40)
    report = fit_clip([shop], config, tmp_path / "clip")
    before, after = report.before["title"].image_to_text, report.after["title"].image_to_text
    assert (report.train_pairs, report.held_out_pairs) == (56, 14)
    # Nothing in a picture tells the number of the thing, so the colour alone is what can be found: two a colour.
    assert after.recall[5] > 0.9 > 0.6 > before.recall[5]
    clip = ClipEncoder(parse_clip(str(tmp_path / "clip")))
    colours = ["red", "green", "blue", "yellow", "black", "white", "pink"]
    words = clip.encode_texts([f"{colour} thing" for colour in colours])
    folder = shop.catalogue.image_root
    images, _, _ = clip.encode_images([folder / f"images/{item}.png" for item in range(70)])
    assert (np.argmax(images @ words.T, axis=1) == np.arange(70) % 7).mean() > 0.9


def test_the_folder_holds_what_was_measured_and_open_clip_reads_it(shop, config, tmp_path):
    out = tmp_path / "clip"
    report = fit_clip([shop], config, out)
    manifest = read_manifest(out, kind=KIND)
    assert manifest.about["datasets"] == ["colours"]
    assert manifest.about["after"] == json.loads(json.dumps(report.to_json()["after"]))
    assert all(tensor.dtype == torch.float16 for tensor in weights(out).values() if tensor.is_floating_point())
    assert not checkpoint_path(out).exists()
    full = config.model_copy(update={"half_precision": False})
    fit_clip([shop], full, tmp_path / "full")
    paths = [shop.catalogue.image_root / image for image in shop.catalogue.image]
    vectors = [ClipEncoder(parse_clip(str(tmp_path / name))).encode_images(paths)[0] for name in ("clip", "full")]
    np.testing.assert_allclose(*vectors, atol=3e-3)
    assert not np.array_equal(*vectors)


def test_a_fit_goes_on_from_its_checkpoint_to_the_same_weights_bit_for_bit(shop, config, tmp_path):
    config = config.model_copy(update={"half_precision": False})
    fit_clip([shop], config, tmp_path / "alone")
    out, said = tmp_path / "stopped", []
    for num_steps in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            fit_clip([shop], config, out, progress=stop_after(num_steps), say=said.append)
        torch.rand(3)  # another state of the global generator
    report = fit_clip([shop], config, out, say=said.append)
    assert report.summary.resumed_at > 2
    assert report.summary.last_loss > 0
    assert len(said) == 2
    assert "Going on after step" in said[0]
    assert is_same(weights(tmp_path / "alone"), weights(out))
    assert fit_clip([shop], changed(config, seed=1), tmp_path / "other").summary.steps == report.summary.steps
    assert not is_same(weights(tmp_path / "other"), weights(out))


def fit_slowly(dataset, config, out):
    def progress(steps, description, total=None):
        for step in steps:
            yield step
            time.sleep(0.03 if description.startswith("Training") else 0)

    torch.set_num_threads(1)
    fit_clip([dataset], config, out, progress=progress)


def test_a_killed_fit_goes_on_and_never_leaves_half_a_folder(shop, config, tmp_path):
    config = changed(config, epochs=6)
    out = tmp_path / "clip"
    context = multiprocessing.get_context("fork")
    process = context.Process(target=fit_slowly, args=(shop, config, out))
    process.start()
    deadline = time.monotonic() + 60
    while not checkpoint_path(out).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not out.exists()
    report = fit_clip([shop], config, out)
    assert 0 < report.summary.resumed_at < report.summary.steps
    fit_clip([shop], config, tmp_path / "alone")
    assert is_same(weights(tmp_path / "alone"), weights(out))


def test_a_checkpoint_of_another_fit_is_not_thrown_away_unasked(shop, config, tmp_path):
    out = tmp_path / "clip"
    with pytest.raises(KeyboardInterrupt):
        fit_clip([shop], config, out, progress=stop_after(2))
    before = checkpoint_path(out).read_bytes()
    with pytest.raises(GraphRecError, match=r"fit with other data or settings.*--restart"):
        fit_clip([shop], changed(config, batch_size=8), out)
    assert checkpoint_path(out).read_bytes() == before
    assert fit_clip([shop], changed(config, batch_size=8), out, restart=True).summary.resumed_at == 0
    checkpoint_path(out).write_bytes(before[: len(before) // 2])
    with pytest.raises(GraphRecError, match=r"cannot be read .*--restart"):
        fit_clip([shop], config, out)


def test_two_fits_to_one_folder_are_refused_and_a_killed_one_stands_in_nobodys_way(shop, config, tmp_path):
    out = tmp_path / "new" / "clip"
    refusals = []

    def progress(steps, description, total=None):
        for step in steps:
            if description.startswith("Training") and not refusals:
                with pytest.raises(GraphRecError, match=r"^Another clip fit is writing to .*clip: wait") as caught:
                    fit_clip([shop], config, out, restart=True)
                refusals.append(caught.value)
                fit_clip([shop], changed(config, epochs=1), out.with_name("other"))  # beside it is no matter
            yield step

    lock = checkpoint_path(out).with_suffix(".lock")
    lock.parent.mkdir()
    lock.touch()  # as a killed fit leaves it
    fit_clip([shop], config, out, progress=progress)
    assert len(refusals) == 1
    assert sorted(path.name for path in out.parent.iterdir()) == ["clip", "other"]


def test_a_fit_that_fails_leaves_no_lock(shop, config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit_clip([shop], config, tmp_path / "clip", progress=stop_after(2))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint_path(tmp_path / "clip").name]


def test_one_pair_is_too_few_and_no_picture_is_blamed(config, tmp_path, make_shop):
    one = Dataset.load(make_shop(tmp_path / "shop", num_items=1))
    config = config.model_copy(update={"held_out": 0.0})
    with pytest.raises(GraphRecError, match=r"^Only 1 picture-text pair is left .*takes at least 2\.$"):
        fit_clip([one], config, tmp_path / "clip")
    two = Dataset.load(make_shop(tmp_path / "shop2", num_items=2))
    exclude = [(0, two.catalogue.item_ids[0])]
    with pytest.raises(GraphRecError, match=r"at least 2; no pair: 1 items, left out on request"):
        fit_clip([two], config, tmp_path / "clip", exclude=exclude)
    assert fit_clip([two], config, tmp_path / "clip").train_pairs == 2


def test_a_loss_that_is_no_number_names_a_way_on_that_is_open(shop, config, tmp_path, monkeypatch):
    measured, steps = training_loop.contrastive_loss, iter(range(1000))

    def loss(*given: torch.Tensor):
        return measured(*given) * (float("nan") if next(steps) == 2 else 1)

    monkeypatch.setattr(training_loop, "contrastive_loss", loss)
    out = tmp_path / "clip"
    with pytest.raises(GraphRecError, match=r"step 3 .* give a lower --learning-rate, with --restart\.$"):
        fit_clip([shop], config, out)
    lower = changed(config, learning_rate=1e-4)
    with pytest.raises(GraphRecError, match="--restart"):
        fit_clip([shop], lower, out)
    assert fit_clip([shop], lower, out, restart=True).summary.steps > 3


def test_time_is_a_budget_too(shop, tiny, tmp_path):
    training = TrainingConfig(minutes=0.02, batch_size=16)
    report = fit_clip([shop], ClipFitConfig(clip=tiny, from_scratch=True, training=training), tmp_path / "clip")
    assert 1.2 <= report.summary.seconds < 6
    assert TrainingConfig().epoch_budget == 20
    assert training.epoch_budget is None


def test_pictures_decoded_again_in_every_pass_give_the_same_weights(shop, config, tmp_path):
    fit_clip([shop], config, tmp_path / "kept")
    fit_clip([shop], config.model_copy(update={"picture_memory_gb": 1e-9}), tmp_path / "again")
    assert is_same(weights(tmp_path / "kept"), weights(tmp_path / "again"))


def test_a_damaged_picture_costs_its_pair_and_nothing_else(shop, config, tmp_path, make_shop):
    folder = make_shop(tmp_path / "shop")
    for name in ("0.png", "1.png"):
        path = folder / "images" / name
        Image.effect_noise((40, 40), 90).convert("RGB").save(path)
        path.write_bytes(path.read_bytes()[:-400])  # the header is whole
    data = type(shop).load(folder)
    report = fit_clip([data], config, tmp_path / "clip")
    assert report.left_out == {"picture cannot be decoded": 2}
    assert report.summary.steps > 0


def test_fine_tuning_begins_with_what_the_model_knows(shop, config, tmp_path):
    first = fit_clip([shop], changed(config, epochs=30), tmp_path / "first")
    start = parse_clip(str(tmp_path / "first"))
    config = changed(config, epochs=1, learning_rate=1e-5).model_copy(update={"clip": start, "from_scratch": False})
    second = fit_clip([shop], config, tmp_path / "second")
    assert second.before["text"].text_to_image.recall == pytest.approx(first.after["text"].text_to_image.recall)
    assert not is_same(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_nothing_else_is_overwritten_and_nothing_to_learn_is_said(shop, config, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(GraphRecError, match="is not a graphrec clip"):
        fit_clip([shop], config, tmp_path / "mine")
    catalogue = shop.catalogue
    empty = replace(shop, catalogue=replace(catalogue, image=np.full(70, "", dtype=object)))
    with pytest.raises(GraphRecError, match="No item of colours has both a picture and a text"):
        fit_clip([empty], config, tmp_path / "clip")


def test_other_kinds_of_models_are_trained_and_read_back_too(shop, config, tiny, tmp_path):
    """A text tower of its own (as SigLIP has, with its bias), and a ResNet, whose running means are no parameters."""
    folder = Path(tiny.model.removeprefix("local-dir:"))
    for name in ("siglip", "resnet"):
        about = json.loads((folder / "open_clip_config.json").read_text())
        if name == "siglip":
            about["model_cfg"] |= {"custom_text": True, "init_logit_bias": -10.0, "init_logit_scale": 2.3}
        else:
            about["model_cfg"]["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8}
        (tmp_path / name).mkdir()
        (tmp_path / name / "open_clip_config.json").write_text(json.dumps(about))
        start = parse_clip(str(tmp_path / name))
        one = config.model_copy(update={"clip": start, "half_precision": False})
        fit_clip([shop], one, tmp_path / "alone")
        out = tmp_path / f"{name}-fitted"
        with pytest.raises(KeyboardInterrupt):
            fit_clip([shop], one, out, progress=stop_after(2))
        fit_clip([shop], one, out)
        assert is_same(weights(tmp_path / "alone"), weights(out))
        assert ClipEncoder(parse_clip(str(out))).encode_texts(["red"]).shape == (1, 16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_learns_in_mixed_precision_and_goes_on(shop, config, tmp_path):
    config = changed(config, epochs=40)
    with pytest.raises(KeyboardInterrupt):
        fit_clip([shop], config, tmp_path / "clip", "cuda", progress=stop_after(5))
    report = fit_clip([shop], config, tmp_path / "clip", "cuda")
    assert report.summary.resumed_at == 5
    assert report.after["title"].image_to_text.recall[5] > 0.9
