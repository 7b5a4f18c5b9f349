"""Settings come from code, a file and --set, in this order; what is wrong is told in one line."""

from datetime import datetime
from pathlib import Path

import pytest
import yaml

from graphrec.config import GraphRecConfig
from graphrec.errors import GraphRecError

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))


def load_error(path=None, overrides=()):
    with pytest.raises(GraphRecError) as caught:
        GraphRecConfig.load(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(folder, text):
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_sets_what_it_names_and_leaves_the_rest_at_its_default(tmp_path):
    path = written(tmp_path, "seed: 7\nmodel:\n  encoder: {dim: 48, fanouts: [9, 4]}\nhold_out: {cold_items: 0.35}\n")
    config, default = GraphRecConfig.load(path), GraphRecConfig()
    assert (config.seed, config.model.encoder.dim, config.model.encoder.fanouts) == (7, 48, (9, 4))
    assert config.hold_out.cold_items == 0.35
    assert config.hold_out.warm_pairs == default.hold_out.warm_pairs
    assert config.model.training == default.model.training
    assert config.features == default.features


def test_set_wins_over_the_file_and_the_last_set_over_the_first(tmp_path):
    path = written(tmp_path, "seed: 7\nmodel: {encoder: {dim: 48}}\n")
    overrides = ["model.encoder.dim=32", "seed=1", "seed=2", "features.use=[words, attributes]", "index.factory=Flat"]
    config = GraphRecConfig.load(path, overrides)
    assert (config.seed, config.model.encoder.dim) == (2, 32)
    assert config.features.use == ("words", "attributes")
    assert config.index.factory == "Flat"
    assert GraphRecConfig.load(None, ["index.factory=null"]).index.factory is None


@pytest.mark.parametrize("text", ["", "{}", "# nothing but a comment\n"])
def test_an_empty_file_gives_the_defaults(tmp_path, text):
    assert GraphRecConfig.load(written(tmp_path, text)) == GraphRecConfig() == GraphRecConfig.load()


def test_the_resolved_settings_load_as_the_same_settings(tmp_path):
    overrides = ["seed=5", "model.encoder.fanouts=[9, 4]", "features.use=[words]", "model.training.learning_rate=0.01"]
    for config in (GraphRecConfig(), GraphRecConfig.load(None, overrides)):
        assert GraphRecConfig.load(written(tmp_path, config.to_yaml())) == config


def test_the_resolved_settings_name_every_setting():
    plain = yaml.safe_load(GraphRecConfig().to_yaml())
    assert list(plain) == ["seed", "hold_out", "features", "model", "index", "search"]
    assert set(plain["model"]) == {"encoder", "training", "tuning", "raw_dim", "site_dim"}
    assert plain["model"]["encoder"]["dim"] == GraphRecConfig().model.encoder.dim


def test_an_unknown_key_names_its_file_and_the_nearest_known_key(tmp_path):
    path = written(tmp_path, "model:\n  encoder:\n    dims: 3\n")
    message = load_error(path)
    assert message == f"{path}: model.encoder.dims: unknown key, did you mean dim?"
    assert "model.training.max_epoch: unknown key, did you mean max_epochs?" in load_error(
        None, ["model.training.max_epoch=3"]
    )


def test_every_mistake_is_named_at_once(tmp_path):
    message = load_error(written(tmp_path, "sed: 1\nmodel: {encoder: {dim: -4}}\nhold_out: {cold_items: 1}\n"))
    for key in ("sed: unknown key", "model.encoder.dim: expected greater than 0", "hold_out.cold_items: expected less"):
        assert key in message


def test_a_wrong_type_says_what_was_expected_and_what_was_given():
    message = load_error(None, ["model.encoder.dim=big"])
    assert "model.encoder.dim" in message
    assert "integer" in message
    assert "'big'" in message
    assert "seed" in load_error(None, ["seed.inner=1"])
    assert "seed is a value" in load_error(None, ["seed=1", "seed.inner=1"])


@pytest.mark.parametrize(
    ("text", "part"), [("- seed\n", "got list"), ("seed\n", "got str"), ("seed: [1\n", "not valid YAML")]
)
def test_a_file_that_is_no_mapping_is_told_in_one_line(tmp_path, text, part):
    path = written(tmp_path, text)
    message = load_error(path)
    assert message.startswith(f"{path}: ")
    assert part in message


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert str(tmp_path / "none.yaml") in load_error(tmp_path / "none.yaml")
    assert str(tmp_path) in load_error(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xff\n")
    assert "latin.yaml" in load_error(tmp_path / "latin.yaml")


@pytest.mark.parametrize("override", ["seed", "=3", "", "seed=[1"])
def test_set_without_key_and_value_is_told_in_one_line(override):
    assert load_error(None, [override]).startswith(f"--set {override}:")


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        GraphRecConfig().seed = 3


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_example_is_valid(path):
    GraphRecConfig.load(path)


def test_the_example_of_the_defaults_holds_the_defaults():
    path = next((path for path in CONFIGS if path.name == "default.yaml"), None)
    if path is None:
        pytest.skip("no configs/default.yaml")
    assert GraphRecConfig.load(path) == GraphRecConfig()
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == GraphRecConfig().model_dump(mode="json")


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = written(tmp_path, "model:\n  encoder: {dim: 8}\nseed: 1\nmodel: {}\n")
    assert "key 'model' stands twice" in load_error(path)


def test_a_mistake_is_blamed_on_the_place_where_it_stands(tmp_path):
    path = written(tmp_path, "seed: 1\n")
    assert load_error(path, ["seeed=3"]) == "--set: seeed: unknown key, did you mean seed?"
    assert load_error(written(tmp_path, "seeed: 1\n"), ["seed=3"]).startswith(f"{path}: seeed")


def test_a_missing_file_is_told_in_words(tmp_path):
    assert load_error(tmp_path / "none.yaml") == f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory."


def test_a_date_is_for_a_hold_out_by_time_alone(tmp_path):
    path = written(tmp_path, "hold_out: {by: time, date: 2024-05-31}\n")
    assert GraphRecConfig.load(path).hold_out.date == datetime(2024, 5, 31)
    assert GraphRecConfig.load(written(tmp_path, GraphRecConfig.load(path).to_yaml())) == GraphRecConfig.load(path)
    message = load_error(None, ["hold_out.date=2024-05-31"])
    assert message == "--set: hold_out: a date holds out by time: write by=time beside it, not by=auto."
    with pytest.raises(GraphRecError, match="by=time beside it, not by=users"):
        GraphRecConfig.load(path).with_hold_out(by="users")
    assert GraphRecConfig().with_hold_out(by="users").hold_out.by == "users"


@pytest.mark.parametrize("factory", ["Flatt", "IVF", "LSH", ""])  # LSH knows no inner product
def test_an_index_that_cannot_be_built_is_refused_before_anything_is_trained(factory):
    message = load_error(None, [f"index.factory='{factory}'"])
    assert message.startswith(f"--set: index.factory: FAISS cannot build {factory!r} (")


@pytest.mark.parametrize(
    "factory", ["Flat", "HNSW32,Flat", "IVF64,PQ16", "OPQ16_64,IVF64,PQ16x4fs", "PCA80,SQ8", "PQ5"]
)
def test_an_index_that_some_vectors_allow_is_taken(factory):
    assert GraphRecConfig.load(None, [f"index.factory='{factory}'"]).index.factory == factory
