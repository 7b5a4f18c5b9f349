"""`graphrec search`: items by text, picture and items."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from graphrec.cli.options import (
    RUN,
    ExcludeOption,
    JsonOption,
    KOption,
    RunOption,
    SiteOption,
    WhereOption,
    split_ids,
)
from graphrec.cli.output import answer, print_json


def search(
    text: Annotated[
        list[str] | None, typer.Option(help="What to look for; may be given several times.", show_default=False)
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(help="A picture file; may be given several times.", show_default=False)
    ] = None,
    items: Annotated[
        list[str] | None,
        typer.Option(help="More like these item ids, separated by commas or given several times.", show_default=False),
    ] = None,
    but: Annotated[
        list[str] | None,
        typer.Option(help='What should differ from the picture or items, such as "red".', show_default=False),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--not", help="What there should be less of.", show_default=False)
    ] = None,
    k: KOption = 20,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Such as text=0.9,image=0.1; equal; or learned, the default for a text with a picture.",
            show_default=False,
        ),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Candidates that the weights put in order; none: a single stage. Default: 10 k, at least 200.",
            show_default=False,
        ),
    ] = None,
    site: SiteOption = None,
    where: WhereOption = None,
    exclude: ExcludeOption = None,
    only_new: Annotated[bool, typer.Option("--only-new", help="Only items that nobody has touched yet.")] = False,
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """Items by text, picture, other items, or any mix of them; no user and no history."""
    from graphrec.data.filters import Filters
    from graphrec.recommender import Recommender
    from graphrec.screen import search_table

    if not (text or image or items):
        raise typer.BadParameter("give --text TEXT, --image FILE, --items ID,ID,… or several of them")
    filters = Filters(tuple(site or ()), tuple(where or ()), split_ids(exclude), only_new)
    table = Recommender.load(run).search(
        text, image, split_ids(items), k, but=but, without=without, weights=weights, rerank=_rerank(rerank),
        filters=filters,
    )  # fmt: skip
    if as_json:
        print_json(table.astype(object).where(table.notna(), None).to_dict(orient="records"))
        return
    answer().print(search_table(table, f"Found in {run}"))


def _rerank(given: str | None) -> int | Literal["none"] | None:
    if given is None:
        return None
    if given == "none":
        return "none"
    if not given.isdecimal() or int(given) < 1:
        raise typer.BadParameter(f"expected a number of at least 1 or none, got {given!r}", param_hint="--rerank")
    return int(given)
