"""`graphrec check`: what a dataset holds."""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import DatasetArgument, JsonOption, RootOption
from graphrec.cli.output import answer, print_json, screen_and_progress
from graphrec.errors import GraphRecError


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

    _, progress = screen_and_progress()
    data = open_dataset(dataset, root, progress)
    report = check_dataset(data, images, progress)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_check(answer(), report)
    if not len(data.set_aside):
        return
    try:
        write_set_aside(data.set_aside, set_aside)
    except GraphRecError as error:  # the report stands
        raise GraphRecError(f"{error} Name another place for the rows set aside with --set-aside FILE.") from None
    if not as_json:
        answer().print(f"Every row set aside, with its reason: {set_aside}", markup=False)
