import json
import shutil
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from graphrec.errors import GraphRecError
from graphrec.features import content_encoder
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.clip_loading import SMALL_FOLDER, load_clip
from graphrec.features.content_encoder import ContentEncoder
from graphrec.features.decoding import decoding_threads, in_order
from graphrec.features.preprocessing import BatchedPreprocess
from graphrec.features.segments import segment_paths

NUM_PICTURES = 23
TEXTS = [f"a {colour} {kind}" for colour in ("red", "green", "blue") for kind in ("dress", "shirt", "shoe", "bag")]
CONFIG = ClipConfig(batch_size=4, decode_threads=2)


@pytest.fixture(scope="module")
def clip():
    return ClipEncoder(CONFIG)


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(3)
    folder = tmp_path / "pictures"
    folder.mkdir()
    found = [folder / f"{number}.png" for number in range(NUM_PICTURES)]
    for path in found:
        Image.fromarray(rng.integers(0, 256, size=(40, 30, 3), dtype=np.uint8)).save(path)
    return found


@pytest.fixture
def model_folder(tmp_path):
    return shutil.copytree(SMALL_FOLDER, tmp_path / "model")


def test_vectors_are_those_of_the_model_in_the_order_asked_for(clip, paths):
    encoder = ContentEncoder(CONFIG, clip=clip)
    x_ND, present_N = encoder.encode_images(paths).take()
    expected_ND, _, _ = clip.encode_images(paths)
    np.testing.assert_allclose(x_ND, expected_ND, atol=1e-5)
    assert present_N.all()
    x_ND, present_N = encoder.encode_texts(TEXTS).take()
    np.testing.assert_allclose(x_ND, clip.encode_texts(TEXTS), atol=1e-5)
    assert present_N.all()


@pytest.mark.parametrize("seed", range(4))
def test_bits_do_not_depend_on_what_was_in_the_cache(clip, paths, tmp_path, seed):
    rng = np.random.default_rng(seed)
    plain = ContentEncoder(CONFIG, clip=clip)
    expected = [plain.encode_images(paths).take()[0], plain.encode_texts(TEXTS).take()[0]]
    for part in np.array_split(rng.permutation(NUM_PICTURES), 3)[:2]:  # of another order, in other batches
        encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip)
        encoder.encode_images([paths[number] for number in part], num_in_all=NUM_PICTURES)
        encoder.encode_texts([TEXTS[number % len(TEXTS)] for number in part], num_in_all=NUM_PICTURES)
    encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip)
    for _ in range(2):
        images, texts = encoder.encode_images(paths), encoder.encode_texts(TEXTS)
        np.testing.assert_array_equal(images.take()[0], expected[0])
        np.testing.assert_array_equal(texts.take()[0], expected[1])
    assert (images.num_cached, images.num_encoded) == (NUM_PICTURES, 0)


def test_every_batch_has_the_same_number_of_rows(clip, paths, monkeypatch):
    sizes = []
    original = clip.encode_batch_of_pictures
    monkeypatch.setattr(
        clip, "encode_batch_of_pictures", lambda pictures: sizes.append(len(pictures)) or original(pictures)
    )
    ContentEncoder(CONFIG, clip=clip).encode_images(paths)
    assert sizes == [4] * 6
    ContentEncoder(CONFIG, clip=clip).encode_images(paths[:2])  # a new item alone costs no batch of strangers
    assert sizes[6:] == [2]


def test_equal_files_are_encoded_once_and_broken_ones_are_named(clip, paths, tmp_path):
    folder = paths[0].parent
    copies = [folder / f"copy-{number}.png" for number in range(9)]
    for path in copies:
        shutil.copy(paths[0], path)
    (folder / "cut.png").write_bytes(paths[1].read_bytes()[:500])
    asked = [*copies, folder / "nowhere.png", paths[1], folder / "cut.png", paths[0]]
    found = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip).encode_images(asked)
    assert (found.num_cached, found.num_encoded) == (0, 2)
    assert found.problems == {9: "missing", 11: "damaged picture"}
    x_ND, present_N = found.take()
    assert np.flatnonzero(~present_N).tolist() == [9, 11]
    assert not x_ND[~present_N].any()
    for row in range(9):
        np.testing.assert_array_equal(x_ND[row], x_ND[12])
    assert not np.allclose(x_ND[10], x_ND[12], atol=1e-3)


def test_the_model_is_loaded_only_where_something_is_new(paths, tmp_path, monkeypatch):
    loads = []
    monkeypatch.setattr(content_encoder, "ClipEncoder", lambda *given: loads.append(given) or ClipEncoder(*given))
    first = ContentEncoder(CONFIG, cache=tmp_path / "cache")
    first.encode_images(paths)
    first.encode_texts(TEXTS)
    assert len(loads) == 1
    (paths[0].parent / "cut.png").write_bytes(paths[1].read_bytes()[:500])
    second = ContentEncoder(CONFIG, cache=tmp_path / "cache")
    images = second.encode_images([*paths, paths[0].parent / "cut.png"])
    second.encode_texts(TEXTS)
    assert images.problems == {NUM_PICTURES: "damaged picture"}
    assert (len(loads), second.is_loaded) == (1, False)
    ContentEncoder(CONFIG, cache=tmp_path / "cache").encode_texts([*TEXTS, "something new"])
    assert len(loads) == 2


def test_a_changed_picture_is_encoded_again_and_the_old_one_is_still_known(clip, paths, tmp_path):
    encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip)
    encoder.encode_images(paths)
    before = paths[5].read_bytes()
    Image.new("RGB", (30, 30), "red").save(paths[5])
    assert encoder.encode_images(paths).num_encoded == 1
    paths[5].write_bytes(before)
    assert encoder.encode_images(paths).num_encoded == 0


def _change_weights(folder):
    file = folder / "open_clip_model.safetensors"
    state = load_file(file)
    towers = {name: tensor * 1.01 for name, tensor in state.items() if tensor.is_floating_point()}
    save_file(state | towers, file)


def _change_config(folder, change):
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "images_again", "texts_again"),
    [
        (lambda folder: None, False, False),
        (_change_weights, True, True),
        (lambda f: _change_config(f, lambda c: c["preprocess_cfg"].update(mean=[0.1, 0.1, 0.1])), True, False),
        (lambda f: _change_config(f, lambda c: c["preprocess_cfg"].update(resize_mode="longest")), True, False),
        (lambda f: (f / "notes.txt").write_text("looked at it"), False, False),
    ],
    ids=["nothing", "weights", "mean", "resizing", "another file"],
)
def test_another_model_or_preprocessing_is_another_cache(
    paths, tmp_path, model_folder, change, images_again, texts_again
):
    config = CONFIG.model_copy(update={"model": f"local-dir:{model_folder}"})
    encoder = ContentEncoder(config, cache=tmp_path / "cache")
    before = encoder.encode_images(paths[:5]).take()[0], encoder.encode_texts(TEXTS).take()[0]
    change(model_folder)
    again = ContentEncoder(config, cache=tmp_path / "cache")
    images, texts = again.encode_images(paths[:5]), again.encode_texts(TEXTS)
    assert (images.num_encoded > 0, texts.num_encoded > 0) == (images_again, texts_again)
    assert np.array_equal(images.take()[0], before[0]) is not images_again
    plain = ContentEncoder(config)
    np.testing.assert_array_equal(images.take()[0], plain.encode_images(paths[:5]).take()[0])
    np.testing.assert_array_equal(texts.take()[0], plain.encode_texts(TEXTS).take()[0])


def test_the_same_files_elsewhere_are_the_same_model(paths, tmp_path, model_folder):
    ContentEncoder(
        CONFIG.model_copy(update={"model": f"local-dir:{model_folder}"}), cache=tmp_path / "cache"
    ).encode_images(paths[:3])
    moved = shutil.move(model_folder, tmp_path / "moved")
    encoder = ContentEncoder(CONFIG.model_copy(update={"model": f"local-dir:{moved}"}), cache=tmp_path / "cache")
    assert (encoder.encode_images(paths[:3]).num_encoded, encoder.is_loaded) == (0, False)


def test_a_damaged_memory_of_the_model_costs_a_loading_and_no_more(paths, tmp_path):
    ContentEncoder(CONFIG, cache=tmp_path / "cache").encode_images(paths[:3])
    (memo,) = (tmp_path / "cache" / "models").iterdir()
    memo.write_text(memo.read_text()[:20])
    encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache")
    assert (encoder.encode_images(paths[:3]).num_encoded, encoder.is_loaded) == (0, True)
    assert (ContentEncoder(CONFIG, cache=tmp_path / "cache").facts, memo.stat().st_size > 20) == (encoder.facts, True)


def test_over_long_texts_are_counted_by_their_tokens(clip, tmp_path):
    room = clip.num_tokens - 2  # the marks of start and end
    texts = ["dress " * room, "dress " * (room + 1), "dress", "", "ß " * room, "a-b " * room, "dress " * 5 * room]
    expected = [len(clip.loaded.tokenize.encode(text)) > room for text in texts]
    assert expected[:4] == [False, True, False, False]
    assert clip.tokenize(texts)[1].tolist() == expected
    for _ in range(2):  # from the model, then from the cache
        encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache")
        assert encoder.encode_texts(texts).num_cut == sum(expected)
    assert not encoder.is_loaded


def test_an_encode_that_stops_keeps_what_it_had(clip, paths, tmp_path, monkeypatch):
    calls = []

    def until_interrupted(pictures):
        calls.append(len(pictures))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return ClipEncoder.encode_batch_of_pictures(clip, pictures)

    monkeypatch.setattr(clip, "encode_batch_of_pictures", until_interrupted)
    encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode_images(paths)
    assert encoder.encode_images(paths).num_cached == 12


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_encoded(clip, paths, tmp_path, monkeypatch):
    encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip)
    folder = tmp_path / "cache" / f"image-{encoder.facts.image}"
    folder.write_text("in the way")
    monkeypatch.setattr(clip, "encode_batch_of_pictures", lambda pictures: pytest.fail("encoded"))
    with pytest.raises(GraphRecError, match=r"cannot be written \(File exists\): choose another folder with --cache"):
        encoder.encode_images(paths)


def test_a_model_that_cannot_be_loaded_is_told_and_not_taken_for_a_damaged_picture(paths, tmp_path, monkeypatch):
    ContentEncoder(CONFIG, cache=tmp_path / "cache").encode_images(paths[:3])

    def refuse(config, device):
        raise GraphRecError("no such model")

    monkeypatch.setattr(content_encoder, "ClipEncoder", refuse)
    encoder = ContentEncoder(CONFIG, cache=tmp_path / "cache")
    assert encoder.encode_images(paths[:3]).num_cached == 3
    with pytest.raises(GraphRecError, match="no such model"):
        encoder.encode_images(paths)


def test_work_ahead_is_bounded_and_in_order():
    lock, started, most = threading.Lock(), [], []

    def work(number):
        with lock:
            started.append(number)
        time.sleep(0.001 * (number % 3))
        return number * number

    with decoding_threads(3) as pool:
        for done, result in enumerate(in_order(pool, work, range(60), ahead=7)):
            assert result == done * done
            most.append(len(started) - done)
            time.sleep(0.001)
    assert max(most) <= 8  # seven ahead, and the one that was handed out
    assert torch.get_num_threads() == 1


def test_batched_preprocessing_gives_the_bits_of_the_model_s_own(paths):
    loaded = load_clip("small", None, "cpu")
    images = [Image.open(path).convert("RGB") for path in paths]
    expected = torch.stack([loaded.preprocess(image) for image in images])
    batched = BatchedPreprocess(loaded.preprocess)
    pixels = [batched.pixels(image) for image in images]
    assert pixels[0].dtype == torch.uint8
    assert torch.equal(batched.batch(pixels, "cpu"), expected)
    unknown = BatchedPreprocess(lambda image: loaded.preprocess(image))
    assert torch.equal(unknown.batch([unknown.pixels(image) for image in images], "cpu"), expected)


def test_a_whole_catalogue_comes_in_one_file_after_many(clip, paths, tmp_path):
    vectors = ContentEncoder(CONFIG, cache=tmp_path / "cache", clip=clip).encode_images(paths).vectors
    assert len(segment_paths(vectors.folder)) == 1
