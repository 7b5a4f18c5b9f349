"""`graphrec eval`: did the graph help on held-out items?"""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import RUN, JsonOption, KOption, RunOption
from graphrec.cli.output import answer, print_json, screen_and_progress


def evaluate(
    pool: Annotated[str, typer.Option(help="cold, warm, full, several with commas, or all.")] = "cold",
    cold_items: Annotated[bool, typer.Option("--cold-items", help="The cold pool (the default).")] = False,
    k: KOption = 20,
    split: Annotated[
        str | None,
        typer.Option(help="A held-out split of the run. Default: the run's own, or valid.", show_default=False),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Held-out interactions (user_id, item_id) to evaluate on.", show_default=False)
    ] = None,
    candidates: Annotated[
        Path | None, typer.Option(help="The items (item_id) that may be ranked.", show_default=False)
    ] = None,
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """Put the graph beside content and simpler arms on held-out items, and say whether it helped."""
    from graphrec.recommender import Recommender
    from graphrec.screen import print_comparison
    from graphrec.workflow import evaluate_run

    screen, progress = screen_and_progress()
    if cold_items and pool != "cold":
        raise typer.BadParameter("--cold-items is the cold pool; leave it out to choose another --pool")
    model = Recommender.load(run)
    comparison, set_aside = evaluate_run(model, pool, k, split, truth, candidates, progress=progress)
    for (file, reason), count in set_aside.counts().items():
        screen.print(f"{file}: {count:,} rows set aside, {reason}", markup=False)
    if as_json:
        print_json(comparison.to_json())
        return
    print_comparison(answer(), comparison)
