"""`graphrec eval`: did the graph help on held-out items?"""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import RUN, JsonOption, RunOption
from graphrec.cli.output import answer, print_json, screen_and_progress, warn_of_forgotten


def evaluate(
    pool: Annotated[str, typer.Option(help="cold, warm, full, several with commas, or all.")] = "cold",
    cold_items: Annotated[bool, typer.Option("--cold-items", help="The cold pool (the default).")] = False,
    k: Annotated[
        str, typer.Option("--k", "-k", metavar="K,K", help="Length of the lists; several with commas.")
    ] = "20",
    arms: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="What to compare, or all. Default: random, popularity, content-untrained, content and graph.",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The arm that the others are held against. Default: content.", show_default=False
        ),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME",
            help="recall, ndcg, precision, f1, hit_rate, mrr, map; of the lists: coverage, novelty, diversity, gini, "
            "cold_share; or all.",
        ),
    ] = "recall,ndcg,precision",
    by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME", help="Break it down by item-degree, user-degree, modality, or all.", show_default=False
        ),
    ] = None,
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
    memory: Annotated[int, typer.Option(metavar="MB", min=1, help="Working memory of the ranking.")] = 256,
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """Put the graph beside content and simpler arms on held-out items, and say whether it helped."""
    from graphrec.cli.eval_tables import print_comparison
    from graphrec.comparison.question import DEFAULT_ARMS, arm_names, by_names, cut_offs, metric_names
    from graphrec.leaks.check import skipped_checks
    from graphrec.recommender import Recommender
    from graphrec.workflow import evaluate_run

    screen, progress = screen_and_progress()
    if cold_items and pool != "cold":
        raise typer.BadParameter("--cold-items is the cold pool; leave it out to choose another --pool")
    per_user, of_lists = metric_names(metrics)
    asked_arms = DEFAULT_ARMS if arms is None else arm_names(arms)
    asked_by = [] if by is None else by_names(by)
    ks = cut_offs(k)
    model = Recommender.load(run)
    warn_of_forgotten(model.forgotten_)
    if num_changes := len(model.changes_.stored):
        changes = "1 change" if num_changes == 1 else f"{num_changes:,} changes"
        screen.print(f"What is judged is the run as it was trained, without the {changes} since.", markup=False)
    if skipped := skipped_checks(model):
        names = ", ".join(skipped)
        screen.print(f"! Not checked, for it was fitted before somebody was forgotten: {names}", style="yellow")
    comparison, set_aside = evaluate_run(
        model, pool, ks, split, truth, candidates, asked_arms, progress,
        metrics=per_user, reference=reference, by=asked_by, memory_mb=memory,
    )  # fmt: skip
    for (file, reason), count in set_aside.counts().items():
        screen.print(f"{file}: {count:,} rows set aside, {reason}", markup=False)
    if as_json:
        print_json(comparison.to_json())
        return
    print_comparison(answer(), comparison, of_lists)
