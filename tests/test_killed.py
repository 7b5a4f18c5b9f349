"""A process killed anywhere, a full disk, two writers: never half an artifact, never a lost earlier one.

The victims are forked from a server that has the imports done, so that a kill costs no start of Python. Each phase
runs once undisturbed, to know how long it takes; then it is killed with SIGKILL at random points of that time.
"""

import contextlib
import io
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.artifact import read_manifest
from graphrec.cli import main
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset
from graphrec.data.sample_store import SampleStoreConfig, write_sample_store
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig
from graphrec.features.encode_catalogue import encode_catalogue
from graphrec.forgetting.folder import forget_in_folder, traces_in_run
from graphrec.models import checkpoint
from graphrec.recommender import Recommender
from graphrec.workflow import export_run, train_run

TINY = ("model.encoder.dim=4", "model.training.max_epochs=3", "model.tuning.tries=2", "features.use=[attributes]")
STORES = [
    SampleStoreConfig(products_per_site=40, shared_products=20, num_users=users, seed=users) for users in (50, 60)
]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["graphrec.workflow", "graphrec.cli", "graphrec.screen", "open_clip", "pytest"])


@dataclass(frozen=True)
class World:
    """A dataset, a run on it, and the places that the phases write to."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def other_store(self) -> Path:
        return self.folder / "other-store"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def run(self) -> Path:
        return self.folder / "model" / "run"

    @property
    def out(self) -> Path:
        return self.folder / "out" / "latest"


def config(seed: int) -> GraphRecConfig:
    return GraphRecConfig.load(None, [*TINY, f"seed={seed}"])


def train(world: World, seed: int, started: Callable[[], None]) -> None:
    checkpoint.EVERY_SECONDS, checkpoint.LARGEST_SHARE = 0.0, 1.0  # a checkpoint after every epoch
    dataset = Dataset.load(world.store)
    started()
    train_run(dataset, config(seed), world.out, device="cpu")


def save(world: World, seed: int, started: Callable[[], None]) -> None:
    model = Recommender.load(world.run, device="cpu")
    model.config = config(seed)  # what was trained does not matter here, only that two runs can be told apart
    started()
    model.save(world.out)


def export(world: World, seed: int, started: Callable[[], None]) -> None:
    model = Recommender.load(world.run, device="cpu")
    model.version = str(seed)
    started()
    export_run(model, ("parquet", "faiss")[seed % 2], world.out)


def encode(world: World, seed: int, started: Callable[[], None]) -> None:
    dataset = Dataset.load((world.store, world.other_store)[seed % 2])
    started()
    encode_catalogue(dataset, ClipConfig(batch_size=8, decode_threads=1), world.cache, out=world.out)


def forget(world: World, seed: int, started: Callable[[], None]) -> None:
    user = somebody(world, seed)
    started()
    forget_in_folder(world.out, [user], device="cpu")


def somebody(world: World, seed: int) -> str:
    return str(Recommender.load(world.run, device="cpu").train_.user_ids[seed])


PHASES: dict[str, tuple[Callable[..., None], str]] = {
    "train": (train, "run"),
    "save": (save, "run"),
    "export": (export, "export"),
    "encode": (encode, "vectors"),
    "forget": (forget, "run"),
}


def quiet() -> None:
    """One thread; and nothing of the victim reaches the test's own output."""
    import torch

    torch.set_num_threads(1)
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()


def victim(phase: str, world: World, seed: int, pipe: Any) -> None:
    quiet()
    try:
        PHASES[phase][0](world, seed, lambda: pipe.send(None))
    except Exception as error:
        pipe.send(repr(error))
        raise
    pipe.send(time.monotonic())


def run_phase(phase: str, world: World, seed: int, kill_after: float | None = None) -> float | None:
    """Run the phase in a process of its own; its seconds from `started` on, None where it was killed."""
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=victim, args=(phase, world, seed, there))
    process.start()
    there.close()
    here.recv()
    start = time.monotonic()
    if kill_after is not None:
        time.sleep(kill_after)
        process.kill()
    process.join(60)
    if process.exitcode == -signal.SIGKILL:
        return None
    last = here.recv()
    assert process.exitcode == 0, last
    return last - start


def content(world: World, kind: str) -> tuple[dict[str, str], str]:
    """Whatever the artifact holds, once every file was compared with the manifest."""
    manifest = read_manifest(world.out, verify=True, kind=kind)
    return {name: record.sha256 for name, record in manifest.files.items()}, str(manifest.about.get("model_version"))


def beside(world: World) -> list[str]:
    return sorted(path.name for path in world.out.parent.iterdir())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("killed"))
    for folder, settings in zip((made.store, made.other_store), STORES, strict=True):
        write_sample_store(folder, settings)
    train_run(Dataset.load(made.store), config(0), made.run, device="cpu")
    return made


@pytest.fixture
def here(world, tmp_path):
    """The world, with a place of its own to write to."""
    (tmp_path / "store").symlink_to(world.store)
    (tmp_path / "other-store").symlink_to(world.other_store)
    (tmp_path / "model").symlink_to(world.run.parent)
    return World(tmp_path)


def kill_at_random(world: World, phase: str, num_kills: int, seed: int) -> int:
    """Kill the phase at so many points; returns how often it was in time to be killed."""
    kind, whole = PHASES[phase][1], {}
    for seed_of_run in (1, 2):
        duration = run_phase(phase, world, seed_of_run)
        whole[seed_of_run] = content(world, kind)
    assert whole[1] != whole[2]
    old, num_killed = 2, 0
    for delay in np.random.default_rng(seed).uniform(0, 1.05 * duration, num_kills):
        new = 3 - old
        shutil.rmtree(world.cache, ignore_errors=True)  # or there would be nothing to encode
        num_killed += run_phase(phase, world, new, kill_after=delay) is None
        assert content(world, kind) in (whole[old], whole[new]), delay
        run_phase(phase, world, new)  # the same again: for a training, from its checkpoint
        assert content(world, kind) == whole[new], delay
        assert beside(world) == ["latest"], delay
        assert not [path for path in world.cache.rglob("*") if "writing" in path.name or "tmp" in path.name], delay
        old = new
    return num_killed


@pytest.mark.parametrize(("phase", "num_kills"), [("train", 5), ("save", 5), ("export", 5), ("encode", 5)])
def test_a_kill_at_a_random_point_costs_nothing_but_time(here, phase, num_kills):
    assert kill_at_random(here, phase, num_kills, seed=0) >= num_kills // 2  # the check can fail


def forget_under_fire(here: World, num_kills: int) -> int:
    """Kill a forgetting at so many points, then do the rest; returns how often it was in time to be killed."""
    user, num_killed = somebody(here, 4), 0
    shutil.copytree(here.run, here.out)
    whole = content(here, "run")
    duration = run_phase("forget", here, 4)
    without = content(here, "run")
    assert whole != without
    for delay in np.random.default_rng(0).uniform(0, 1.05 * duration, num_kills):
        shutil.rmtree(here.out.parent)
        shutil.copytree(here.run, here.out)
        num_killed += run_phase("forget", here, 4, kill_after=delay) is None
        assert content(here, "run") in (whole, without), delay
        with contextlib.suppress(GraphRecError):  # where it was done but for the tidying up, they are unknown now
            forget_in_folder(here.out, [user], device="cpu")
        assert content(here, "run") == without, delay
        assert beside(here) == ["latest"], delay
        assert traces_in_run(here.out, [user]) == [], delay
    return num_killed


def test_a_kill_while_somebody_is_forgotten_leaves_the_run_whole_and_them_to_be_forgotten(here):
    assert forget_under_fire(here, 5) >= 2


@pytest.mark.slow
def test_many_kills_while_somebody_is_forgotten(here):
    assert forget_under_fire(here, 25) >= 12


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "num_kills"), [("train", 25), ("save", 25), ("export", 25), ("encode", 25)])
def test_a_hundred_kills_cost_nothing_but_time(here, phase, num_kills):
    assert kill_at_random(here, phase, num_kills, seed=1) >= num_kills // 2


def leave_a_checkpoint(here, duration):
    """Kill trainings, at other shares of the usual time, until one leaves its checkpoint and the earlier run behind."""
    for share in (0.5, 0.7, 0.6, 0.8, 0.4, 0.9, 0.65, 0.75, 0.85):
        before = content(here, "run")
        if run_phase("train", here, seed=3, kill_after=share * duration) is None:
            assert content(here, "run") == before or ".latest.checkpoint.safetensors" not in beside(here)
            if ".latest.checkpoint.safetensors" in beside(here):
                return
    pytest.fail("no kill hit a training between its first checkpoint and its end")


def test_a_training_that_was_killed_resumes_and_says_so(here):
    leave_a_checkpoint(here, run_phase("train", here, seed=2))
    said: list[str] = []
    train_run(Dataset.load(here.store), config(3), here.out, device="cpu", say=said.append)
    (line,) = said
    assert line.startswith("Resuming ")
    resumed = content(here, "run")
    train_run(Dataset.load(here.store), config(3), here.out, device="cpu")
    assert content(here, "run") == resumed
    assert beside(here) == ["latest"]


def test_restart_begins_anew(here):
    leave_a_checkpoint(here, run_phase("train", here, seed=2))
    said: list[str] = []
    train_run(Dataset.load(here.store), config(3), here.out, device="cpu", restart=True, say=said.append)
    assert said == []
    assert beside(here) == ["latest"]


def test_two_trainings_into_one_folder_leave_one_of_them_whole(here):
    alone = []
    for seed in (2, 3):
        run_phase("train", here, seed)
        alone.append(content(here, "run"))
    pipes = [SERVER.Pipe(duplex=False) for _ in alone]
    processes = [
        SERVER.Process(target=victim, args=("train", here, seed, there))
        for seed, (_, there) in zip((2, 3), pipes, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    finished = []
    for pipe, _ in pipes:
        pipe.recv()
        finished.append(pipe.recv())
    assert content(here, "run") == alone[int(np.argmax(finished))]
    assert beside(here) == ["latest"]


def command_on_a_full_disk(arguments: list[str], folder: Path, largest: int, pipe: Any) -> None:
    """A disk that takes no file above `largest` bytes."""
    quiet()
    os.chdir(folder)
    checkpoint.EVERY_SECONDS = 0.0
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    sys.argv = ["graphrec", *arguments]
    code: Any = None
    with contextlib.suppress(SystemExit):
        try:
            main()
        except SystemExit as left:
            code = left.code
            raise
    pipe.send((code, sys.stderr.getvalue()))


def fail(arguments: list[str], folder: Path, largest: int) -> list[str]:
    """The lines of a command that has to end with exit code 1."""
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=command_on_a_full_disk, args=(arguments, folder, largest, there))
    process.start()
    there.close()
    code, err = here.recv()
    process.join(60)
    assert code == 1, err
    return [line for line in err.splitlines() if line.strip() and "━" not in line]


@pytest.mark.parametrize("largest", [100, 6_000])
def test_a_disk_that_is_full_while_a_run_is_written(here, largest):
    run_phase("train", here, seed=2)
    before = content(here, "run")
    settings = [f"--set={one}" for one in (*TINY, "seed=3")]
    lines = fail(["train", str(here.store), "--out", str(here.out), *settings], here.folder, largest)
    assert lines[-1].startswith(f"graphrec: {here.out} cannot be written: ")
    assert len(lines) == 1 or "training goes on" in lines[0], lines
    assert content(here, "run") == before
    assert set(beside(here)) <= {"latest", ".latest.checkpoint.safetensors"}  # where room was left for a checkpoint
    run_phase("train", here, seed=3)
    assert beside(here) == ["latest"]


@pytest.mark.parametrize("to", ["parquet", "npy", "faiss"])
@pytest.mark.parametrize("largest", [100, 1_500])
def test_a_disk_that_is_full_while_vectors_are_exported(here, to, largest):
    run_phase("export", here, seed=2)
    before = content(here, "export")
    lines = fail(["export", "--run", str(here.run), "--to", to, "--out", str(here.out)], here.folder, largest)
    assert len(lines) == 1
    assert lines[0].startswith(f"graphrec: {here.out} cannot be written: ")
    assert content(here, "export") == before
    assert beside(here) == ["latest"]


@pytest.mark.parametrize(("cache", "largest"), [(["--no-cache"], 100), (["--cache", "cache"], 10_000)])
def test_a_disk_that_is_full_while_pictures_are_encoded(here, cache, largest):
    run_phase("encode", here, seed=2)
    before = content(here, "vectors")
    shutil.rmtree(here.cache)
    lines = fail(["encode", str(here.store), *cache, "--out", str(here.out)], here.folder, largest)
    assert len(lines) == 1
    assert "cannot be written" in lines[0]
    assert content(here, "vectors") == before
    assert beside(here) == ["latest"]
    run_phase("encode", here, seed=2)  # what the cache holds does no harm
    assert content(here, "vectors") == before


def test_a_disk_that_is_full_while_rows_are_set_aside(here):
    kept = here.folder / "kept" / "set_aside.csv"
    kept.parent.mkdir()
    kept.write_text("of an earlier check")
    (line,) = fail(["check", str(here.store), "--set-aside", str(kept)], here.folder, 100)
    advice = "Name another place for the rows set aside with --set-aside FILE."
    assert line == f"graphrec: {kept} cannot be written: File too large. {advice}"
    assert kept.read_text() == "of an earlier check"
    assert [path.name for path in kept.parent.iterdir()] == ["set_aside.csv"]


def test_a_disk_that_is_full_while_the_sample_store_is_written(here):
    (line,) = fail(["check"], here.folder, 100)
    assert line == "graphrec: The sample store cannot be written to data/sample-store: File too large."
    assert list((here.folder / "data").iterdir()) == []
