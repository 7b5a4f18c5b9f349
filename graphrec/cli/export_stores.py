"""`graphrec export --to qdrant` and `--to postgres`: the vectors into a database."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from graphrec.cli.output import answer, print_json, screen_and_progress
from graphrec.errors import GraphRecError

if TYPE_CHECKING:
    from graphrec.export.stores.item_store import ItemStore
    from graphrec.recommender import Recommender

STORES = ("qdrant", "postgres")
NAME = "graphrec_items"


@dataclass(frozen=True)
class StoreOptions:
    """Which database, and what of the run goes into it."""

    to: str
    name: str
    """Of the table or collection."""
    path: Path | None = None
    url: str | None = None
    api_key_env: str | None = None
    dsn_env: str | None = None
    users: bool = False
    replace: bool = False

    def check(self) -> None:
        """A usage error where it is not clear which database is meant."""
        if self.to == "postgres" and self.dsn_env is None:
            raise typer.BadParameter(
                "name the environment variable that holds the connection string, such as DATABASE_URL",
                param_hint="--dsn-env",
            )
        if self.to == "qdrant" and (self.path is None) == (self.url is None):
            raise typer.BadParameter("give the url of a server or the path of a folder", param_hint="--url / --path")


def export_to_store(model: "Recommender", options: StoreOptions, as_json: bool) -> None:
    """Upsert a run's vectors and say what is there now."""
    from graphrec.export.stores.queries import Queries
    from graphrec.export.stores.records import ItemRecords

    _, progress = screen_and_progress()
    with _store(options) as store:
        users = Queries.of(model) if options.users else None
        done = store.upsert(ItemRecords.of(model), users, replace=options.replace, progress=progress)
    if as_json:
        print_json({"to": options.to, "name": options.name, "model_version": model.version, **vars(done)})
        return
    parts = [f"{done.items:,} items", *([f"{done.users:,} users"] if options.users else [])]
    parts += [f"{done.still_removed:,} of the items stay removed"] if done.still_removed else []
    parts += [f"{done.dropped:,} items of other versions left"] if done.dropped else []
    answer().print(f"{options.name} in {options.to}: {', '.join(parts)}; model version {model.version}", markup=False)


def _store(options: StoreOptions) -> "AbstractContextManager[ItemStore]":
    if options.to == "postgres":
        from graphrec.export.pgvector import PostgresItems

        assert options.dsn_env is not None
        dsn = _environment(options.dsn_env)
        return PostgresItems.open(dsn, options.name, named=f"the connection string in ${options.dsn_env}")
    from graphrec.export.qdrant import QdrantItems

    key = None if options.api_key_env is None else _environment(options.api_key_env)
    return QdrantItems.open(options.path, options.url, key, options.name)


def _environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise GraphRecError(f"The environment variable {name} is not set.")
    return value
