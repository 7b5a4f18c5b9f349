"""Item files as one catalogue."""

import posixpath
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.attributes import read_attributes
from graphrec.data.catalogue import Catalogue
from graphrec.data.columns import require_columns, resolve_columns
from graphrec.data.description import ITEM_COLUMNS, ITEM_ID, ItemsDescription
from graphrec.data.item_rows import ItemRows
from graphrec.data.normalise.apply import normalised
from graphrec.data.privacy.item_logs import ItemLogs
from graphrec.data.product_keys import read_keys
from graphrec.data.same_as_description import KEY_COLUMNS
from graphrec.data.set_aside import SetAsideCollector, Sieve, require_rows
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import Table, factorize, to_objects
from graphrec.data.values import holds_nul, is_empty, read_ids, without_zeros

_HAS_LINE_BREAK = "the id holds a line break (is a quotation mark not closed?)"
_UNPROTECTED = ItemLogs()
HOLDS_NUL = "the id holds a NUL byte (was the file cut off while it was written?)"


def read_catalogue(
    root: Path, descriptions: Sequence[ItemsDescription], collector: SetAsideCollector, logs: ItemLogs = _UNPROTECTED
) -> Catalogue:
    """The catalogue of `read_items`, for those who need not know where each item stood."""
    return read_items(root, descriptions, collector, logs)[0]


def read_items(
    root: Path, descriptions: Sequence[ItemsDescription], collector: SetAsideCollector, logs: ItemLogs = _UNPROTECTED
) -> tuple[Catalogue, ItemRows]:
    """All item files, one after the other; each description names its `file`. Second: where each item stood.

    Rows without an id, and all but the first row of an item, are set aside. A wrong number or an image path that leaves
    the root is reported and counts as missing; its item stays. Raises GraphRecError where a file or a named column is
    missing, or no row of a file can be used. `logs` says whose rows of a log may name an item.
    """
    tables = []
    for description in descriptions:
        table = read_table(root, description.file or "", collector, description.layout, description)
        require_rows(table, collector)
        tables.append(logs.rows(table, collector) if description.layout == "log" else table)
    return items_of_tables(root, tables, descriptions, collector)


def items_of_tables(
    root: Path,
    given: Sequence[Table],
    descriptions: Sequence[ItemsDescription],
    collector: SetAsideCollector,
    section: str | None = "items",
) -> tuple[Catalogue, ItemRows]:
    """The same from tables that were read before. With `section` None, settings of absent columns do not count."""
    tables, ids, names = [], [], []
    for table, description in zip(given, descriptions, strict=True):
        separators = description.multi_valued
        table = normalised(table, description, description.columns, separators, section, collector)
        columns = _columns(table, description, collector)
        if description.layout == "log":
            code_N, _ = factorize(table.columns[columns["item_id"]])
            table = table.take(~pd.Series(code_N).duplicated().to_numpy())
        tables.append(table)
        names.append(columns)
        ids.append(read_ids(table, columns["item_id"], description.item_prefix, collector))
    keep = _usable_rows(tables, names, ids, collector)
    tables = [table.take(keep_N) for table, keep_N in zip(tables, keep, strict=True)]
    ids = [id_N.filter(pa.array(keep_N)) for id_N, keep_N in zip(ids, keep, strict=True)]
    texts = [_text_columns(t, n, d) for t, n, d in zip(tables, names, descriptions, strict=True)]
    used = [{*n.values(), *text} for n, text in zip(names, texts, strict=True)]
    per_file = list(zip(tables, names, descriptions, strict=True))
    image = np.concatenate([_image(root, t, n, d, collector) for t, n, d in per_file])
    item_ids = np.concatenate([to_objects(id_N) for id_N in ids])
    _warn_of_zeros(item_ids, collector)
    catalogue = Catalogue(
        item_ids=item_ids,
        title=np.concatenate([_column(t, n.get("title"), "") for t, n, _ in per_file]),
        text=np.concatenate([_join_text(t, text) for t, text in zip(tables, texts, strict=True)]),
        image=image,
        image_root=root if (image != "").any() else None,
        site=np.concatenate([_column(t, n.get("site"), d.site or "") for t, n, d in per_file]),
        attributes=read_attributes(tables, descriptions, used, collector),
        keys=_keys(tables, names, collector),
    )
    file_I = np.concatenate([np.full(len(table), table.file, dtype=object) for table in tables])
    return catalogue, ItemRows(file_I, np.concatenate([table.row_N for table in tables]))


def _columns(table: Table, description: ItemsDescription, collector: SetAsideCollector) -> dict[str, str]:
    """graphrec's name → the file's column; a key may share its column with the id, as an ASIN does."""
    others = [name for name in ITEM_COLUMNS[1:] if name not in KEY_COLUMNS]
    columns = resolve_columns(table, description.columns, ("item_id",), others, "items", collector)
    keys = {name: description.columns.get(name, name) for name in KEY_COLUMNS}
    return columns | {name: column for name, column in keys.items() if column in table.columns}


def _keys(
    tables: Sequence[Table], names: Sequence[dict[str, str]], collector: SetAsideCollector
) -> dict[str, np.ndarray]:
    """Each key that any file has; "" for the items of files without it."""
    keys = [read_keys(table, columns, collector) for table, columns in zip(tables, names, strict=True)]
    found = [name for name in KEY_COLUMNS if any(name in one for one in keys)]
    return {
        name: np.concatenate(
            [one.get(name, np.full(len(table), "", dtype=object)) for table, one in zip(tables, keys, strict=True)]
        )
        for name in found
    }


def _usable_rows(
    tables: Sequence[Table], names: Sequence[dict[str, str]], ids: Sequence[pa.Array], collector: SetAsideCollector
) -> list[np.ndarray]:
    sieves = [Sieve(table, collector) for table in tables]
    for sieve, columns, id_N in zip(sieves, names, ids, strict=True):
        sieve.set_aside(is_empty(id_N), columns["item_id"], "empty item id")
        sieve.set_aside(has_line_break(id_N), columns["item_id"], _HAS_LINE_BREAK)
        sieve.set_aside(holds_nul(id_N), columns["item_id"], HOLDS_NUL)
    code_I, _ = factorize(pa.concat_arrays(ids))
    is_again_I = pd.Series(code_I).duplicated().to_numpy()
    starts = np.cumsum([len(table) for table in tables])[:-1]
    for sieve, columns, is_again_N in zip(sieves, names, np.split(is_again_I, starts), strict=True):
        sieve.set_aside(is_again_N, columns["item_id"], "item id stands before; its first row is kept")
        sieve.require_rows()
    return [sieve.keep_N for sieve in sieves]


def _warn_of_zeros(item_ids: np.ndarray, collector: SetAsideCollector) -> None:
    """Say where two items differ by leading zeros only: they may be one item that a spreadsheet has been at."""
    if not any(id_.startswith("0") for id_ in item_ids):
        return
    twins = pd.Series(item_ids).groupby(without_zeros(item_ids), sort=False).agg(list)
    twins = twins[twins.map(len) > 1]
    if len(twins):
        one, other = twins.iloc[0][:2]
        collector.warn(
            f"Item ids that differ by leading zeros only are kept apart: {len(twins)} times, such as {one!r} and "
            f"{other!r}; if they are one item, write them alike."
        )


def has_line_break(array: pa.Array) -> np.ndarray:
    """Boolean mask of the values that span lines."""
    return pc.match_substring(array, "\n").to_numpy(zero_copy_only=False)


def _column(table: Table, column: str | None, default: str) -> np.ndarray:
    """Trimmed values; `default` for all where the file has no such column."""
    if column is None:
        return np.full(len(table), default, dtype=object)
    code_N, distinct = factorize(table.text(column))
    return distinct[code_N]


def _text_columns(table: Table, columns: dict[str, str], description: ItemsDescription) -> list[str]:
    if description.text is None:
        return [columns[name] for name in ("title", "description") if name in columns]
    names = [columns.get(name, name) for name in description.text]
    require_columns(table, names, "items")
    return names


def _join_text(table: Table, columns: list[str]) -> np.ndarray:
    """The columns' texts joined by ". ", blank ones skipped."""
    text = pa.array([""] * len(table), type=pa.large_string())
    for name in columns:
        part = table.text(name)
        glue = pc.cast(pc.if_else(pc.or_(pc.equal(text, ""), pc.equal(part, "")), "", ". "), pa.large_string())
        text = pc.binary_join_element_wise(text, glue, part, pa.scalar("", pa.large_string()))
    return to_objects(text)


def _image(
    root: Path, table: Table, columns: dict[str, str], description: ItemsDescription, collector: SetAsideCollector
) -> np.ndarray:
    """Paths below the root; "" where there is none or it leaves the root."""
    if "image" not in columns and description.image_name is not None:
        return _named_after_ids(root, _column(table, columns["item_id"], ""), description)
    image_I = _column(table, columns.get("image"), "")
    path_I = np.array([_path_below_root(description.image_folder, image) for image in image_I], dtype=object)
    is_outside_I = np.array([path is None for path in path_I], dtype=bool)
    reason = "the image path leaves the dataset folder; it counts as missing, the item stays"
    collector.report(table, is_outside_I, columns.get("image", ""), reason)
    path_I[is_outside_I] = ""
    return path_I


def _named_after_ids(root: Path, id_I: np.ndarray, description: ItemsDescription) -> np.ndarray:
    """Paths below the root of the pictures that are named after their item and exist, "" for the others."""
    name = description.image_name or ""
    path_I = [_path_below_root(description.image_folder, _filled_in(name, item_id)) for item_id in id_I]
    return np.array([path if path and (root / path).is_file() else "" for path in path_I], dtype=object)


def _filled_in(name: str, item_id: str) -> str:
    return ITEM_ID.sub(lambda found: item_id[: int(found[1] or len(item_id))], name)


def _path_below_root(folder: str, image: str) -> str | None:
    """The normalised path, or None where it is absolute, a URL, or climbs out of the root."""
    if not image:
        return ""
    # A backslash is a separator on one system and a letter on another: the path must stay inside under both readings.
    if "://" in image or "\x00" in image or PurePosixPath(image).is_absolute() or PureWindowsPath(image).anchor:
        return None
    for path in (posixpath.join(folder, image), posixpath.join(folder, image.replace("\\", "/"))):
        if posixpath.normpath(path).split("/")[0] == "..":
            return None
    return posixpath.normpath(posixpath.join(folder, image))
