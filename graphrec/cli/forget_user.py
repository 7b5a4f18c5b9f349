"""`graphrec forget-user`: people who leave."""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import RUN, JsonOption, KeyEnvOption, KeyFileOption, RunOption, chosen_key
from graphrec.cli.output import answer, print_json, say_on, screen_and_progress, warn_of_forgotten


def forget_user(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="User ids.")],
    run: RunOption = RUN,
    export: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder that export wrote from this run; may be given several times. Those inside the run's folder "
            "are found.",
            show_default=False,
        ),
    ] = None,
    key_env: KeyEnvOption = None,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove people from a run and its exports, make everything anew but the weights, and look for what is left.

    The vocabulary and the values and ranges of attributes stay as they were fitted too, so eval skips their leak checks
    until you train again. The dataset's own files are not touched: delete the rows there too, before you train again.
    """
    from graphrec.forgetting.folder import forget_in_folder
    from graphrec.leaks.check import FITTED_BEFORE

    screen, progress = screen_and_progress()
    key = chosen_key(key_env, key_file)
    done = forget_in_folder(run, ids, export or (), key, progress=progress, say=say_on(screen))
    if as_json:
        print_json(done.to_json())
    else:
        people = "1 person" if done.people == 1 else f"{done.people:,} people"
        lines = [
            f"Forgotten in {run}: {people}, {done.events:,} events, {done.held_out_pairs:,} held-out pairs, "
            f"{done.rows_set_aside:,} rows set aside. Made anew: graph, user and item vectors, popularity, index."
        ]
        if not done.people:
            lines = [f"Nobody of them is in the run at {run}."]
        lines += [f"Export made anew: {path}" for path in done.exports]
        lines += [f"Removed, because somebody had put it into the run's folder: {name}" for name in done.removed]
        if done.in_weights:
            lines += [
                "As they were fitted: the weights, the vocabulary, and the values and ranges of attributes. Until you "
                f"train again, eval skips these leak checks: {', '.join(FITTED_BEFORE)}."
            ]
        lines += [
            "No trace is left there. The dataset's own files are as they were: delete the rows in them too, before you "
            "train again."
        ]
        for line in lines:
            answer().print(line, markup=False, soft_wrap=True)
    warn_of_forgotten(done.in_weights)
