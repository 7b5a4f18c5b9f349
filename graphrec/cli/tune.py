"""`graphrec tune`: from a dataset to better settings."""

import time
from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import (
    CacheOption,
    ClipOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    RootOption,
    SetOption,
    checked_device,
    chosen_cache,
    split_ids,
)
from graphrec.cli.output import answer, print_json, say_on, screen_and_progress

_MEASURES = ("cold", "cold+warm")


def tune(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    trials: Annotated[int, typer.Option(min=1, help="Trainings, the first with the settings as they are.")] = 30,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.0, help="Begin no trial that would not be done by then.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The YAML file that is written, for train --config.")] = Path(
        "runs/tuned.yaml"
    ),
    config: ConfigOption = None,
    settings: SetOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY,KEY", help="Search these settings alone; a wrong name lists all.", show_default=False
        ),
    ] = None,
    measure: Annotated[
        str, typer.Option(help="cold: find the masked items again; cold+warm: masked pairs of the others too.")
    ] = "cold",
    clip: ClipOption = None,
    no_hold_out: Annotated[
        bool, typer.Option("--no-hold-out", help="For train --no-hold-out: search on everything.")
    ] = False,
    device: DeviceOption = "auto",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    run_folder: Annotated[
        Path | None,
        typer.Option(help="Where the trials are kept. Default: beside --out, as NAME.trials.", show_default=False),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the trials that are done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Search for better settings (Optuna) on items masked inside the training data, and write them as YAML.

    What train would hold out stays shut. Stopped or killed, the same command goes on where it was; Ctrl-C keeps the
    best so far.
    """
    begun = time.monotonic()
    from graphrec.cli.tune_tables import print_tuning
    from graphrec.config import GraphRecConfig
    from graphrec.tune.masked_items import TuneConfig
    from graphrec.workflow import open_dataset, trials_of, tune_settings

    screen, progress = screen_and_progress()
    if measure not in _MEASURES:
        raise typer.BadParameter(f"expected {' or '.join(_MEASURES)}, got {measure!r}", param_hint="--measure")
    if minutes == 0:
        raise typer.BadParameter("expected more than 0", param_hint="--minutes")
    resolved = GraphRecConfig.load(config, settings or ())
    resolved = resolved if clip is None else resolved.with_clip(clip)
    asked = TuneConfig.model_validate({"trials": trials, "minutes": minutes, "measure": measure})
    chosen_device, where = checked_device(device), chosen_cache(cache, no_cache)
    data = open_dataset(dataset, root, progress)
    for warning in data.set_aside.warnings:
        screen.print(f"! {warning}", style="yellow", markup=False)
    tuning = tune_settings(
        data, resolved, out, asked, split_ids(only), run_folder, not no_hold_out, chosen_device, progress, restart,
        say_on(screen), where, begun,
    )  # fmt: skip
    if as_json:
        print_json(tuning.to_json())
    else:
        print_tuning(answer(), tuning)
    screen.print(f"Written: {out}; trials: {run_folder or trials_of(out)}", markup=False, soft_wrap=True)
    given = "" if dataset is None else f" {dataset}"
    screen.print(f"Next: graphrec train{given} --config {out}", markup=False, soft_wrap=True)
