"""Rows of items and events that arrive, read as those of the dataset were: same columns, same checks, same ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription
from graphrec.data.events import Events, events_of_table, without_duplicates
from graphrec.data.item_rows import ItemRows
from graphrec.data.items import items_of_tables
from graphrec.data.privacy.protection import Protection
from graphrec.data.set_aside import SetAsideCollector, require_rows
from graphrec.data.tables.table import Table
from graphrec.errors import GraphRecError
from graphrec.living.live_items import LiveItems
from graphrec.living.tables import Source, root_of, table_of

ALREADY = "the item is in the catalogue already: update-items changes it"
UNKNOWN = "unknown item: add-items adds it"
REMOVED = "the item was removed: add-items brings it back"
_FIELDS = ("title", "image", "site")


@dataclass(frozen=True)
class Cards:
    """Items as read, and what of them was told: what an update leaves as it is, it does not tell."""

    catalogue: Catalogue
    told: frozenset[str]
    """Among title, text, image, site and the attributes."""
    rows: ItemRows
    text_lacks: frozenset[str] = frozenset()
    """Columns that the text is made of and this file does not have."""


def read_cards(
    source: Source,
    description: DatasetDescription,
    known: LiveItems,
    collector: SetAsideCollector,
    root: Path | None = None,
    site: str | None = None,
) -> Cards:
    """The items of a file, data frame or list of records, with the attributes that the catalogue has.

    `root` is the folder that the paths of pictures start from; `site` says of which site they are, where several
    sources are described or the file does not tell. Raises GraphRecError where no row can be used.
    """
    described = _items_source(description, site)
    table = table_of(source, "items", described, collector)
    items = _as_it_comes(described, table, known.base.attributes)
    catalogue, rows = items_of_tables(root_of(source, root), [table], [items], collector, section=None)
    if site is not None:
        catalogue = replace(catalogue, site=np.full(len(catalogue), site, dtype=object))
    told = {name for name in _FIELDS if items.columns.get(name, name) in table.columns}
    told |= {"text"} if _text_columns(items, table) else set()
    told |= {"site"} if site is not None or items.site else set()
    told |= set(catalogue.attributes.names)
    names = known.base.attributes
    unused = [name for name in table.columns if name not in told | {"item_id", "description"} | set(_used(items))]
    if unused:
        collector.note(f"{table.file}: columns that the run knows nothing of are not used: {', '.join(unused)}")
    cards = replace(catalogue, attributes=with_names_of(names, catalogue.attributes, len(catalogue)), keys={})
    cards = replace(cards, keys={name: _nothing(len(cards)) for name in known.base.keys})
    return Cards(cards, frozenset(told), rows, _text_lacks(described, table))


def split_known(cards: Cards, known: LiveItems, are_new: bool, collector: SetAsideCollector) -> Cards:
    """Those that can be added, or changed; the others are set aside. Raises GraphRecError where none is left."""
    catalogue = cards.catalogue
    items = known.id_index.indices(catalogue.item_ids)
    is_removed, is_known = np.isin(items, known.removed), items >= 0
    is_wrong = is_known & ~is_removed if are_new else ~is_known | is_removed
    for reason, mask in ((ALREADY, is_known & ~is_removed), (REMOVED, is_removed), (UNKNOWN, ~is_known)):
        some = np.flatnonzero(is_wrong & mask)
        if len(some):
            cards.rows.report(some, "item_id", catalogue.item_ids[some], reason, collector)
    if is_wrong.all():
        reason = collector.main_reason(str(cards.rows.file_I[0]))
        raise GraphRecError(f"None of the {len(catalogue)} items can be used; main reason: {reason}.")
    return replace(cards, catalogue=catalogue.take(np.flatnonzero(~is_wrong)))


def completed(cards: Cards, known: LiveItems, collector: SetAsideCollector) -> Catalogue:
    """The cards of known items with what was not told taken from what is known of them.

    Of a text that is made of several columns, the title alone and the rest alone can be changed.
    """
    items = known.id_index.indices(cards.catalogue.item_ids)
    before = [known.card(int(item)) for item in items]
    now, told = cards.catalogue, cards.told
    if "text" in told and cards.text_lacks:
        now = replace(now, text=_texts_in_part(cards, before, collector))

    def either(name: str, new: np.ndarray, old: Sequence[np.ndarray]) -> np.ndarray:
        return new if name in told else np.concatenate(old)

    attributes = now.attributes
    return Catalogue(
        item_ids=now.item_ids,
        title=either("title", now.title, [one.title for one in before]),
        text=either("text", now.text, [one.text for one in before]),
        image=either("image", now.image, [one.image for one in before]),
        image_root=now.image_root,
        site=either("site", now.site, [one.site for one in before]),
        attributes=Attributes(
            {
                name: either(name, values, [one.attributes.categorical[name] for one in before])
                for name, values in attributes.categorical.items()
            },
            {
                name: values if name in told else [one.attributes.multi_valued[name][0] for one in before]
                for name, values in attributes.multi_valued.items()
            },
            {
                name: either(name, values, [one.attributes.numeric[name] for one in before])
                for name, values in attributes.numeric.items()
            },
        ),
        keys={name: np.concatenate([one.keys[name] for one in before]) for name in known.base.keys},
    )


def _texts_in_part(cards: Cards, before: Sequence[Catalogue], collector: SetAsideCollector) -> np.ndarray:
    """What the texts are once the columns that were told are in place of what they were."""
    now, old = cards.catalogue, [(str(one.title[0]), str(one.text[0])) for one in before]
    if cards.text_lacks == {"title"}:
        pairs = [(title, text) for (title, _), text in zip(old, now.text, strict=True)]
    elif cards.text_lacks == {"description"}:
        rests = [_behind(title, text) for title, text in old]
        pairs = list(zip(now.title, rests, strict=True))
    else:
        lacking = ", ".join(sorted(cards.text_lacks))
        collector.warn(f"The texts stay as they are: they are made of {lacking} too, which the file does not have.")
        return np.array([text for _, text in old], dtype=object)
    return np.array([". ".join(part for part in pair if part) for pair in pairs], dtype=object)


def _behind(title: str, text: str) -> str:
    """The text without the title that it begins with."""
    if text == title:
        return ""
    return text.removeprefix(f"{title}. ") if title else text


def _text_lacks(items: ItemsDescription, table: Table) -> frozenset[str]:
    names = ("title", "description") if items.text is None else items.text
    return frozenset(name for name in names if items.columns.get(name, name) not in table.columns)


def read_new_events(
    source: Source,
    description: DatasetDescription,
    known: LiveItems,
    collector: SetAsideCollector,
    site: str | None = None,
) -> Events:
    """The events of a file, data frame or list of records; weights, consent and pseudonyms as in the dataset.

    Raises GraphRecError where no row can be used.
    """
    events = _events_source(description, site)
    protection = Protection.of(description, events)
    name = Path(source).name if isinstance(source, (str, Path)) else "events"
    protection.keep_values_out(name, collector)
    table = table_of(source, "events", events, collector)
    require_rows(table, collector)
    # As a held-out file, it may do without event types and ratings.
    read = events_of_table(table, events, known, collector, True, None, protection)
    return without_duplicates(read, collector)


def _items_source(description: DatasetDescription, site: str | None) -> ItemsDescription:
    sources = description.item_files
    if len(sources) == 1:
        return sources[0]
    of_site = [one for one in sources if one.site == site]
    if site is None or not of_site:
        names = ", ".join(one.site for one in sources if one.site)
        raise GraphRecError(f"Each site of this run describes its items: name one with --site ({names}).")
    return of_site[0]


def _events_source(description: DatasetDescription, site: str | None) -> InteractionsDescription:
    sources = description.sources_as_read
    if len(sources) == 1:
        return sources[0]
    of_site = [one for one in sources if one.site == site]
    if not sources:
        return InteractionsDescription()
    if site is None or not of_site:
        names = ", ".join(one.site for one in sources if one.site)
        raise GraphRecError(f"Each site of this run describes its events: name one with --site ({names}).")
    return of_site[0]


def _as_it_comes(items: ItemsDescription, table: Table, known: Attributes) -> ItemsDescription:
    """The description without the columns that this table lacks, and with the catalogue's attributes by their kinds."""
    columns = {name: column for name, column in items.columns.items() if column in table.columns}
    made = set(items.extract)
    text = None
    if items.text is not None:
        text = tuple(name for name in items.text if columns.get(name, name) in table.columns)

    def here(names: "Sequence[str] | dict[str, object]") -> list[str]:
        return [name for name in names if name in table.columns or name in made]

    return items.model_copy(
        update={
            "file": table.file,
            "columns": columns,
            "text": text,
            "categorical": tuple(here(list(known.categorical))),
            "multi_valued": {name: items.multi_valued.get(name, "|") for name in here(list(known.multi_valued))},
            "numeric": tuple(here(list(known.numeric))),
        }
    )


def _text_columns(items: ItemsDescription, table: Table) -> list[str]:
    if items.text is not None:
        return list(items.text)
    return [name for name in ("title", "description") if items.columns.get(name, name) in table.columns]


def _used(items: ItemsDescription) -> list[str]:
    """Columns of the file that the description gives a meaning."""
    sources = [one.source for one in items.extract.values()]
    return [*items.columns.values(), *(items.text or ()), *sources]


def with_names_of(names: Attributes, given: Attributes, num_rows: int) -> Attributes:
    """Exactly the attributes of `names`, with the values of `given`; missing where that has none."""
    return Attributes(
        {name: given.categorical.get(name, _nothing(num_rows)) for name in names.categorical},
        {name: given.multi_valued.get(name, [()] * num_rows) for name in names.multi_valued},
        {name: given.numeric.get(name, np.full(num_rows, np.nan)) for name in names.numeric},
    )


def _nothing(num_rows: int) -> np.ndarray:
    return np.full(num_rows, "", dtype=object)
