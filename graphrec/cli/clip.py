"""`graphrec clip fit`: a CLIP of the shop's own."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import DeviceOption, JsonOption, checked_device
from graphrec.cli.output import print_json, screen_and_progress

_SEEN = (
    "Note: pictures and texts of all items were there to learn from, also of those that train will hold out as new, so "
    "eval --cold-items on this shop may be a little optimistic about image and text features. With --cold-recall the "
    "first dataset's held-out items are left out: those of its valid split or, where it has no splits, the fifth that "
    "train holds out by default with the same seed."
)

clip_app = typer.Typer(help="Train CLIP on your own pictures and texts.", no_args_is_help=True)


@clip_app.callback()
def _clip() -> None:
    """Train CLIP on your own pictures and texts."""


@clip_app.command()
def fit(
    datasets: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATASET",
            help="Dataset folders or dataset.yaml files. Default: the sample store.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder that the paths in dataset.yaml start from: one for all, or one for each.", show_default=False
        ),
    ] = None,
    clip: Annotated[
        str,
        typer.Option(
            help="The model to start from: small, MODEL:TAG or MODEL:FILE of open_clip, hf-hub:NAME, or a folder."
        ),
    ] = "small",
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin with random weights of that architecture.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = Path("runs/clip"),
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Passes over the pairs. Default: 20, where --minutes is not given.", show_default=False
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Time for training; the first budget spent ends it.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Pairs that compete with each other in a step.")] = 128,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9, help="Default: 1e-3, or 1e-5 to fine-tune more than 20 million weights.", show_default=False
        ),
    ] = None,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the pairs kept for measuring, by product.")
    ] = 0.1,
    cold_recall: Annotated[
        bool,
        typer.Option(
            "--cold-recall",
            help="Also compare recall of the first dataset's held-out new items; the fit does not see them then: those "
            "of its valid split or, where it has no splits, the fifth that train holds out by default with this seed.",
        ),
    ] = False,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where a fit that was killed could go on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a CLIP on the pictures and texts of one or several catalogues, and say what it gained.

    A fit that was killed goes on where it stopped when the same command is given again.

    Without --cold-recall it learns from items that train holds out, too: eval --cold-items is a bit optimistic then.
    """
    from graphrec.cli.clip_tables import cold_recall_table, fit_parts
    from graphrec.clip_effect import cold_item_ids, cold_recall_effect, cold_split
    from graphrec.clip_fit.fit import ClipFitConfig, fit_clip
    from graphrec.clip_fit.training import TrainingConfig
    from graphrec.device import resolve_device
    from graphrec.features.clip import ClipConfig, parse_clip
    from graphrec.workflow import open_dataset

    screen, progress = screen_and_progress()
    paths: list[Path | None] = [*datasets] if datasets else [None]
    roots: list[Path | None] = [*(root or [])]
    if len(roots) not in (0, 1, len(paths)):
        raise typer.BadParameter(
            f"expected one, or one for each of {len(paths)} datasets, got {len(roots)}", param_hint="--root"
        )
    roots = [*roots, *[roots[0] if roots else None] * len(paths)][: len(paths)]
    start = parse_clip(clip)
    on = resolve_device(checked_device(device))
    opened = [open_dataset(path, one, progress) for path, one in zip(paths, roots, strict=True)]
    split = cold_split(opened[0], seed) if cold_recall else None
    training = TrainingConfig(
        seed=seed, epochs=epochs, minutes=minutes, batch_size=batch_size, learning_rate=learning_rate
    )
    config = ClipFitConfig(clip=start, from_scratch=from_scratch, held_out=held_out, training=training)
    exclude = [(0, item_id) for item_id in cold_item_ids(split)] if split else []
    report = fit_clip(opened, config, out, on, exclude, restart, progress, partial(screen.print, markup=False))
    result = report.to_json()
    for part in fit_parts(report):
        screen.print(part)
    if split:
        before = ClipConfig() if from_scratch else start
        effect = cold_recall_effect(split, before, parse_clip(str(out)), seed=seed, device=on, progress=progress)
        result["cold_recall"] = effect.to_json()
        screen.print(cold_recall_table(effect))
    else:
        screen.print(_SEEN, markup=False)
    shop = f"{datasets[0]} " if datasets else ""
    if as_json:
        print_json(result)
    screen.print(f"Next: graphrec train {shop}--clip {out}", markup=False)
