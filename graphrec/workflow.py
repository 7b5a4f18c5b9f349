"""What the commands do, as functions: from a dataset to a run, and from a run to an answer."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from graphrec.artifact import Manifest, check_replaceable, checkpoint_path, read_manifest
from graphrec.comparison import Comparison, compare_with, pool_names
from graphrec.comparison.question import DEFAULT_ARMS, DEFAULT_MEMORY_MB, DEFAULT_METRICS, By
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset, SetAside, Split, Truth
from graphrec.data.interactions import Interactions
from graphrec.data.sample_store import write_sample_store
from graphrec.data.splits.hold_out import hold_out as split_of
from graphrec.data.splits.time import NO_TIME, moment, seconds_of
from graphrec.data.truth_file import read_truth
from graphrec.device import resolve_device
from graphrec.errors import GraphRecError
from graphrec.export.embeddings import Format, IndexIds, export_embeddings
from graphrec.models.checkpoint import remove_checkpoint
from graphrec.progress import Progress, Say, silent, unsaid
from graphrec.recommender import Device, Recommender
from graphrec.tune.masked_items import MaskedItems, TuneConfig
from graphrec.tune.result import Tuning
from graphrec.tune.sampler import require_optuna
from graphrec.tune.search import search
from graphrec.tune.settings_file import check_settings_file, write_settings
from graphrec.tune.space import space_around

SAMPLE_STORE = Path("data/sample-store")
RUN = Path("runs/latest")
HELD_OUT = "held-out"
"""Name of the split that `train` makes where the dataset brings none."""
SHOWN = "shown"
"""Beside `HELD_OUT`, where whole users are held out: the pairs that an evaluation encodes them from."""
_EVALUATED_UNASKED = (HELD_OUT, "valid")
"""Splits that an evaluation takes when none is named; `test` is opened by name only."""


def open_dataset(path: Path | None, root: Path | None = None, progress: Progress = silent) -> Dataset:
    """A dataset folder or dataset.yaml; without one the sample store, written to data/sample-store where it is not."""
    if path is None:
        path = SAMPLE_STORE
        if not path.exists():
            write_sample_store(path, progress=progress)
    return Dataset.load(path, root)


def train_run(
    dataset: Dataset,
    config: GraphRecConfig,
    out: Path,
    hold_out: bool = True,
    device: Device = "auto",
    progress: Progress = silent,
    restart: bool = False,
    say: Say = unsaid,
    cache: Path | None = None,
) -> Recommender:
    """Hold out what the settings say (or the dataset's own splits), fit on the rest, and write the run.

    With `hold_out` off everything is learned from, for use rather than for evaluation. A training that was killed goes
    on where it stopped, from the checkpoint beside the run, unless `restart` is on; `say` gets a line about it. `cache`
    is a folder that remembers CLIP vectors by content, so that nothing is encoded twice.
    """
    check_replaceable(out)  # before minutes of training, not after
    checkpoint = checkpoint_path(out)
    if restart:
        remove_checkpoint(checkpoint)
    if len(dataset.same_as) and dataset.target_site is None:
        say(
            f"{len(dataset.same_as):,} items are linked across sites, which helps only a site of its own: name yours "
            f"with --site ({', '.join(dataset.site_names)})."
        )
    if dataset.target_site is not None and not len(dataset.own_interactions):
        dataset = dataset.with_borrowed_log()
        say(
            f"Nobody did anything on {dataset.target_site} yet: until somebody does, {len(dataset.own_interactions):,} "
            "events of other sites with products that it sells too count as its own."
        )
    train, held_out, config = _hold_out(dataset, config, hold_out, say)
    model = Recommender(config, device, cache).fit(train, progress, held_out, checkpoint, say)
    model.save(out, say)
    return model


def tune_settings(
    dataset: Dataset,
    config: GraphRecConfig,
    out: Path,
    tune: TuneConfig | None = None,
    only: Sequence[str] = (),
    run_folder: Path | None = None,
    hold_out: bool = True,
    device: Device = "auto",
    progress: Progress = silent,
    restart: bool = False,
    say: Say = unsaid,
    cache: Path | None = None,
    begun: float | None = None,
) -> Tuning:
    """Search for better settings and write them as YAML that `train` takes.

    What `train` would hold out with the same settings stays shut: the search masks items among those that are left.
    `only` names the settings to search, `run_folder` keeps the trials (see `trials_of`), so that the same call goes on
    where it was stopped. `begun` is when the minutes of `tune` began to count, by `time.monotonic()`; default: now,
    before anything is encoded. Raises GraphRecError as `tune.search.search` does, and where Optuna is not installed.
    """
    begun = time.monotonic() if begun is None else begun
    require_optuna()
    tune = tune or TuneConfig()
    check_settings_file(out)  # before minutes of training, not after
    space = space_around(config, only)
    train, _, _ = _hold_out(dataset, config, hold_out, say)
    masked = MaskedItems.of(train, config, tune, resolve_device(device), cache, progress, say)
    tuning = search(masked, config, tune, space, run_folder or trials_of(out), restart, progress, say, begun)
    write_settings(tuning, out)
    return tuning


def trials_of(settings: Path) -> Path:
    """Where the trials behind a file of settings are kept."""
    return settings.with_suffix(".trials")


def run_split(model: Recommender, name: str | None = None) -> Split:
    """A held-out split of a run: the named one, or `valid`, or the one that training held out.

    Raises GraphRecError where the run holds out nothing or has no such split; `test` is opened by name only.
    """
    held_out = {one: truth for one, truth in model.held_out_.items() if one != SHOWN}
    if name is None:
        name = next((one for one in _EVALUATED_UNASKED if one in held_out), None)
    if name is None or name not in held_out:
        have = f"it has: {', '.join(held_out)}; choose one with --split" if held_out else "it was trained on everything"
        wanted = "no split to evaluate on" if name is None else f"no split {name!r}"
        raise GraphRecError(f"The run has {wanted} ({have}). Bring a file with --truth, or train with a hold-out.")
    if name != HELD_OUT:
        return Split(model.train_, held_out[name])
    shown, date, inter = model.held_out_.get(SHOWN), model.config.hold_out.date, model.train_.interactions
    return Split(
        model.train_,
        held_out[name],
        visible=None
        if shown is None
        else Interactions.from_pairs(shown.user_index_P, shown.item_index_P, inter.num_users, inter.num_items),
        cutoff=None if date is None else seconds_of(date),
        is_disjoint=True,
    )


def evaluate_run(
    model: Recommender,
    pools: str = "cold",
    k: int | Sequence[int] = 20,
    split: str | None = None,
    truth: Path | None = None,
    candidates: Path | None = None,
    arms: Sequence[str] = DEFAULT_ARMS,
    progress: Progress = silent,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    reference: str | None = None,
    by: Sequence[By] = (),
    memory_mb: int = DEFAULT_MEMORY_MB,
) -> tuple[Comparison, SetAside]:
    """Compare the arms on the run's own split, or on a truth file; also the truth file's rows that were set aside."""
    if truth is None and candidates is not None:
        raise GraphRecError("--candidates names the pool of a --truth file; give both.")
    held_out, set_aside = (
        (run_split(model, split), SetAside()) if truth is None else read_truth(model.train_, truth, candidates)
    )
    comparison = compare_with(
        model, held_out, arms, pool_names(pools), k, progress,
        metrics=metrics, reference=reference, by=by, memory_mb=memory_mb,
    )  # fmt: skip
    return comparison, set_aside


def _hold_out(
    dataset: Dataset, config: GraphRecConfig, hold_out: bool, say: Say
) -> tuple[Dataset, dict[str, Truth], GraphRecConfig]:
    """What is learned from, what is kept back, and the settings with the cut-off that they came to."""
    if not hold_out:
        return (dataset.with_truths_learned() if dataset.truths else dataset), {}, config
    if dataset.truths and config.hold_out.by == "auto":
        return dataset, dataset.truths, config
    split = split_of(dataset, config.hold_out, config.seed)
    if split is None:
        return dataset, {}, config
    held_out = {HELD_OUT: split.truth}
    if split.visible is not None:
        held_out[SHOWN] = Truth(split.visible.user_index_E, split.visible.item_index_E)
    if split.cutoff is not None:
        config = config.with_hold_out(date=datetime.fromtimestamp(split.cutoff, UTC))
        if NO_TIME in split.train.set_aside.left_out:
            say(f"Left out: {split.train.set_aside.left_out[NO_TIME]:,} events {NO_TIME}.")
    return split.train, held_out, config


def held_out_in_words(model: Recommender) -> str:
    """What training kept back, for a reader."""
    truths = model.held_out_
    if HELD_OUT not in truths:
        return ", ".join(f"{name} ({len(truth.user_index_P):,} pairs)" for name, truth in truths.items()) or "nothing"
    own, date = truths[HELD_OUT], model.config.hold_out.date
    num_cold = len(np.unique(own.item_index_P[model.model_.degree_I[own.item_index_P] == 0]))
    pairs = f"{len(own.user_index_P):,} pairs, {num_cold:,} items whole"
    if SHOWN in truths:
        users, num_shown = np.unique(own.user_index_P), len(truths[SHOWN].user_index_P)
        return f"{len(users):,} users whole, of whose pairs {num_shown:,} are shown and {len(own.user_index_P):,} judge"
    return pairs if date is None else f"everything from {moment(seconds_of(date))} on ({pairs})"


def next_command(model: Recommender) -> str:
    """What makes sense after training, as the words behind `graphrec`."""
    name = next((one for one in (*_EVALUATED_UNASKED, *model.held_out_) if one in model.held_out_), None)
    if name is None:
        return "recall --user ID"
    if SHOWN in model.held_out_:
        return "eval --pool warm"  # the users are new, their items are not
    has_cold = (model.model_.degree_I[model.held_out_[name].item_index_P] == 0).any()
    split = "" if name in _EVALUATED_UNASKED else f" --split {name}"
    return ("eval --cold-items" if has_cold else "eval --pool warm") + split


def demo_run() -> Path:
    """Where the demo's run goes: runs/latest, unless that holds something else, which a demo must not replace."""
    try:
        is_free = not RUN.exists() or read_manifest(RUN, verify=False).about.get("dataset") == SAMPLE_STORE.name
    except GraphRecError:  # no run, or one that cannot be read
        is_free = False
    return RUN if is_free else RUN.with_name("demo")


def demo_user(model: Recommender) -> str:
    """A user to show: one with a middling history, so that the list can be understood."""
    degree_U = model.train_.interactions.user_degree()
    with_history = np.flatnonzero(degree_U)
    middling = with_history[np.argsort(degree_U[with_history], kind="stable")[len(with_history) // 2]]
    return str(model.train_.user_ids[middling])


def export_run(model: Recommender, to: Format, out: Path, index_ids: IndexIds = "row") -> Manifest:
    """Write the served item vectors and the users' queries; see `export.export_embeddings`."""
    return export_embeddings(
        model.embeddings("item"), model.embeddings("user"), to, out, model.version, model.config.index,
        model.forgotten_, index_ids,
    )  # fmt: skip
