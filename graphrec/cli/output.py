"""Where answers and progress go: answers on standard output, everything else on standard error."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphrec.cli.options import RUN

if TYPE_CHECKING:
    from rich.console import Console

    from graphrec.progress import Say


def screen_and_progress() -> "tuple[Console, Any]":
    """The console on standard error, and the progress bars on it."""
    from rich.console import Console

    from graphrec.screen import ProgressBars

    console = Console(stderr=True, highlight=False, emoji=False)
    return console, ProgressBars(console)


def say_on(screen: "Console") -> "Say":
    """Lines as they are, not broken at the width of the screen: they hold paths."""
    return lambda line: screen.print(line, markup=False, soft_wrap=True)


def answer() -> "Console":
    """The console on standard output, for answers alone."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)  # an id such as :heart: is printed as it is


def print_json(value: Any) -> None:
    """An answer as JSON; NumPy's scalars are printed as numbers."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.item()  # NumPy's scalars


def print_notes(screen: "Console", notes: tuple[str, ...]) -> None:
    """Where the features came from."""
    for note in notes:
        screen.print(note, style="dim", markup=False)


def warn_of_forgotten(num_people: int) -> None:
    """That weights were trained with people who have been forgotten since; nothing where there are none."""
    if num_people:
        screen, _ = screen_and_progress()
        who = "a person who was" if num_people == 1 else f"{num_people} people who were"
        screen.print(f"! The weights were trained with {who} forgotten since: train again.", style="yellow")


def run_option(out: Path) -> str:
    """The option that names this run in a suggested command; empty for the default."""
    return "" if out == RUN else f" --run {out}"
