"""The command line: parse, call one function, print. Heavy imports wait inside the commands, so that help is quick."""

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphrec.errors import GraphRecError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help="Candidate recall in catalogues where new items keep arriving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_RUN = Path("runs/latest")
DatasetArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DATASET]", help="A dataset folder or dataset.yaml. Default: the sample store.", show_default=False
    ),
]
RootOption = Annotated[
    Path | None, typer.Option(help="Folder that the paths in dataset.yaml start from.", show_default=False)
]
RunOption = Annotated[Path, typer.Option("--run", help="The run folder to read.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
ConfigOption = Annotated[Path | None, typer.Option(help="YAML file with settings.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override one setting, such as model.encoder.dim=64.", show_default=False
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
KOption = Annotated[int, typer.Option("-k", min=1, help="How many items.")]


@app.command()
def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="Where the run is written. Default: runs/latest, or runs/demo.", show_default=False),
    ] = None,
) -> None:
    """Show the whole way on the sample store, without any download: check, train, recall, eval."""
    from graphrec.config import GraphRecConfig
    from graphrec.data.check import check as check_dataset
    from graphrec.screen import print_check, print_choices, print_comparison, recommendations_table
    from graphrec.workflow import SAMPLE_STORE, demo_run, demo_user, evaluate_run, open_dataset, train_run

    screen, progress = _screen()
    out = demo_run() if out is None else out
    screen.rule("1  sample store: two small made-up fashion sites", align="left")
    dataset = open_dataset(None, progress=progress)
    screen.print(f"Look at it: {SAMPLE_STORE}/ (a folder of your own needs no more than items and interactions)")
    screen.rule("2  check: what is in it, what is broken", align="left")
    print_check(screen, check_dataset(dataset, progress=progress))
    screen.rule("3  train: a fifth of the items held out whole", align="left")
    model = train_run(dataset, GraphRecConfig(), out, progress=progress)
    _print_notes(screen, model.features_.notes)
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
    run = _run_option(out)
    screen.print(f"  graphrec recall --user {user} --only-new{run}")
    screen.print(f"  graphrec eval --pool all{run}")
    screen.print(
        "  graphrec check FOLDER, graphrec train FOLDER, graphrec eval --cold-items, with a folder of your own"
    )


@app.command()
def check(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    images: Annotated[bool, typer.Option(help="Look at every picture file.")] = True,
    set_aside: Annotated[Path, typer.Option(help="File for the rows that cannot be used, if there are any.")] = Path(
        "runs/check/set_aside.csv"
    ),
    as_json: JsonOption = False,
) -> None:
    """Say what a dataset holds, what is missing and which rows cannot be used, before anything is trained."""
    from graphrec.data.check import check as check_dataset
    from graphrec.data.set_aside import write_set_aside
    from graphrec.screen import print_check
    from graphrec.workflow import open_dataset

    _, progress = _screen()
    data = open_dataset(dataset, root, progress)
    report = check_dataset(data, images, progress)
    if len(data.set_aside):
        set_aside.parent.mkdir(parents=True, exist_ok=True)
        write_set_aside(data.set_aside, set_aside)
    if as_json:
        _print_json(report.model_dump(mode="json"))
        return
    print_check(_answer(), report)
    if len(data.set_aside):
        _answer().print(f"Every row set aside, with its reason: {set_aside}", markup=False)


@app.command()
def train(
    dataset: DatasetArgument = None,
    root: RootOption = None,
    out: Annotated[Path, typer.Option(help="Where the run is written.")] = _RUN,
    config: ConfigOption = None,
    settings: SetOption = None,
    hold_out: Annotated[
        bool, typer.Option(help="Keep back whole items (or the dataset's own splits) for eval.")
    ] = True,
    device: DeviceOption = "auto",
) -> None:
    """Learn item and user vectors and write a run that recall, eval and export read."""
    from graphrec.config import GraphRecConfig
    from graphrec.screen import print_choices
    from graphrec.workflow import next_command, open_dataset, train_run

    screen, progress = _screen()
    resolved = GraphRecConfig.load(config, settings or ())
    data = open_dataset(dataset, root, progress)
    model = train_run(data, resolved, out, hold_out, _device(device), progress)
    _print_notes(screen, model.features_.notes)
    print_choices(screen, model.model_.choices)
    if len(data.set_aside):
        screen.print(f"{len(data.set_aside):,} rows were set aside: {out / 'set_aside.csv'}", markup=False)
    held_out = ", ".join(f"{name} ({len(truth.user_index_P):,} pairs)" for name, truth in model.held_out_.items())
    screen.print(f"Held out: {held_out or 'nothing'}. Run written to {out}", markup=False)
    screen.print(f"Next: graphrec {next_command(model)}{_run_option(out)}", markup=False)


@app.command()
def recall(
    user: Annotated[
        list[str] | None, typer.Option(help="A user id; may be given several times.", show_default=False)
    ] = None,
    items: Annotated[
        list[str] | None,
        typer.Option(help="A visitor's basket: item ids, separated by commas or given several times."),
    ] = None,
    k: KOption = 20,
    seen: Annotated[bool, typer.Option("--include-seen", help="Also items that the user has touched.")] = False,
    only_new: Annotated[bool, typer.Option("--only-new", help="Only items that nobody has touched yet.")] = False,
    run: RunOption = _RUN,
    as_json: JsonOption = False,
) -> None:
    """The best candidates for known users, or for a visitor with a basket."""
    from graphrec.recommender import Recommender
    from graphrec.screen import recommendations_table

    if (user is None) == (items is None):
        raise typer.BadParameter("give --user ID (one or several), or --items ID,ID,…")
    model = Recommender.load(run)
    if user is not None:
        table, title = model.recommend(user, k, not seen, only_new), f"Candidates from {run} for {', '.join(user)}"
    else:
        basket = [one.strip() for one in ",".join(items or ()).split(",") if one.strip()]
        table, title = (
            model.recommend_from_items(basket, k, only_new),
            f"Candidates from {run} for a visitor with {', '.join(basket)}",
        )
    if as_json:
        _print_json(table.to_dict(orient="records"))
        return
    _answer().print(recommendations_table(table, title))


@app.command("eval")
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
    run: RunOption = _RUN,
    as_json: JsonOption = False,
) -> None:
    """Put the graph beside content and simpler arms on held-out items, and say whether it helped."""
    from graphrec.recommender import Recommender
    from graphrec.screen import print_comparison
    from graphrec.workflow import evaluate_run

    screen, progress = _screen()
    if cold_items and pool != "cold":
        raise typer.BadParameter("--cold-items is the cold pool; leave it out to choose another --pool")
    model = Recommender.load(run)
    comparison, set_aside = evaluate_run(model, pool, k, split, truth, candidates, progress=progress)
    for (file, reason), count in set_aside.counts().items():
        screen.print(f"{file}: {count:,} rows set aside, {reason}", markup=False)
    if as_json:
        _print_json(comparison.to_json())
        return
    print_comparison(_answer(), comparison)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    to: Annotated[Any, typer.Option(help="parquet, npy or faiss.")] = "parquet",
    run: RunOption = _RUN,
    as_json: JsonOption = False,
) -> None:
    """Write the vectors as files that other programs read; their inner product is the score."""
    from graphrec.recommender import Recommender
    from graphrec.workflow import export_run

    if to not in ("parquet", "npy", "faiss"):
        raise typer.BadParameter(f"expected parquet, npy or faiss, got {to!r}", param_hint="--to")
    manifest = export_run(Recommender.load(run), to, out)
    if as_json:
        _print_json(manifest.model_dump(mode="json"))
        return
    _answer().print(f"Written to {out}: {', '.join(manifest.files)} and manifest.json", markup=False)


def main() -> None:
    """Entry point: an expected failure is one line on standard error and exit code 1."""
    # Deprecations inside torch and its packages are not for a user of the command line.
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    try:
        app()
    except GraphRecError as error:
        typer.echo(f"graphrec: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
        sys.exit(0)


def _screen() -> "tuple[Console, Any]":
    from rich.console import Console

    from graphrec.screen import ProgressBars

    console = Console(stderr=True, highlight=False, emoji=False)
    return console, ProgressBars(console)


def _answer() -> "Console":
    from rich.console import Console

    return Console(highlight=False, emoji=False)  # an id such as :heart: is printed as it is


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.item()  # NumPy's scalars


def _print_notes(screen: "Console", notes: tuple[str, ...]) -> None:
    for note in notes:
        screen.print(note, style="yellow" if note.startswith("STAND-IN") else "dim", markup=False)


def _run_option(out: Path) -> str:
    return "" if out == _RUN else f" --run {out}"


def _device(name: str) -> Any:
    if name not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"expected auto, cpu or cuda, got {name!r}", param_hint="--device")
    return name
