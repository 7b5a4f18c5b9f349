"""`graphrec train`: from a dataset to a run."""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import (
    RUN,
    CacheOption,
    ClipOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    NoCacheOption,
    RootOption,
    SetOption,
    checked_device,
    chosen_cache,
)
from graphrec.cli.output import print_notes, run_option, say_on, screen_and_progress


def train(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    out: Annotated[Path, typer.Option(help="Where the run is written.")] = RUN,
    config: ConfigOption = None,
    settings: SetOption = None,
    clip: ClipOption = None,
    hold_out: Annotated[
        bool, typer.Option(help="Keep back whole items (or the dataset's own splits) for eval.")
    ] = True,
    device: DeviceOption = "auto",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where a training that was killed could be resumed.")
    ] = False,
) -> None:
    """Learn item and user vectors and write a run that recall, eval and export read.

    A training that was killed goes on where it stopped when the same command is given again.
    """
    from graphrec.config import GraphRecConfig
    from graphrec.screen import print_choices
    from graphrec.workflow import next_command, open_dataset, train_run

    screen, progress = screen_and_progress()
    resolved = GraphRecConfig.load(config, settings or ())
    resolved = resolved if clip is None else resolved.with_clip(clip)
    chosen_device = checked_device(device)
    data = open_dataset(dataset, root, progress)
    say = say_on(screen)
    for warning in data.set_aside.warnings:
        screen.print(f"! {warning}", style="yellow", markup=False)
    where = chosen_cache(cache, no_cache)
    model = train_run(data, resolved, out, hold_out, chosen_device, progress, restart, say, where)
    print_notes(screen, model.features_.notes)
    print_choices(screen, model.model_.choices)
    if len(data.set_aside):
        screen.print(f"{len(data.set_aside):,} rows were set aside: {out / 'set_aside.csv'}", markup=False)
    held_out = ", ".join(f"{name} ({len(truth.user_index_P):,} pairs)" for name, truth in model.held_out_.items())
    screen.print(f"Held out: {held_out or 'nothing'}. Run written to {out}", markup=False)
    screen.print(f"Next: graphrec {next_command(model)}{run_option(out)}", markup=False)
