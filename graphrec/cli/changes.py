"""`graphrec add-items`, `update-items`, `remove-items`, `add-events`: what happens to a run after it was trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphrec.cli.options import (
    RUN,
    CacheOption,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    RunOption,
    checked_device,
    chosen_cache,
    split_ids,
)
from graphrec.cli.output import answer, print_json, screen_and_progress

if TYPE_CHECKING:
    from graphrec.data.dataset import OwnVectors
    from graphrec.live_run import Change, LiveRun

ItemsArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Items as the dataset has them: CSV, JSONL, parquet; columns by name.")
]
PicturesOption = Annotated[
    Path | None,
    typer.Option(
        "--root", help="Folder that the paths of pictures start from. Default: that of the file.", show_default=False
    ),
]
OfSiteOption = Annotated[
    str | None, typer.Option("--site", help="The site that the rows are of, where they do not say.", show_default=False)
]
VectorsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE[,IDS]",
        help="Own vectors of the items, where the run was trained with such: parquet with id and vector, or .npy and a "
        "table of ids. May be given several times.",
        show_default=False,
    ),
]


def add_items(
    file: ItemsArgument,
    run: RunOption = RUN,
    root: PicturesOption = None,
    site: OfSiteOption = None,
    vectors: VectorsOption = None,
    device: DeviceOption = "auto",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make new items recommendable at once, by their content; nothing is trained."""
    _, progress = screen_and_progress()
    own = _own_vectors(vectors)
    with _opened(run, device, cache, no_cache) as live:
        change = live.add_items(file, vectors=own, root=root, site=site, progress=progress)
    _tell(run, change, f"Added {_counted(len(change.ids), 'item')}", file, as_json)


def update_items(
    file: ItemsArgument,
    run: RunOption = RUN,
    root: PicturesOption = None,
    site: OfSiteOption = None,
    vectors: VectorsOption = None,
    device: DeviceOption = "auto",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change what is known of items: their titles, texts, pictures, attributes. What a file does not have stays."""
    _, progress = screen_and_progress()
    own = _own_vectors(vectors)
    with _opened(run, device, cache, no_cache) as live:
        change = live.update_items(file, vectors=own, root=root, site=site, progress=progress)
    _tell(run, change, f"Changed {_counted(len(change.ids), 'item')}", file, as_json)


def remove_items(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Item ids.", show_default=False)] = None,
    file: Annotated[
        Path | None, typer.Option(help="A table whose item_id (or only) column names more of them.", show_default=False)
    ] = None,
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """Have nothing return these items any more; what people did with them still tells of these people."""
    from graphrec.data.id_file import read_item_ids

    wanted = [*split_ids(ids), *(read_item_ids(file) if file else ())]
    if not wanted:
        raise typer.BadParameter("give item ids, or --file", param_hint="ID")
    with _opened(run, "cpu", None, True) as live:
        change = live.remove_items(wanted)
    _tell(run, change, f"Removed {_counted(len(change.ids), 'item')}", file, as_json)


def add_events(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Events as the dataset's interactions: user_id, item_id, timestamp, …"),
    ],
    run: RunOption = RUN,
    site: OfSiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in what people did: they are encoded anew, and what they touched moves from content to the graph.

    Nothing is trained. People may be new; items have to be known.
    """
    with _opened(run, "cpu", None, True) as live:
        before = live.drift().events
        change = live.add_events(file, site=site)
    events = _counted(change.drift.events - before, "event")
    _tell(run, change, f"Added {events} with {_counted(len(change.ids), 'item')}", file, as_json)


def _opened(run: Path, device: str, cache: Path | None, no_cache: bool) -> "LiveRun":
    from graphrec.live_run import LiveRun

    return LiveRun.open(run, checked_device(device), chosen_cache(cache, no_cache))


def _own_vectors(given: list[str] | None) -> "dict[str, OwnVectors]":
    from graphrec.data.own_vectors import read_own_vectors
    from graphrec.data.set_aside import SetAsideCollector

    vectors = {}
    for one in given or ():
        name, equals, files = one.partition("=")
        file, _, ids = files.partition(",")
        if not equals or not name or not file:
            raise typer.BadParameter(f"expected NAME=FILE or NAME=FILE,IDS, got {one!r}", param_hint="--vectors")
        vectors[name] = read_own_vectors(Path(file), Path(ids) if ids else None, SetAsideCollector())
    return vectors


def _tell(run: Path, change: "Change", done: str, file: Path | None, as_json: bool) -> None:
    from graphrec.data.set_aside import write_set_aside
    from graphrec.errors import GraphRecError

    set_aside, kept = change.set_aside, None
    if len(set_aside) and file is not None:
        kept = file.with_name(f"{file.stem}.set_aside.csv")
        try:
            write_set_aside(set_aside, kept)
        except GraphRecError as error:  # the change itself is on the disk
            screen_and_progress()[0].print(f"! {error}", style="yellow", markup=False, soft_wrap=True)
            kept = None
    if as_json:
        print_json(
            {
                "sequence": change.sequence,
                "item_ids": list(change.ids),
                "set_aside": set_aside.rows.to_dict(orient="records"),
                "set_aside_file": None if kept is None else str(kept),
                "left_out": set_aside.left_out,
                "notes": [*set_aside.notes, *set_aside.warnings],
                "drift": change.drift.to_json(),
            }
        )
        return
    screen, _ = screen_and_progress()
    for note in set_aside.notes:
        screen.print(note, style="dim", markup=False)
    for warning in set_aside.warnings:
        screen.print(f"! {warning}", style="yellow", markup=False)
    for (_, reason), count in set_aside.counts().items():
        screen.print(f"{_counted(count, 'row')} set aside: {reason}", style="yellow", markup=False)
    for reason, count in set_aside.left_out.items():
        screen.print(f"{_counted(count, 'row')} left out: {reason}", markup=False, soft_wrap=True)
    if kept is not None:
        screen.print(f"The rows set aside: {kept}", markup=False, soft_wrap=True)
    answer().print(f"{done} in {run} (change {change.sequence}).", markup=False, soft_wrap=True)
    drift = change.drift
    since = [
        _counted(count, what)
        for count, what in (
            (drift.items_added, "item added"),
            (drift.items_changed, "item changed"),
            (drift.items_removed, "item removed"),
            (drift.events, "event"),
            (drift.users_added, "new user"),
        )
        if count
    ]
    screen.print(f"Since training: {', '.join(since) or 'nothing'}.", style="dim", markup=False)
    if drift.is_retrain_due:
        screen.print(f"! Train again: {drift.why}.", style="yellow", markup=False)


def _counted(number: int, what: str) -> str:
    noun, _, rest = what.partition(" ") if not what.startswith("new ") else (what, "", "")
    return f"{number:,} {noun}{'' if number == 1 else 's'}{' ' + rest if rest else ''}"
