"""What the command line shows: progress bars, tables and one-line errors. Nothing is computed here."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column, Table

from graphrec.data.check_report import CheckReport, Coverage
from graphrec.models.choices import FittedChoices
from graphrec.models.ridge import HeadSettings

T = TypeVar("T")


class ProgressBars:
    """A `Progress` that draws bars on a console (standard error, so that answers on standard output stay clean)."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, steps: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """A bar over `steps`; it ends full when the loop ends early, as it does when training stops by itself."""
        columns = (
            TextColumn("{task.description:<42}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        if total is None and isinstance(steps, Sized):
            total = len(steps)
        with RichProgress(*columns[:4], console=self.console) as bars:
            task, done = bars.add_task(description, total=total), 0
            try:
                for step in steps:
                    yield step
                    done += 1
                    bars.update(task, completed=done)
            finally:
                bars.update(task, total=max(done, 1), completed=max(done, 1))


_TERMS_SHOWN = 5
"""Of the head's kernel, the weightiest: there may be dozens."""


def recommendations_table(table: pd.DataFrame, title: str) -> Table:
    """Ranked items, one row each."""
    several = "user_id" in table and table["user_id"].nunique() > 1
    shown = _ranked_table(title, ["user"] if several else [])
    shown.add_column("degree", justify="right", no_wrap=True)
    shown.add_column("source", no_wrap=True, min_width=7)
    styles = {"content": "cyan", "blend": "magenta", "graph": "green"}
    for row in table.itertuples(index=False):
        title = escape(str(row.title)) or "[dim]untitled[/dim]"
        cells = [str(row.rank), escape(str(row.item_id)), title, f"{row.score:.3f}"]
        source = f"[{styles.get(str(row.source), 'white')}]{row.source}[/]"
        user = [escape(str(row.user_id))] if several else []
        shown.add_row(*user, *cells, str(row.degree), source)
    return shown


def search_table(table: pd.DataFrame, title: str) -> Table:
    """Found items, one row each, with what their score consists of."""
    has_sites = bool(table["site"].any())
    shown = _ranked_table(title, [])
    for name in ("picture", "text"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("degree", *(["site"] if has_sites else [])):
        shown.add_column(name, no_wrap=True, justify="right" if name == "degree" else "left")
    for row in table.itertuples(index=False):
        title = escape(str(row.title)) or "[dim]untitled[/dim]"
        is_scored = row.matched != "neither"
        score = f"{row.score:.3f}" if is_scored else "[dim]no picture, no text[/dim]"
        parts = [
            f"{value:+.2f}" if is_scored and row.matched in (kind, "both") else "[dim]-[/dim]"
            for kind, value in (("image", row.from_image), ("text", row.from_text))
        ]
        site = [escape(str(row.site))] if has_sites else []
        shown.add_row(str(row.rank), escape(str(row.item_id)), title, score, *parts, str(row.degree), *site)
    return shown


def _ranked_table(title: str, first: list[str]) -> Table:
    shown = plain_table(escape(title))
    for name in first:
        shown.add_column(name, no_wrap=True)
    shown.add_column("#", justify="right", no_wrap=True)
    shown.add_column("item", no_wrap=True)
    shown.add_column("title", max_width=44)  # the only column that may wrap: an id cut short is no id
    shown.add_column("score", justify="right", no_wrap=True)
    return shown


def plain_table(title: str | None = None) -> Table:
    """Little ink and narrow gaps: fits a terminal of 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def print_choices(console: Console, choices: FittedChoices) -> None:
    """What training chose inside the training data, and by what."""
    mixture, half = choices.mixture, choices.half_degree
    hand_over = f"half graph at degree {half:g}" if half else "the graph alone from the first user on"
    console.print(
        f"Chosen inside the training data. On masked items: {choices.epochs} epochs (NDCG@20 there "
        f"{choices.masked_ndcg:.3f}, a validation figure), and what a score consists of: {1 - mixture.raw_share:.0%} "
        f"what the graph taught ({mixture.fold_in_share:.0%} of it fold-in), {mixture.raw_share:.0%} raw content, "
        f"popularity with weight {mixture.popularity_weight:g}. On masked pairs of other items: {hand_over}, content "
        f"vectors {choices.stretch:g} times as long as predicted. With each item left out in turn: kernel weights "
        f"{_kernel(choices.head)}.",
        style="dim",
    )
    if choices.elsewhere_head is not None:
        console.print(
            f"For items that other sites sell too: kernel weights {_kernel(choices.elsewhere_head)}.", style="dim"
        )


def _kernel(head: HeadSettings) -> str:
    weights = sorted(head.weights.items(), key=lambda term: -term[1])
    shown = ", ".join(f"{name} {weight:.3g}" for name, weight in weights[:_TERMS_SHOWN])
    more = f" and {len(weights) - _TERMS_SHOWN} more" if len(weights) > _TERMS_SHOWN else ""
    return f"{escape(shown)}{more}, penalty {head.penalty:.3g}"


def print_check(console: Console, report: CheckReport) -> None:
    """The whole report, warnings last so that they are read."""
    console.print(
        f"[bold]{escape(report.name)}[/]: {report.items:,} items, {report.users:,} users, {report.events:,} events in "
        f"{report.pairs:,} distinct pairs (density {report.density:.3%}), {report.cold_items:,} items without any event"
    )
    if report.first_event:
        console.print(f"events from {report.first_event} to {report.last_event}")
    if report.sites:
        sites = Table("site", *(_right(name) for name in ("items", "users", "events")), header_style="bold")
        for site in report.sites:
            sites.add_row(escape(site.name), f"{site.items:,}", f"{site.users:,}", f"{site.events:,}")
        console.print(sites)
        console.print(f"{report.shared_users:,} users have events on more than one site")
    if report.linked:
        links = Table("one product on (same_as)", _right("pairs of items"), header_style="bold")
        for linked in report.linked:
            links.add_row(f"{escape(linked.one)} and {escape(linked.other)}", f"{linked.pairs:,}")
        console.print(links)
    console.print(_coverage_table(report))
    console.print(_degree_table(report))
    for split in report.splits:
        pool = f", {split.candidates:,} candidates" if split.candidates is not None else ""
        console.print(
            f"split [bold]{split.name}[/]: {split.pairs:,} pairs of {split.users:,} users on {split.items:,} items "
            f"({split.cold_items:,} of them cold), {split.new_users:,} users without history{pool}"
        )
    _print_left_over(console, report)
    for note in report.notes:
        console.print(f"[dim]note: {escape(note)}[/]")
    for warning in report.warnings:
        console.print(f"[yellow]![/] {escape(warning)}")


def _coverage_table(report: CheckReport) -> Table:
    shown = Table("modality", _right("items"), _right("share"), header_style="bold")
    rows: list[tuple[str, Coverage | None]] = [
        ("title", report.titles),
        ("text", report.texts),
        ("picture named", report.pictures.named),
        ("picture usable", report.pictures.usable),
        *((f"attribute {name}", coverage) for name, coverage in report.attributes.items()),
        *((f"own vectors: {name}", coverage) for name, coverage in report.own_vectors.items()),
    ]
    for name, coverage in rows:
        if coverage is not None:
            shown.add_row(escape(name), f"{coverage.items:,}", f"{coverage.share:.1%}")
    return shown


def _degree_table(report: CheckReport) -> Table:
    shown = Table("degree", _right("items"), _right("users"), header_style="bold")
    for label in report.item_degree:
        shown.add_row(label, f"{report.item_degree[label]:,}", f"{report.user_degree[label]:,}")
    return shown


def _print_left_over(console: Console, report: CheckReport) -> None:
    if report.set_aside:
        shown = Table("rows set aside", "why", _right("rows"), header_style="bold")
        for count in report.set_aside:
            shown.add_row(escape(count.file), escape(count.reason), f"{count.rows:,}")
        console.print(shown)
    for reason, rows in report.left_out.items():
        console.print(f"left out: {rows:,} rows, {escape(reason)}")
    for problem, items in report.pictures.problems.items():
        example = next(one for one in report.pictures.examples if one.problem == problem)
        line = f"pictures: {items:,} {problem}, such as {example.path} of item {example.item_id}"
        console.print(line, markup=False)


def _right(name: str) -> Column:
    return Column(name, justify="right")
