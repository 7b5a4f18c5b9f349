"""`graphrec export`: the vectors as files for other programs, or into a database."""

from pathlib import Path
from typing import Annotated, Any

import typer

from graphrec.cli.export_stores import NAME, STORES, StoreOptions, export_to_store
from graphrec.cli.options import RUN, JsonOption, RunOption
from graphrec.cli.output import answer, print_json, warn_of_forgotten


def export(
    out: Annotated[Path | None, typer.Option(help="Folder for the files.", show_default=False)] = None,
    to: Annotated[Any, typer.Option(help="parquet, npy, faiss, recbole; or a database: qdrant, postgres.")] = "parquet",
    index_ids: Annotated[
        Any, typer.Option(help="What the FAISS index calls an item: row (of item_ids.csv) or stable (its 64-bit id).")
    ] = "row",
    url: Annotated[str | None, typer.Option(help="Qdrant: the server.", show_default=False)] = None,
    path: Annotated[
        Path | None,
        typer.Option(help="Qdrant: a folder of its embedded mode; only one of your own.", show_default=False),
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Qdrant: environment variable with the key.", show_default=False)
    ] = None,
    dsn_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: environment variable with the connection string, postgresql://user:password@host/database.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str, typer.Option("--collection", "--table", help="Database: what the items are kept in.")] = NAME,
    users: Annotated[
        bool, typer.Option("--users", help="Database: also the users' queries and what they saw.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Database: in place of the vectors of another model version.")
    ] = False,
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """Write the vectors as files that other programs read, or into a database; their inner product is the score."""
    from graphrec.recommender import Recommender
    from graphrec.workflow import export_run

    if to in STORES:
        options = StoreOptions(to, name, path, url, api_key_env, dsn_env, users, replace)
        options.check()
        model = Recommender.load(run)
        warn_of_forgotten(model.forgotten_)
        export_to_store(model, options, as_json)
        return
    if to not in ("parquet", "npy", "faiss", "recbole"):
        raise typer.BadParameter(
            f"expected parquet, npy, faiss, recbole, qdrant or postgres, got {to!r}", param_hint="--to"
        )
    if index_ids not in ("row", "stable"):
        raise typer.BadParameter(f"expected row or stable, got {index_ids!r}", param_hint="--index-ids")
    if index_ids != "row" and to != "faiss":
        raise typer.BadParameter(
            "only a FAISS index has ids of its own: use it with --to faiss", param_hint="--index-ids"
        )
    if out is None:
        raise typer.BadParameter("name a folder for the files", param_hint="--out")
    model = Recommender.load(run)
    warn_of_forgotten(model.forgotten_)
    manifest = export_run(model, to, out, index_ids)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    answer().print(f"Written to {out}: {', '.join(manifest.files)} and manifest.json", markup=False)
