import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from graphrec.cli import app
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features import content_encoder
from graphrec.features.catalogue_vectors import Shard
from graphrec.features.clip import ClipConfig
from graphrec.features.encode_catalogue import encode_catalogue
from graphrec.features.extract import FeaturesConfig, extract_features
from graphrec.features.segments import segment_paths
from graphrec.recommender import Recommender
from graphrec.search import query_encoder

CONFIG = ClipConfig(batch_size=4)
NUM_ITEMS = 40
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
"""Another number of threads rounds otherwise."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """40 items: shared pictures, two missing, one damaged, an empty text, texts of which three are over-long."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = ["item_id,title,description,image"]
    for number in range(NUM_ITEMS):
        image = f"images/{number % 36:02}.png"
        if number not in (7, 8):
            pixels = rng.integers(0, 256, size=(40, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / image)
        description = "word " * 80 if number in (2, 3, 5) else f"number {number}"
        title = f"title {number}" if number != 9 else ""
        rows.append(f"{number:05},{title},{description if number != 9 else ''},{image}")
    (folder / "images" / "11.png").write_bytes((folder / "images" / "12.png").read_bytes()[:700])
    (folder / "items.csv").write_text("\n".join(rows) + "\n")
    (folder / "interactions.csv").write_text("user_id,item_id\n" + "".join(f"u{n},{n:05}\n" for n in range(20)))
    return folder


@pytest.fixture(scope="module")
def dataset(shop):
    return Dataset.load(shop)


@pytest.fixture(scope="module")
def expected(dataset):
    """The modalities without any cache."""
    features = extract_features(dataset, np.arange(NUM_ITEMS) < 20, FeaturesConfig(clip=CONFIG, use=("image", "text")))
    return features.modalities


def features_from(cache, dataset):
    config = FeaturesConfig(clip=CONFIG, use=("image", "text"))
    return extract_features(dataset, np.arange(NUM_ITEMS) < 20, config, cache=cache)


def assert_equal(modalities, expected):
    for name in ("image", "text"):
        np.testing.assert_array_equal(modalities[name].x_IF, expected[name].x_IF)
        np.testing.assert_array_equal(modalities[name].present_I, expected[name].present_I)


def keys_in(cache):
    return {
        bytes(key).ljust(32, b"\0")
        for folder in cache.glob("*-*")
        for path in segment_paths(folder)
        for key in np.load(path, allow_pickle=False)["key"]
    }


def test_a_report_says_what_was_cached_encoded_failed_and_cut(dataset, tmp_path):
    for cached in (False, True):
        report = encode_catalogue(dataset, CONFIG, tmp_path / "cache")
        image, text = report.kinds["image"], report.kinds["text"]
        assert (image.cached, image.encoded) == ((33, 0) if cached else (0, 33))
        assert {failure.reason: (failure.count, failure.example) for failure in image.failed} == {
            "missing": (2, "images/07.png"),
            "damaged picture": (1, "images/11.png"),
        }
        assert image.items == 37
        assert (text.cached, text.encoded) == ((39, 0) if cached else (0, 39))
        assert (text.items, text.cut, text.failed) == (39, 3, ())
        assert report.notes == ["3 texts are longer than the 48 tokens that the model reads, and the rest was cut."]
        assert report.model_loaded is not cached


def test_training_finds_the_vectors_and_loads_no_clip(dataset, expected, tmp_path, monkeypatch):
    encode_catalogue(dataset, CONFIG, tmp_path / "cache")
    monkeypatch.setattr(content_encoder, "ClipEncoder", lambda *given: pytest.fail("loaded"))
    features = features_from(tmp_path / "cache", dataset)
    assert_equal(features.modalities, expected)
    assert any("3 texts are longer than the 48 tokens" in note for note in features.notes)


def test_a_second_training_loads_no_clip_and_gives_the_same(small_dataset, quick_config, fitted, tmp_path, monkeypatch):
    first = Recommender(quick_config, "cpu", tmp_path / "cache").fit(small_dataset)
    for module in (content_encoder, query_encoder):
        monkeypatch.setattr(module, "ClipEncoder", lambda *given: pytest.fail("loaded"))
    second = Recommender(quick_config, "cpu", tmp_path / "cache").fit(small_dataset)
    assert second.version == first.version
    assert_equal(second.features_.modalities, fitted.features_.modalities)


def test_shards_cover_everything_once_and_meet_in_the_cache(dataset, expected, tmp_path):
    parts = []
    for index in range(3):
        report = encode_catalogue(dataset, CONFIG, tmp_path / str(index), shard=Shard(index, 3))
        parts.append(keys_in(tmp_path / str(index)))
        assert report.kinds["image"].encoded + report.kinds["text"].encoded == len(parts[-1]) > 5
    encode_catalogue(dataset, CONFIG, tmp_path / "whole")
    whole = keys_in(tmp_path / "whole")
    assert set.union(*parts) == whole
    assert sum(map(len, parts)) == len(whole)
    others = [tmp_path / str(index) for index in (1, 2)]
    report = encode_catalogue(dataset, CONFIG, tmp_path / "0", other_caches=others)
    assert (report.kinds["image"].encoded, report.kinds["text"].encoded, report.model_loaded) == (0, 0, False)
    assert report.taken_over == len(parts[1]) + len(parts[2])
    assert_equal(features_from(tmp_path / "0", dataset).modalities, expected)


def test_a_shard_depends_on_names_alone():
    names = [f"images/{number}.jpg" for number in range(500)]
    held = [Shard(index, 4).holds(names) for index in range(4)]
    assert (np.sum(held, axis=0) == 1).all()
    np.testing.assert_array_equal(held[2][::-1], Shard(2, 4).holds(names[::-1]))
    assert min(part.sum() for part in held) > 80
    assert Shard.parse("2/4") == Shard(2, 4)
    for wrong in ("4/4", "1", "a/b", "-1/4", "0/0", "1/", ""):
        with pytest.raises(GraphRecError, match="Expected a shard as i/N"):
            Shard.parse(wrong)


def test_the_files_are_own_vectors_for_a_dataset(dataset, shop, expected, tmp_path):
    encode_catalogue(dataset, CONFIG, None, out=tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["kind"], manifest["about"]["dtype"]) == ("vectors", "float32")
    assert manifest["about"]["items"] == {"image": 37, "text": 39}
    own = shutil.copytree(shop, tmp_path / "own")
    shutil.copytree(tmp_path / "out", own / "vectors")
    described = {kind: {"file": f"vectors/{kind}.npy", "ids": f"vectors/{kind}_ids.csv"} for kind in ("image", "text")}
    (own / "dataset.yaml").write_text(yaml.safe_dump({"vectors": described}))
    features = extract_features(Dataset.load(own), np.arange(NUM_ITEMS) < 20, FeaturesConfig(use=("image", "text")))
    assert_equal(features.modalities, expected)


def test_a_damaged_segment_is_named_in_the_report_and_in_the_notes(dataset, expected, tmp_path):
    encode_catalogue(dataset, CONFIG, tmp_path / "cache")
    (folder,) = (tmp_path / "cache").glob("image-*")
    (segment,) = segment_paths(folder)
    segment.write_bytes(segment.read_bytes()[:-1])
    features = features_from(tmp_path / "cache", dataset)
    assert_equal(features.modalities, expected)
    assert any(segment.name in note and "was damaged" in note for note in features.notes)
    segment.write_bytes(segment.read_bytes()[:-1])
    report = encode_catalogue(dataset, CONFIG, tmp_path / "cache")
    assert any(segment.name in note for note in report.notes)


_ENCODE = """
import sys, time
from pathlib import Path
from graphrec.data.dataset import Dataset
from graphrec.features import vector_cache
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.encode_catalogue import encode_catalogue
import graphrec.features.content_encoder as content_encoder
vector_cache.FLUSH_SECONDS = 0.0
log = open(sys.argv[3], "a")
add = vector_cache.VectorCache.add
def logged(self, key_N, *rest):
    for key in key_N:
        log.write(bytes(key).ljust(32, b"\\0").hex() + "\\n")
    log.flush()
    time.sleep(0.02)  # so that a kill falls between writing and flushing, too
    add(self, key_N, *rest)
vector_cache.VectorCache.add = logged
print("ready", flush=True)
encode_catalogue(Dataset.load(sys.argv[1]), ClipConfig(batch_size=4), Path(sys.argv[2]))
"""


def _killed_again_and_again(shop, tmp_path, num_kills, rng):
    """Start, kill after a random while, look at what was flushed, and so on; what is flushed is never encoded again."""
    cache, log = tmp_path / "cache", tmp_path / "log"
    for kill in range(num_kills + 1):
        known = keys_in(cache)
        log.write_text("")
        command = [sys.executable, "-c", _ENCODE, str(shop), str(cache), str(log)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=ONE_THREAD) as process:
            process.stdout.readline()
            if kill < num_kills:
                until = time.monotonic() + 20
                wanted = rng.randrange(0, 60)
                while log.stat().st_size < 65 * wanted and time.monotonic() < until and process.poll() is None:
                    time.sleep(0.001)
                time.sleep(rng.random() * 0.05)
                process.send_signal(signal.SIGKILL)
            process.wait()
        again = {bytes.fromhex(line) for line in log.read_text().split("\n") if len(line) == 64}
        assert not again & known
    assert process.returncode == 0
    return cache


def test_what_was_flushed_before_a_kill_is_never_encoded_again(shop, dataset, expected, tmp_path):
    cache = _killed_again_and_again(shop, tmp_path, 1, random.Random(1))
    assert_equal(features_from(cache, dataset).modalities, expected)


@pytest.mark.slow
def test_killed_at_twenty_random_points(shop, dataset, expected, tmp_path):
    for round_ in range(4):
        cache = _killed_again_and_again(shop, tmp_path / str(round_), 5, random.Random(round_))
        assert_equal(features_from(cache, dataset).modalities, expected)


@pytest.mark.slow
def test_two_processes_at_once_give_what_one_gives(shop, dataset, expected, tmp_path):
    commands = [[sys.executable, "-c", _ENCODE, str(shop), str(tmp_path / "cache"), str(tmp_path / n)] for n in "ab"]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ONE_THREAD) for command in commands]
    assert [process.wait(timeout=600) for process in processes] == [0, 0]
    assert_equal(features_from(tmp_path / "cache", dataset).modalities, expected)


def test_a_merge_of_another_models_cache_is_refused_before_anything_is_encoded(dataset, tmp_path):
    (tmp_path / "empty").mkdir()
    of_another_model = tmp_path / "other" / "image-0123"
    of_another_model.mkdir(parents=True)
    (of_another_model / f"{'0' * 64}.npy").touch()
    encode_catalogue(dataset, CONFIG, tmp_path / "good", shard=Shard(0, 3))
    for wrong in ("empty", "other"):
        with pytest.raises(
            GraphRecError, match=f"{wrong} holds no vectors of CLIP small.*another --clip, or the wrong"
        ):
            encode_catalogue(dataset, CONFIG, tmp_path / "cache", other_caches=[tmp_path / "good", tmp_path / wrong])
    assert keys_in(tmp_path / "cache") == set()
    assert encode_catalogue(dataset, CONFIG, tmp_path / "cache", other_caches=[tmp_path / "good"]).taken_over > 0


def test_a_damaged_segment_of_another_cache_is_named_in_the_report(dataset, tmp_path):
    encode_catalogue(dataset, CONFIG, tmp_path / "other")
    (folder,) = (tmp_path / "other").glob("image-*")
    (segment,) = segment_paths(folder)
    segment.write_bytes(segment.read_bytes()[:-1])
    report = encode_catalogue(dataset, CONFIG, tmp_path / "cache", other_caches=[tmp_path / "other"])
    assert (report.taken_over, report.kinds["image"].encoded) == (39, 33)
    assert [segment.name in one for one in report.damaged] == [True]


def test_the_printed_yaml_is_yaml_wherever_the_folder_is(shop, tmp_path):
    out = tmp_path / 'a: b, {c} #d "e" [f] é 🙂 :dog:'
    arguments = ["encode", str(shop), "--cache", str(tmp_path / "cache"), "--out", str(out)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    snippet = yaml.safe_load(shown.stdout[shown.stdout.index("\nvectors:") :])
    assert snippet["vectors"]["text"] == {"file": str(out / "text.npy"), "ids": str(out / "text_ids.csv")}


def test_the_command_reports_in_a_table_and_as_json(shop, tmp_path):
    arguments = ["encode", str(shop), "--cache", str(tmp_path / "cache"), "--batch-size", "4"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "image: 2 × missing, such as images/07.png" in shown.stdout
    assert "3 texts are longer than the 48 tokens" in shown.stdout
    assert f"The vectors lie in {tmp_path}" in shown.stdout.replace("\n", "")
    again = CliRunner().invoke(app, [*arguments, "--json"])
    report = json.loads(again.stdout)
    assert (report["kinds"]["image"]["cached"], report["kinds"]["image"]["encoded"]) == (33, 0)
    assert report["model_loaded"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "3/3"], "Expected a shard as i/N"),
        (["--shard", "0/3", "--out", "out"], "run all shards, then encode with --out alone"),
        (["--shard", "0/3", "--no-cache"], "Shards meet in the cache"),
        (["--merge", "nowhere"], "There is no cache at nowhere"),
        (["--clip", "ViT-B32"], "did you mean"),
        (["--clip", "ViT-B-32:nowhere.pt"], "does not exist"),
    ],
)
def test_mistakes_are_told_in_one_line(shop, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["encode", str(shop), *options])
    assert isinstance(result.exception, GraphRecError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_catalogue_without_pictures_and_texts_is_told(shop, tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title,price\n1,,3\n2,,4\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id\nu,1\n")
    with pytest.raises(GraphRecError, match="has a picture or a text to encode"):
        encode_catalogue(Dataset.load(tmp_path), CONFIG, tmp_path / "cache")
