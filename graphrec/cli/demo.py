"""`graphrec demo`: the whole way on the sample store."""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import CACHE
from graphrec.cli.output import print_notes, run_option, say_on, screen_and_progress


def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="Where the run is written. Default: runs/latest, or runs/demo.", show_default=False),
    ] = None,
) -> None:
    """Show the whole way on the sample store, without any download: check, train, recall, eval."""
    from graphrec.cli.eval_tables import print_comparison
    from graphrec.config import GraphRecConfig
    from graphrec.data.check import check as check_dataset
    from graphrec.screen import print_check, print_choices, recommendations_table
    from graphrec.workflow import SAMPLE_STORE, demo_run, demo_user, evaluate_run, open_dataset, train_run

    screen, progress = screen_and_progress()
    out = demo_run() if out is None else out
    screen.rule("1  sample store: two small made-up fashion sites", align="left")
    dataset = open_dataset(None, progress=progress)
    screen.print(f"Look at it: {SAMPLE_STORE}/ (a folder of your own needs no more than items and interactions)")
    screen.rule("2  check: what is in it, what is broken", align="left")
    print_check(screen, check_dataset(dataset, progress=progress))
    screen.rule("3  train: a fifth of the items held out whole", align="left")
    model = train_run(dataset, GraphRecConfig(), out, progress=progress, say=say_on(screen), cache=CACHE)
    print_notes(screen, model.features_.notes)
    print_choices(screen, model.model_.choices)
    screen.rule("4  recall: candidates for one user", align="left")
    user = demo_user(model)
    screen.print(recommendations_table(model.recommend([user], 5), f"For user {user}, from the whole catalogue"))
    screen.print(
        recommendations_table(
            model.recommend([user], 5, only_new=True), f"For user {user}, of the items nobody has touched"
        )
    )
    screen.rule("5  eval: did the graph beat content on the items it never saw?", align="left")
    comparison, _ = evaluate_run(model, progress=progress)
    print_comparison(screen, comparison)
    screen.print("The sample store shows the wiring; evidence comes from real data. What to run next:")
    run = run_option(out)
    screen.print(f"  graphrec recall --user {user} --only-new{run}")
    screen.print(f"  graphrec eval --pool all{run}")
    screen.print(
        "  graphrec check FOLDER, graphrec train FOLDER, graphrec eval --cold-items, with a folder of your own"
    )
