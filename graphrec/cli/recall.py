"""`graphrec recall`: candidates for users and baskets."""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import (
    RUN,
    ExcludeOption,
    JsonOption,
    KeyEnvOption,
    KeyFileOption,
    KOption,
    RunOption,
    SiteOption,
    WhereOption,
    chosen_key,
    split_ids,
)
from graphrec.cli.output import answer, print_json, warn_of_forgotten


def recall(
    user: Annotated[
        list[str] | None, typer.Option(help="A user id; may be given several times.", show_default=False)
    ] = None,
    items: Annotated[
        list[str] | None,
        typer.Option(
            help="A visitor's basket: item ids, separated by commas or given several times; also items of other sites."
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="A product that the visitor liked elsewhere, in words; may be given several times.", show_default=False
        ),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="Such a product's picture file; may be given several times.", show_default=False),
    ] = None,
    k: KOption = 20,
    seen: Annotated[bool, typer.Option("--include-seen", help="Also items that the user has touched.")] = False,
    only_new: Annotated[bool, typer.Option("--only-new", help="Only items that nobody has touched yet.")] = False,
    site: SiteOption = None,
    where: WhereOption = None,
    exclude: ExcludeOption = None,
    key_env: KeyEnvOption = None,
    key_file: KeyFileOption = None,
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """The best candidates for known users, or for a visitor with a basket; without either, what is popular.

    A basket may hold items of any site, and products that no site here sells, as --text or --image.
    """
    from graphrec.data.filters import Filters
    from graphrec.data.privacy.lookup import ids_known
    from graphrec.recommender import Recommender
    from graphrec.screen import recommendations_table

    has_basket = bool(items or text or image)
    if user is not None and has_basket:
        raise typer.BadParameter("give --user ID (one or several), or a basket (--items, --text, --image), not both")
    key = chosen_key(key_env, key_file)
    model = Recommender.load(run)
    warn_of_forgotten(model.forgotten_)
    filters = Filters(tuple(site or ()), tuple(where or ()), split_ids(exclude), only_new)
    if user is not None:
        known = ids_known(model.train_, user, key, model.changes_.user_ids)
        table, whom = model.recommend(known, k, not seen, filters=filters), ", ".join(user)
    elif has_basket:
        basket = split_ids(items)
        table = model.recommend_from_items(basket, k, filters=filters, texts=text or [], images=image or [])
        whom = f"a visitor with {', '.join([*basket, *(text or []), *(one.name for one in image or [])])}"
    else:
        table, whom = model.recommend_popular(k, filters=filters), "somebody unknown: what is popular"
    if as_json:
        print_json(table.to_dict(orient="records"))
        return
    answer().print(recommendations_table(table, f"Candidates from {run} for {whom}"))
