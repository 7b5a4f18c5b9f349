"""`graphrec encode`: pictures and texts through CLIP, ahead of training."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
)
from graphrec.cli.output import answer, print_json, screen_and_progress

if TYPE_CHECKING:
    from rich.table import Table

    from graphrec.features.encode_catalogue import EncodeReport


def encode(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    clip: ClipOption = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures or texts at a time. Default: the settings' (64).")
    ] = None,
    device: DeviceOption = "auto",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Only part I of N, from 0/N to N-1/N: run them side by side, then encode once without it.",
            show_default=False,
        ),
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CACHE",
            help="Take over the vectors of a cache that the same --clip filled elsewhere; may be given several times.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for image.npy and text.npy with their ids, for others to read.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn pictures and texts into CLIP vectors, each once, so that train finds them in the cache.

    Killed and started again, it goes on where it was.
    """
    from graphrec.config import GraphRecConfig
    from graphrec.device import resolve_device
    from graphrec.features.catalogue_vectors import WHOLE, Shard
    from graphrec.features.encode_catalogue import encode_catalogue
    from graphrec.workflow import open_dataset

    _, progress = screen_and_progress()
    resolved = GraphRecConfig.load(config, settings or ())
    chosen = (resolved if clip is None else resolved.with_clip(clip)).features.clip
    chosen = chosen if batch_size is None else chosen.model_copy(update={"batch_size": batch_size})
    part = WHOLE if shard is None else Shard.parse(shard)
    where = chosen_cache(cache, no_cache)
    device = resolve_device(checked_device(device))
    data = open_dataset(dataset, root, progress)
    report = encode_catalogue(data, chosen, where, device, part, out, merge or (), progress)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    _print(report)


def _print(report: "EncodeReport") -> None:
    screen = answer()
    screen.print(_table(report))
    for name, kind in report.kinds.items():
        for failure in kind.failed:
            screen.print(f"{name}: {failure.count:,} × {failure.reason}, such as {failure.example}", markup=False)
    for note in report.notes:
        screen.print(note, markup=False)
    if report.taken_over:
        screen.print(f"{report.taken_over:,} vectors came from other caches.")
    if not report.model_loaded:
        screen.print("Nothing was new, so the model was not even loaded.")
    if report.cache is not None:
        screen.print(f"The vectors lie in {report.cache}; train finds them there.", markup=False)
    if report.out is not None:
        screen.print(f"Written to {report.out}. To use them in a dataset.yaml:", markup=False)
        folder = report.out.resolve()
        lines = [
            f"  {name}: {{file: {_quoted(folder / f'{name}.npy')}, ids: {_quoted(folder / f'{name}_ids.csv')}}}"
            for name in report.kinds
        ]
        screen.print("\n".join(["vectors:", *lines]), markup=False, emoji=False, soft_wrap=True)


def _quoted(path: Path) -> str:
    """As a YAML string, whatever is in the path; not as ASCII, because YAML has no surrogate pairs."""
    return json.dumps(str(path), ensure_ascii=False)


def _table(report: "EncodeReport") -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    part = f", shard {report.shard}" if report.shard else ""
    title = f"CLIP {escape(report.clip)} on {escape(report.dataset)}{part}: {report.dim} numbers each"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("")
    for name in ("items", "cached", "encoded", "failed", "seconds", "per second"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name, kind in report.kinds.items():
        rate = f"{kind.encoded / kind.seconds:,.0f}" if kind.seconds else ""
        counts = [f"{count:,}" for count in (kind.items, kind.cached, kind.encoded, kind.num_failed)]
        shown.add_row({"image": "pictures", "text": "texts"}[name], *counts, f"{kind.seconds:,.1f}", rate)
    return shown
