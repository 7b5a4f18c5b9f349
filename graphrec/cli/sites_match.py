"""`graphrec sites match`: which items of different sites are one product."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphrec.cli.options import (
    CacheOption,
    ClipOption,
    DatasetArgument,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    RootOption,
    checked_device,
    chosen_cache,
    split_ids,
)
from graphrec.cli.output import answer, print_json, say_on, screen_and_progress

if TYPE_CHECKING:
    from rich.table import Table

    from graphrec.identity import SiteMatches


def match(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    out: Annotated[Path, typer.Option(help="The review file to write (CSV).")] = Path("runs/review.csv"),
    sites: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SITE,SITE",
            help="Sites to match, separated by commas or given several times. Default: all.",
            show_default=False,
        ),
    ] = None,
    at_least: Annotated[
        float, typer.Option(min=0.01, max=1, help="From this probability on a pair counts as certain.")
    ] = 0.9,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A review file in which somebody wrote yes or no: obeyed, kept and learned from.", show_default=False
        ),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option(
            metavar="ATTRIBUTE",
            help="Compare items only where this categorical attribute is the same, or missing.",
            show_default=False,
        ),
    ] = None,
    many_per_site: Annotated[
        bool, typer.Option("--many-per-site", help="A site may have several items of one product.")
    ] = False,
    pictures: Annotated[bool, typer.Option(help="Compare pictures too, where items of two sites have any.")] = True,
    clip: ClipOption = None,
    device: DeviceOption = "auto",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Propose which items of different sites are one product, in a file for a person to review. Nothing is merged.

    The file holds the uncertain pairs first. Write yes or no under verdict, and give it back with --labels, or let
    dataset.yaml name it: same_as: {file: review.csv}.
    """
    from graphrec.device import resolve_device
    from graphrec.features.clip import ClipConfig, parse_clip
    from graphrec.identity import MatchConfig, Verdicts, match_sites, read_verdicts, write_review
    from graphrec.identity.item_vectors import own_vectors_of, with_pictures
    from graphrec.identity.review import check_replaceable, other_verdicts
    from graphrec.workflow import open_dataset

    screen, progress = screen_and_progress()
    say = say_on(screen)
    where, on = chosen_cache(cache, no_cache), resolve_device(checked_device(device))
    model = ClipConfig() if clip is None else parse_clip(clip)
    check_replaceable(out, labels)  # before minutes of work, not after
    data = open_dataset(dataset, root, progress)
    verdicts = Verdicts.none()
    if labels is not None:
        verdicts, set_aside = read_verdicts(labels, data.catalogue, many_per_site)
        for (file, reason), count in set_aside.counts().items():
            say(f"! {file}: {count} rows are not used: {reason}")
    vectors = own_vectors_of(data)
    if pictures:
        vectors = with_pictures(data, vectors, model, on, where, progress)
    config = MatchConfig(at_least=at_least, block=block, many_per_site=many_per_site)
    found = match_sites(data, split_ids(sites) or None, config, verdicts, vectors, progress)
    kept = None if labels is None else other_verdicts(labels, found)
    write_review(found, out, kept)
    if kept is not None and len(kept):
        say(f"Kept as they are, at the end of {out}: {len(kept)} other verdicts of {labels}")
    if as_json:
        print_json(_as_json(found, out))
        return
    answer().print(_table(found))
    for line in found.warnings:
        say(f"! {line}")
    for line in _next(found, out):
        answer().print(line, markup=False, soft_wrap=True)


def _as_json(found: "SiteMatches", out: Path) -> dict[str, Any]:
    precision = found.expected_precision
    return {
        "file": str(out),
        "at_least": found.at_least,
        "sites": [vars(one) for one in found.counts()],
        "expected_precision": None if precision != precision else precision,
        "warnings": list(found.warnings),
    }


def _table(found: "SiteMatches") -> "Table":
    from rich.markup import escape

    from graphrec.screen import plain_table

    shown = plain_table("Pairs that may be one product")
    shown.add_column("sites")
    for name in ("items", "certain", "to review", "refused", "without"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in found.counts():
        shown.add_row(
            escape(f"{one.site} – {one.other_site}"),
            f"{one.items:,} – {one.other_items:,}",
            f"{one.certain:,}",
            f"{one.to_review:,}",
            f"{one.refused:,}",
            f"{one.without:,} – {one.other_without:,}",
        )
    return shown


def _next(found: "SiteMatches", out: Path) -> list[str]:
    if not len(found.pairs):
        return [f"No item resembles one of another site enough to be proposed. Written to {out}, empty."]
    lines = []
    threshold = "" if found.at_least == 0.9 else f", at_least: {found.at_least:g}"  # as the dataset reads it
    if found.is_certain_P.any():
        lines.append(
            f"Certain: probability {found.at_least:g} and more; of those pairs {found.expected_precision:.1%} should "
            "be right."
        )
    return [
        *lines,
        f"Nothing is merged. Look at {out}, the uncertain pairs first, and write yes or no under verdict. Then:",
        f"  graphrec sites match … --labels {out}    obeys the verdicts, and learns from them",
        f"  same_as: {{file: {out.name}{threshold}}}    in dataset.yaml links what is certain (in its folder)",
    ]
