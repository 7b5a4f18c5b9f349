"""`graphrec train`: from a dataset to a run."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

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

_WAYS = ("items", "time", "users", "pairs", "visitors", "site")


def train(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    out: Annotated[Path, typer.Option(help="Where the run is written.")] = RUN,
    config: ConfigOption = None,
    settings: SetOption = None,
    clip: ClipOption = None,
    hold_out: Annotated[
        str | None,
        typer.Option(
            "--hold-out",
            metavar="WHAT",
            help="What to keep back for eval: items (whole, at random), 1/5 to 5/5 (one fold of them), time "
            "(everything since the youngest fifth of the items came in), a date such as 2024-05-31 (everything from "
            "then on), users (whole), pairs, visitors (users of --site who are known on other sites), site (the whole "
            "log of --site), or none. Shares: --set hold_out.cold_items=0.1. Default: the dataset's "
            "own split files, otherwise items.",
            show_default=False,
        ),
    ] = None,
    no_hold_out: Annotated[bool, typer.Option("--no-hold-out", help="Learn from everything: --hold-out none.")] = False,
    site: Annotated[
        str | None,
        typer.Option(
            "--site",
            help="The site whose items are to be recommended; what people do on the others helps. Default: the "
            "dataset's target_site, otherwise all items of all sites are recommended.",
            show_default=False,
        ),
    ] = None,
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
    from graphrec.workflow import held_out_in_words, next_command, open_dataset, train_run

    screen, progress = screen_and_progress()
    resolved = GraphRecConfig.load(config, settings or ())
    resolved = resolved if clip is None else resolved.with_clip(clip)
    resolved = resolved if hold_out in (None, "none") else resolved.with_hold_out(**_asked(hold_out))
    if no_hold_out and hold_out not in (None, "none"):
        raise typer.BadParameter("--hold-out and --no-hold-out exclude each other", param_hint="--hold-out")
    keeps_back = not no_hold_out and hold_out != "none"
    chosen_device = checked_device(device)
    data = open_dataset(dataset, root, progress)
    data = data if site is None else data.for_site(site)
    say = say_on(screen)
    for warning in data.set_aside.warnings:
        screen.print(f"! {warning}", style="yellow", markup=False)
    where = chosen_cache(cache, no_cache)
    model = train_run(data, resolved, out, keeps_back, chosen_device, progress, restart, say, where)
    print_notes(screen, model.features_.notes)
    print_choices(screen, model.model_.choices)
    if len(data.set_aside):
        screen.print(f"{len(data.set_aside):,} rows were set aside: {out / 'set_aside.csv'}", markup=False)
    screen.print(f"Held out: {held_out_in_words(model)}. Run written to {out}", markup=False)
    screen.print(f"Next: graphrec {next_command(model)}{run_option(out)}", markup=False)


def _asked(hold_out: str) -> dict[str, Any]:
    """Settings of the hold-out that one word asks for; a usage error for another word."""
    if hold_out == "time":  # with the settings' own date, where they have one
        return {"by": hold_out}
    if hold_out in _WAYS:
        return {"by": hold_out, "date": None}
    fold, slash, num_folds = hold_out.partition("/")
    if slash and fold.isdecimal() and num_folds.isdecimal():
        return {"by": "fold", "fold": int(fold), "num_folds": int(num_folds), "date": None}
    try:
        date = datetime.fromisoformat(hold_out)
    except ValueError:
        raise typer.BadParameter(
            f"expected {', '.join(_WAYS)}, a fold such as 1/5, a date such as 2024-05-31, or none; got {hold_out!r}",
            param_hint="--hold-out",
        ) from None
    return {"by": "time", "date": date}
