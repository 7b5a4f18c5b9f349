"""What `graphrec tune` shows: the conclusion, the best trials, and what was changed. Fits a terminal of 80 columns."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graphrec.evaluation.intervals import Verdict
from graphrec.screen import plain_table
from graphrec.tune.journal import Trial
from graphrec.tune.result import STOPPED, Improvement, Tuning
from graphrec.tune.space import as_label

_SHOWN = 10


def print_tuning(console: Console, tuning: Tuning) -> None:
    """The answer, and the noise in it."""
    console.print(f"[bold]{escape(tuning.conclusion[:1].upper() + tuning.conclusion[1:])}.[/]")
    failed = sum(trial.score is None for trial in tuning.trials)
    counts = f"{len(tuning.trials)} trials" + (f", {failed} of them failed" if failed else "")
    console.print(
        f"[dim]NDCG@20 on {tuning.num_items:,} items masked inside the training data, mean of with and without "
        f"popularity; {counts}; {STOPPED[tuning.stopped]}.[/]"
    )
    console.print()
    console.print(_trials_table(tuning))
    if tuning.improvements:
        console.print(_improvement_table(tuning))
        console.print(
            "[dim]95 % intervals over users; the wider one is for the best of so many trials. Both are optimistic: "
            "the settings were chosen on these very items, and other seeds are not in them. eval on what training "
            "holds out tells.[/]"
        )


def _trials_table(tuning: Tuning) -> Table:
    in_order = sorted(tuning.trials, key=lambda trial: -1.0 if trial.score is None else trial.score, reverse=True)
    shown = in_order[:_SHOWN]
    if tuning.start not in shown:
        shown.append(tuning.start)
    pools = list(tuning.start.ndcg)
    table = plain_table(f"Best {min(_SHOWN, len(in_order))} of {len(in_order)} trials")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("NDCG@20", justify="right", no_wrap=True)
    for pool in pools if len(pools) > 1 else []:
        table.add_column(pool, justify="right", no_wrap=True)
    table.add_column("epochs", justify="right", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    table.add_column("changed", overflow="fold")
    for trial in shown:
        by_pool = [_number(trial.ndcg.get(pool)) for pool in pools] if len(pools) > 1 else []
        score = _number(trial.score)
        table.add_row(
            str(trial.number),
            f"[green]{score}[/]" if trial is tuning.best else score,
            *by_pool,
            str(trial.epochs),
            f"{trial.seconds:.0f}",
            _changed(trial, tuning.start),
        )
    return table


def _improvement_table(tuning: Tuning) -> Table:
    table = plain_table("Best - starting settings")
    best_of = f"best of {len(tuning.trials) - 1}"
    for name in ("pool", "difference", "interval", best_of, "detectable", "users"):
        table.add_column(name, justify="left" if name == "pool" else "right")
    for one in tuning.improvements:
        table.add_row(
            one.pool,
            f"[{_style(one)}]{one.plain.difference:+.4f}[/]",
            f"{one.plain.low:+.4f} .. {one.plain.high:+.4f}",
            f"{one.for_choice.low:+.4f} .. {one.for_choice.high:+.4f}",
            f"{one.for_choice.smallest_detectable:.4f}",
            f"{one.plain.num_users:,}",
        )
    return table


def _style(improvement: Improvement) -> str:
    return {Verdict.HELPS: "green", Verdict.HURTS: "red"}.get(improvement.verdict, "yellow")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _changed(trial: Trial, start: Trial) -> str:
    """What differs from the starting settings, by the last word of each key."""
    if trial is start:
        return "[dim]nothing: the starting settings[/]"
    if trial.failed is not None:
        return f"[red]failed[/]: {escape(trial.failed)}"
    pairs = [
        f"{key.rpartition('.')[2]} {as_label(value)}" for key, value in trial.point.items() if value != start.point[key]
    ]
    return escape(", ".join(pairs))
