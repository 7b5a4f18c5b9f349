"""Which column of a file holds what: the user's mapping, and a line of YAML to add where it is missing."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError

# Names seen in public datasets and shop exports. They are proposed, never taken silently.
_ALSO_CALLED = {
    "user_id": "user uid customer customerid visitor visitorid member memberid account accountid client clientid",
    "item_id": "item iid id movie movieid product productid article articleid asin parentasin sku skuid book bookid",
    "timestamp": "time ts date datetime tdat createdat eventtime unixreviewtime purchasedate orderdate",
    "event": "eventtype action actiontype behavior behaviour behaviortype",
    "weight": "quantity count",
    "rating": "ratings score stars overall",
    "title": "name itemname productname prodname productdisplayname movietitle producttitle",
    "description": "desc detaildesc productdescription summary overview",
    "image": "imagepath imagefile imagename img picture photo",
    "site": "store shop market marketplace",
}


def resolve_columns(
    table: Table,
    columns: Mapping[str, str],
    required: Sequence[str],
    optional: Sequence[str],
    section: str | None,
    collector: SetAsideCollector,
) -> dict[str, str]:
    """graphrec's name → the file's column, for every required and every optional column that exists.

    `section` is the part of dataset.yaml that describes this file; None for a file that stands alone, where a mapped
    column may also have graphrec's name. A column that looks like an optional one under another name is noted. Raises
    GraphRecError where a mapped or a required column does not exist.
    """
    if section is None:
        columns = {name: column for name, column in columns.items() if column in table.columns}
    else:
        require_columns(table, columns.values(), section)
    found = {name: columns.get(name, name) for name in (*required, *optional)}
    missing = [name for name in required if found[name] not in table.columns]
    taken = set(found.values())
    nearest = {
        name: _nearest(name, table, taken) for name in (*required, *optional) if found[name] not in table.columns
    }
    if missing:
        if section is None:
            found_near = [f"{nearest[name]} to {name}" for name in missing if nearest[name]]
            raise GraphRecError(
                f"{table.file} has no column {' and no column '.join(missing)} (it has: {', '.join(table.columns)}); "
                f"rename {' and '.join(found_near) or 'the right one'}."
            )
        mapping = ", ".join(f"{name}: {nearest[name] or '<its name>'}" for name in missing)
        raise GraphRecError(
            f"{table.file} has no column {' and no column '.join(missing)} (it has: {', '.join(table.columns)}); "
            f'add "columns: {{{mapping}}}" under {section}: in dataset.yaml.'
        )
    for name in optional:
        if section is not None and nearest.get(name):
            collector.note(
                f"{table.file}: column {nearest[name]!r} is not used as {name}; if it is one, "
                f'add "columns: {{{name}: {nearest[name]}}}" under {section}: in dataset.yaml'
            )
    return {name: column for name, column in found.items() if column in table.columns}


def require_columns(table: Table, names: Iterable[str], section: str) -> None:
    """Raise GraphRecError for the first of `names` that is no column of the table."""
    for name in names:
        if name not in table.columns:
            near = difflib.get_close_matches(name, list(table.columns), n=1)
            raise GraphRecError(
                f"{table.file} has no column {name!r}, which dataset.yaml names under {section}: "
                f"(it has: {', '.join(table.columns)}){f'; did you mean {near[0]!r}?' if near else '.'}"
            )


def _nearest(name: str, table: Table, taken: set[str]) -> str | None:
    """The one column that is probably meant by `name`: a known alias first, then a near spelling."""
    plain = {column: re.sub(r"[^a-z0-9]", "", column.lower()) for column in table.columns if column not in taken}
    aliases = {name.replace("_", ""), *_ALSO_CALLED.get(name, "").split()}
    by_alias = [column for column in plain if plain[column] in aliases]
    if by_alias:
        return by_alias[0]
    near = difflib.get_close_matches(name.replace("_", ""), list(plain.values()), n=1, cutoff=0.8)
    return next(column for column in plain if plain[column] == near[0]) if near else None
