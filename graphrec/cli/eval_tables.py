"""What `graphrec eval` shows: the conclusion first, then the tables behind it. Fits a terminal of 80 columns."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graphrec.comparison import ArmResult, Comparison, Difference, PoolResult, Stratum
from graphrec.comparison.question import HEADLINE
from graphrec.evaluation.intervals import Verdict
from graphrec.screen import plain_table

_VERDICT = {
    Verdict.HELPS: "[green]helps[/]",
    Verdict.HURTS: "[red]hurts[/]",
    Verdict.NO_DIFFERENCE_SHOWN: "[yellow]not shown[/]",
}
_BETTER_OR_WORSE = {
    Verdict.HELPS: "[green]better[/]",
    Verdict.HURTS: "[red]worse[/]",
    Verdict.NO_DIFFERENCE_SHOWN: "[yellow]unclear[/]",
}


def print_comparison(console: Console, comparison: Comparison, about_lists: Sequence[str] = ()) -> None:
    """All pools, one below the other; `about_lists` names metrics of all lists together that are to be shown too."""
    for result in comparison.pools:
        console.print(f"[bold]In the {result.pool} pool: {escape(result.conclusion)}.[/]")
        console.print(f"[dim]{result.description}; {result.coverage}.[/]")
        for table in _tables(result, comparison, about_lists):
            console.print()
            console.print(table)
        console.print()
    if comparison.leak_checks:
        console.print(f"[dim]{len(comparison.leak_checks)} leak checks passed: {', '.join(comparison.leak_checks)}.[/]")


def _tables(result: PoolResult, comparison: Comparison, about_lists: Sequence[str]) -> Iterator[Table]:
    for k in comparison.ks:
        yield _arms_table(result, comparison, k)
        if about_lists:
            yield _lists_table(result, about_lists, k)
    if result.headline:
        yield _headline_table(result.headline)
    leading = comparison.metrics[0]
    against = [d for d in result.differences if d.p_holm is not None and d.popularity and d.metric == leading]
    if any((d.arm, d.reference) != HEADLINE for d in against):
        in_order = [d for arm in result.arms for d in against if d.arm == arm.arm]
        yield _against_table(in_order, comparison.reference, leading)
    for by in dict.fromkeys(stratum.by for stratum in result.strata):
        strata = [stratum for stratum in result.strata if stratum.by == by]
        yield _strata_table(by, strata, leading, comparison.reference)


def _arms_table(result: PoolResult, comparison: Comparison, k: int) -> Table:
    metrics = [name for name in comparison.metrics if name.endswith(f"@{k}")]
    has_off = any(arm.metrics_without_popularity for arm in result.arms)
    with_off = [name for name in metrics if has_off and len(metrics) <= 3][:2]
    extra = [f"cold_share@{k}"] if result.pool == "full" else []
    shown = _table()
    shown.add_column(f"first {k}", no_wrap=True)
    for name in metrics:
        shown.add_column(_word(name), justify="right", no_wrap=True)
    for name in with_off:
        shown.add_column(f"{_word(name)}\npop. off", justify="right", no_wrap=True, style="dim")
    if extra:
        shown.add_column("cold\nshare", justify="right", no_wrap=True)
    best = {name: max(arm.metrics[name] for arm in result.arms) for name in metrics}
    for arm in result.arms:
        values = [_bold(f"{arm.metrics[name]:.4f}", arm.metrics[name] == best[name]) for name in metrics]
        off = arm.metrics_without_popularity
        values += [f"{off[name]:.4f}" if off else "" for name in with_off]
        shown.add_row(arm.arm, *values, *(f"{arm.metrics[name]:.1%}" for name in extra))
    return shown


def _lists_table(result: PoolResult, names: Sequence[str], k: int) -> Table:
    shown = _table()
    shown.add_column(f"the lists, first {k}", no_wrap=True)
    for name in names:
        shown.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for arm in result.arms:
        shown.add_row(arm.arm, *(f"{arm.metrics[f'{name}@{k}']:.4f}" for name in names))
    return shown


def _headline_table(differences: list[Difference]) -> Table:
    shown = _differences_table(" - ".join(HEADLINE))
    for popularity in (True, False):
        part = [one for one in differences if one.popularity == popularity]
        if part and not popularity:
            shown.add_row("[dim]popularity off[/]")
        for one in part:
            shown.add_row(one.metric, *_numbers(one), _VERDICT[one.verdict])
    return shown


def _against_table(differences: list[Difference], reference: str, metric: str) -> Table:
    """Every arm less the reference; a verdict holds although several were looked at (Holm)."""
    shown = _differences_table(f"{metric} less\n{reference}'s", "after\nHolm")
    for one in differences:
        held = one.verdict if one.holds_among_arms else Verdict.NO_DIFFERENCE_SHOWN
        shown.add_row(one.arm, *_numbers(one), _BETTER_OR_WORSE[held])
    return shown


def _differences_table(first: str, last: str = "verdict") -> Table:
    shown = _table()
    shown.add_column(first, no_wrap=True)
    shown.add_column("difference [95 %]", no_wrap=True)
    shown.add_column("over items", no_wrap=True)
    shown.add_column("detec-\ntable", justify="right", no_wrap=True)
    shown.add_column(last, no_wrap=True)
    return shown


def _strata_table(by: str, strata: list[Stratum], metric: str, reference: str) -> Table:
    """Two arms, and what the first has over the second: graph and content where both are there."""
    names = [arm.arm for arm in strata[0].arms]
    first, second = HEADLINE if set(HEADLINE) <= set(names) else (_other(names, reference), reference)
    shown = _table()
    shown.add_column(f"{by}\n{metric}", no_wrap=True)
    for name in ("users", "items"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in dict.fromkeys((second, first)):
        shown.add_column(name.replace("-", "-\n", 1), justify="right", no_wrap=True)
    shown.add_column(f"{first}\n- {second}" if first != second else "", no_wrap=True)
    for stratum in strata:
        value = {arm.arm: _value(arm, metric) for arm in stratum.arms}
        found = [
            d for d in stratum.differences
            if (d.arm, d.reference, d.metric, d.popularity) == (first, second, metric, True)
        ]  # fmt: skip
        said = f"{_interval(found[0])} {_BETTER_OR_WORSE[found[0].verdict]}" if found else "[dim]too few to say[/]"
        counts = (f"{stratum.num_users:,}", f"{stratum.num_items:,}")
        shown.add_row(stratum.label, *counts, *(value[name] for name in dict.fromkeys((second, first))), said)
    return shown


def _other(names: list[str], reference: str) -> str:
    return next((name for name in reversed(names) if name != reference), reference)


def _numbers(one: Difference) -> tuple[str, str, str]:
    over_items = "" if one.items is None else f"\\[{_signed(one.items.low)}, {_signed(one.items.high)}]"
    return _interval(one), over_items, _unsigned(one.interval.smallest_detectable)


def _interval(one: Difference) -> str:
    interval = one.interval
    return f"{_signed(interval.difference)} \\[{_signed(interval.low)}, {_signed(interval.high)}]"


def _value(arm: ArmResult, metric: str) -> str:
    return _unsigned(arm.metrics[metric])


def _signed(value: float) -> str:
    """+.0140: no zero before the point, or three numbers and a verdict do not fit a line."""
    return f"{value:+.4f}".replace("0.", ".", 1)


def _unsigned(value: float) -> str:
    return f"{value:.4f}".replace("0.", ".", 1) if value < 1 else f"{value:.4f}"


def _table() -> Table:
    shown = plain_table()
    shown.show_edge = False
    return shown


def _word(metric: str) -> str:
    return metric.split("@")[0].replace("_", " ")


def _bold(cell: str, is_bold: bool) -> str:
    return f"[bold]{cell}[/]" if is_bold else cell
