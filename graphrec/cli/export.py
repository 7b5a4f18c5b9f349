"""`graphrec export`: the vectors as files for other programs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from graphrec.cli.options import RUN, JsonOption, RunOption
from graphrec.cli.output import answer, print_json, warn_of_forgotten


def export(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    to: Annotated[Any, typer.Option(help="parquet, npy, faiss or recbole.")] = "parquet",
    index_ids: Annotated[
        Any, typer.Option(help="What the FAISS index calls an item: row (of item_ids.csv) or stable (its 64-bit id).")
    ] = "row",
    run: RunOption = RUN,
    as_json: JsonOption = False,
) -> None:
    """Write the vectors as files that other programs read; their inner product is the score."""
    from graphrec.recommender import Recommender
    from graphrec.workflow import export_run

    if to not in ("parquet", "npy", "faiss", "recbole"):
        raise typer.BadParameter(f"expected parquet, npy, faiss or recbole, got {to!r}", param_hint="--to")
    if index_ids not in ("row", "stable"):
        raise typer.BadParameter(f"expected row or stable, got {index_ids!r}", param_hint="--index-ids")
    if index_ids != "row" and to != "faiss":
        raise typer.BadParameter(
            "only a FAISS index has ids of its own: use it with --to faiss", param_hint="--index-ids"
        )
    model = Recommender.load(run)
    warn_of_forgotten(model.forgotten_)
    manifest = export_run(model, to, out, index_ids)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    answer().print(f"Written to {out}: {', '.join(manifest.files)} and manifest.json", markup=False)
