"""`graphrec sites`: what passes between sites, and what does not."""

from pathlib import Path
from typing import Annotated

import typer

from graphrec.cli.options import DatasetArgument, JsonOption, RootOption
from graphrec.cli.output import answer, print_json, screen_and_progress
from graphrec.cli.sites_match import match

sites_app = typer.Typer(help="Several sites: one product, one person, and what a site may tell.", no_args_is_help=True)


@sites_app.callback()
def _sites() -> None:
    """Several sites: one product, one person, and what a site may tell."""


sites_app.command()(match)


@sites_app.command()
def counts(
    out: Annotated[Path, typer.Option(help="The parquet file to write.")],
    dataset: DatasetArgument = None,
    root: RootOption = None,
    site: Annotated[
        str | None, typer.Option(help="Whose log to count. Default: the only one.", show_default=False)
    ] = None,
    minimum: Annotated[
        int,
        typer.Option(
            min=2,
            metavar="PEOPLE",
            help="What fewer people than this stand behind is left out, and what tells of so few.",
        ),
    ] = 5,
    most_items: Annotated[
        int,
        typer.Option(
            min=2, metavar="ITEMS", help="So many items of one person count at most, drawn at random from them."
        ),
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of that drawing.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Count how many people the items of a site have, and share: all that leaves a site that keeps its log."""
    from graphrec.data.counts_file import write_counts
    from graphrec.data.site_counts import SiteCounts
    from graphrec.workflow import open_dataset

    _, progress = screen_and_progress()
    data = open_dataset(dataset, root, progress)
    told = SiteCounts.of(data, site, minimum, most_items, seed, progress)
    write_counts(told, out)
    items, pairs = len(told.item_ids), told.counts.pairs_II.nnz // 2
    if as_json:
        print_json({"file": str(out), "site": told.site, "minimum": minimum, "items": items, "pairs": pairs})
        return
    answer().print(
        f"{items:,} items and {pairs:,} pairs of items with at least {minimum} people each; all others are left out, "
        "and pairs that tell of fewer people who have one item and not the other. "
        f"Written to {out}",
        markup=False,
    )


@sites_app.command()
def key(path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.")]) -> None:
    """Make a key for the pseudonyms of user ids. Keep it apart from the data, and hand it only to sites that share."""
    from graphrec.data.privacy.key import write_new_key

    write_new_key(path)
    answer().print(
        f"Written to {path}, for your eyes alone. In dataset.yaml: privacy: {{pseudonyms: {{scope: NAME, key_file: "
        f"{path.expanduser().resolve()}}}}}",
        markup=False,
        soft_wrap=True,
    )
