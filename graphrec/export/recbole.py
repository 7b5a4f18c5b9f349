"""Vectors as RecBole's atomic files, and the lines of its configuration that read them.

RecBole loads a file `<dataset>.<suffix>` for every suffix in `additional_feat_suffix`, maps the ids in it as it maps
those of the log (`alias_of_item_id`, `alias_of_user_id`), and hands the vectors out as a matrix that fits its own
numbering (`preload_weight`, `dataset.get_preload_weight("iid")`): https://recbole.io/docs/user_guide/usage/load_pretrained_embedding.html
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from graphrec.errors import GraphRecError
from graphrec.export.columns import write_rows
from graphrec.retrieval.embeddings import Embeddings

_ROWS = 16_384  # written at a time: text takes three times the room of the numbers
_HOW = """\
# Copy {files} into the folder of your dataset, as {named}, and add these lines to its
# configuration. In a model, dataset.get_preload_weight("iid") is a matrix with a row per item as RecBole counts them,
# items without any interaction among them.
"""


def write_recbole(folder: Path, items: Embeddings, users: Embeddings) -> None:
    """`items.itememb`, `users.useremb`, `recbole.yaml`, and the ids of the rows as for the other formats.

    A number is written with as few digits as tell it from every other float32. Without users there is no file of them.
    Raises GraphRecError where RecBole would read an id as another.
    """
    _write_atomic(folder / "items.itememb", "iid:token\titem_emb:float_seq", items)
    if len(users):
        _write_atomic(folder / "users.useremb", "uid:token\tuser_emb:float_seq", users)
    (folder / "recbole.yaml").write_text(recbole_config(items.dim, bool(len(users))), encoding="utf-8")
    write_rows(folder, items, users)


def recbole_config(dim: int, has_users: bool) -> str:
    """The lines that make RecBole read the files, with what to do about them as a comment."""
    kinds = [("item", "iid")] + ([("user", "uid")] if has_users else [])
    settings = {
        "additional_feat_suffix": [f"{kind}emb" for kind, _ in kinds],
        "load_col": {"inter": ["user_id", "item_id"], **{f"{kind}emb": [id_, f"{kind}_emb"] for kind, id_ in kinds}},
        **{f"alias_of_{kind}_id": [id_] for kind, id_ in kinds},
        "preload_weight": {id_: f"{kind}_emb" for kind, id_ in kinds},
        "normalize_all": False,
        "embedding_size": dim,
    }
    files = " and ".join(f"{kind}s.{kind}emb" for kind, _ in kinds)
    named = " and ".join(f"<dataset>.{kind}emb" for kind, _ in kinds)
    return _HOW.format(files=files, named=named) + yaml.safe_dump(settings, sort_keys=False, default_flow_style=None)


def _write_atomic(path: Path, header: str, embeddings: Embeddings) -> None:
    _require_readable(embeddings.ids)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(header + "\n")
        for start in range(0, len(embeddings), _ROWS):
            rows = slice(start, start + _ROWS)
            for id_, numbers in zip(embeddings.ids[rows], _texts(embeddings.vectors[rows]), strict=True):
                file.write(f"{id_}\t{numbers}\n")


def _texts(vectors_ND: np.ndarray) -> list[str]:
    """Each vector's numbers, separated by spaces; Arrow writes the shortest text that reads back as the same float."""
    words = pc.cast(pa.array(np.ascontiguousarray(vectors_ND).reshape(-1)), pa.string())
    offsets = pa.array(np.arange(len(vectors_ND) + 1, dtype=np.int32) * vectors_ND.shape[1])
    return pc.binary_join(pa.ListArray.from_arrays(offsets, words), " ").to_pylist()


def _require_readable(ids: np.ndarray) -> None:
    """RecBole reads with pandas, for which some words mean nothing ("NA") and a quotation mark opens a quotation."""
    if _is_readable(ids):
        return
    while len(ids) > 1:  # what is readable ends clean, so that what follows it is read on its own
        half = len(ids) // 2
        ids = ids[half:] if _is_readable(ids[:half]) else ids[:half]
    raise GraphRecError(
        f"RecBole would not read the id {ids[0]!r} as it is (it reads with pandas: no tabs, line breaks, leading "
        'quotation marks or words such as "NA"): rename it, or export to another format.'
    )


def _is_readable(ids: np.ndarray) -> bool:
    if not len(ids):
        return True
    lines = io.StringIO("".join(f"{one}\t0\n" for one in ids))
    try:
        read = pd.read_csv(lines, delimiter="\t", dtype=str, header=None)
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return False
    return read.shape == (len(ids), 2) and read[0].tolist() == ids.tolist()
