"""A fit that is stopped anywhere and called again ends as one that was left alone, bit for bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from graphrec.models import checkpoint, graph_model, masked_search, training
from graphrec.models.checkpoint import Checkpoint, remove_checkpoint, training_key
from graphrec.models.graph_model import fit_graph_model


class Killed(BaseException):
    """Passes through `except Exception`, as a kill does."""


@pytest.fixture(autouse=True)
def after_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "LARGEST_SHARE", 1.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint.safetensors"


@pytest.fixture
def fit(taste_world, small_config):
    def fitted(path=None, config=small_config, seed=0, blocks=taste_world.blocks, say=lambda line: None):
        return fit_graph_model(taste_world.split.train, blocks, config, seed, checkpoint_path=path, say=say)

    return fitted


@pytest.fixture
def kill_after(monkeypatch):
    """Let a fit live for so many checkpoints (None: for ever)."""
    write = Checkpoint._write

    def arm(num_writes):
        left = [num_writes]

        def dying(self, saved):
            write(self, saved)
            if left[0] is not None:
                left[0] -= 1
                if left[0] == 0:
                    raise Killed

        monkeypatch.setattr(Checkpoint, "_write", dying)

    return arm


def assert_same(one, other):
    for name in ("served_ID", "content_ID", "graph_ID"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.encoded.q_UD, other.encoded.q_UD)
    np.testing.assert_array_equal(one.encoded.states_LID, other.encoded.states_LID)
    for name, tensor in one.encoder.state_dict().items():
        assert torch.equal(tensor, other.encoder.state_dict()[name]), name
    assert one.choices == other.choices


def with_training(config, **changes: Any):
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fit_killed_after_each_of_its_checkpoints_ends_like_one_left_alone(
    fit, path, kill_after, small_config, workers
):
    config = with_training(small_config, workers=workers, uniform_negatives=1)
    alone = fit(config=config)
    said, lives = [], 0
    while True:
        lives += 1
        kill_after(1)
        try:
            resumed = fit(path, config=config, say=said.append)
        except Killed:
            continue
        break
    assert_same(resumed, alone)
    # Four epochs of the search, the choices, and an epoch at a time of the training on everything.
    assert lives == 4 + 1 + alone.choices.epochs + 1
    places = [line.removeprefix("Resuming ").partition(" (")[0] for line in said]
    final = [f"from epoch {epoch + 1} of the training on everything" for epoch in range(alone.choices.epochs)]
    assert places == [
        *(f"from epoch {epoch} of the search" for epoch in (2, 3, 4)),
        "at the end of the search",
        *final,
        "at the end of the training on everything",
    ]
    assert all(str(path) in line for line in said)


@pytest.mark.parametrize("step", [7, 12, 26])
def test_a_fit_killed_within_an_epoch_goes_on_from_its_beginning(fit, path, monkeypatch, step):
    """Four steps an epoch: in the second epoch, the third, and the training on everything."""
    loss, steps = training._loss, []

    def dying(*arguments: Any):
        steps.append(1)
        if len(steps) == step:
            raise Killed
        return loss(*arguments)

    monkeypatch.setattr(training, "_loss", dying)
    with pytest.raises(Killed):
        fit(path)
    said: list[str] = []
    assert_same(fit(path, say=said.append), fit())
    assert len(said) == 1


def test_a_fit_killed_while_it_tunes_searches_no_further(fit, path, monkeypatch):
    tune_kernel_head = masked_search.tune_kernel_head

    def dying(*_: object):
        raise Killed

    monkeypatch.setattr(masked_search, "tune_kernel_head", dying)
    with pytest.raises(Killed):
        fit(path)
    monkeypatch.setattr(masked_search, "tune_kernel_head", tune_kernel_head)
    said: list[str] = []
    resumed = fit(path, say=said.append)
    assert_same(resumed, fit())
    assert said == [f"Resuming at the end of the search ({path})."]


def test_a_search_that_stops_early_stops_there_again(fit, path, kill_after, small_config, monkeypatch):
    falling = [0.5, 0.4, 0.3, 0.2, *[0.1] * 100]
    config = with_training(small_config, patience=2)

    def judged_by_a_list(self, *_: object):
        return falling[min(len(self.ndcg_by_epoch), 99)]

    monkeypatch.setattr(graph_model.MaskedSearch, "_ndcg", judged_by_a_list)
    alone = fit(config=config)
    assert alone.choices.ndcg_by_epoch == (0.5, 0.4, 0.3)
    kill_after(3)
    with pytest.raises(Killed):
        fit(path, config=config)
    kill_after(None)
    assert_same(fit(path, config=config), alone)


@pytest.mark.parametrize("what", ["seed", "setting", "features"])
def test_the_checkpoint_of_another_fit_is_not_used(fit, path, kill_after, taste_world, small_config, what):
    blocks = taste_world.blocks
    changed = blocks.x_IF.copy()
    changed[3, 0] += 1e-6
    other: dict[str, Any] = {
        "seed": {"seed": 1},
        "setting": {"config": with_training(small_config, temperature=0.3)},
        "features": {"blocks": type(blocks)(changed, blocks.columns)},
    }[what]
    kill_after(2)
    with pytest.raises(Killed):
        fit(path)
    kill_after(None)
    said: list[str] = []
    assert_same(fit(path, say=said.append, **other), fit(**other))
    assert said == [f"{path} is of other data, settings or versions: not used, and replaced."]


def test_other_interactions_are_another_fit(taste_world, small_config):
    train = taste_world.split.train
    fewer = replace(train, interactions=train.interactions.take(slice(1, None)))
    keys = {training_key(data, taste_world.blocks, small_config, 0, "cpu") for data in (train, fewer)}
    assert len(keys) == 2


def test_another_target_site_is_another_fit(taste_world, small_config):
    train = taste_world.split.train
    datasets = [replace(train, target_site=site) for site in (None, "east", "west")]
    assert len({training_key(data, taste_world.blocks, small_config, 0, "cpu") for data in datasets}) == 3


@pytest.mark.parametrize("damage", ["cut", "empty", "no checkpoint", "folder"])
def test_a_damaged_file_is_said_so_and_not_used(fit, path, kill_after, damage):
    kill_after(2)
    with pytest.raises(Killed):
        fit(path)
    kill_after(None)
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes({"cut": content[:-7], "empty": b"", "no checkpoint": b"something else" * 20}[damage])
    said: list[str] = []
    assert_same(fit(path, say=said.append), fit())
    assert said[0] == f"{path} cannot be read: not used, and replaced."


def test_a_place_that_cannot_be_written_to_does_not_stop_the_fit(fit, tmp_path):
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    assert_same(fit(tmp_path / "file" / "checkpoint", say=said.append), fit())
    (line,) = said
    assert "cannot be written" in line
    assert "cannot be resumed here" in line


def test_a_quick_fit_writes_at_the_end_of_its_stages_alone(fit, path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 1000.0)
    written = []
    write = Checkpoint._write
    monkeypatch.setattr(
        Checkpoint, "_write", lambda self, saved: written.append((saved.stage, saved.epoch)) or write(self, saved)
    )
    model = fit(path)
    everything = "the training on everything"
    assert written == [("the search", 4), (everything, 0), (everything, model.choices.epochs)]


def test_writing_takes_no_more_than_its_share(fit, path, monkeypatch):
    """An epoch takes a second, a checkpoint three: that is a quarter of the time when nine epochs lie between two."""
    monkeypatch.setattr(checkpoint, "LARGEST_SHARE", 0.25)
    now, written = [0.0], []
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    save_file = checkpoint.save_file

    def slow(*arguments: Any):
        now[0] += 3
        save_file(*arguments)

    monkeypatch.setattr(checkpoint, "save_file", slow)
    kept = Checkpoint(path, "key")
    for epoch in range(1, 31):
        now[0] += 1
        before = now[0]
        kept.keep("the search", epoch, False, {})
        if now[0] > before:
            written.append(epoch)
    assert written == [1, 10, 19, 28]


def test_the_file_is_replaced_as_a_whole_and_removed_with_what_was_left_beside_it(path):
    Checkpoint(path, "key").keep("the search", 1, True, {})
    with safe_open(path, framework="pt") as file:
        assert file.metadata()
    (path.parent / "plain").touch()
    assert path.stat().st_mode == (path.parent / "plain").stat().st_mode
    (path.parent / "plain").unlink()
    left = path.parent / f".{path.name}.writing-0123"  # of a process that was killed while it wrote
    left.mkdir()
    (left / ".tmp").write_text("half")
    Checkpoint(path, "key").keep("the search", 2, True, {})
    assert list(path.parent.iterdir()) == [path]
    left.mkdir()
    remove_checkpoint(path)
    remove_checkpoint(path)
    assert list(path.parent.iterdir()) == []


def test_a_checkpoint_of_another_fit_is_not_removed_with_ones_own(path):
    Checkpoint(path, "another's").keep("the search", 1, True, {})
    before = path.read_bytes()
    remove_checkpoint(path, "mine")
    assert path.read_bytes() == before
    remove_checkpoint(path, "another's")
    assert not path.exists()
    remove_checkpoint(path, "mine")  # none there
    path.write_text("no checkpoint")
    remove_checkpoint(path, "mine")
    assert path.exists()
    remove_checkpoint(path)  # whoever it is of
    assert not path.exists()
