"""`graphrec recall`: candidates for users and baskets."""

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
        typer.Option(help="A visitor's basket: item ids, separated by commas or given several times."),
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
    """The best candidates for known users, or for a visitor with a basket."""
    from graphrec.data.filters import Filters
    from graphrec.data.privacy.lookup import ids_known
    from graphrec.recommender import Recommender
    from graphrec.screen import recommendations_table

    if (user is None) == (items is None):
        raise typer.BadParameter("give --user ID (one or several), or --items ID,ID,…")
    key = chosen_key(key_env, key_file)
    model = Recommender.load(run)
    warn_of_forgotten(model.forgotten_)
    filters = Filters(tuple(site or ()), tuple(where or ()), split_ids(exclude), only_new)
    if user is not None:
        known = ids_known(model.train_, user, key)
        table, whom = model.recommend(known, k, not seen, filters=filters), ", ".join(user)
    else:
        basket = split_ids(items)
        table, whom = model.recommend_from_items(basket, k, filters=filters), f"a visitor with {', '.join(basket)}"
    if as_json:
        print_json(table.to_dict(orient="records"))
        return
    answer().print(recommendations_table(table, f"Candidates from {run} for {whom}"))
