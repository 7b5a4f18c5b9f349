"""Several sites' descriptions as one: paths from the common root, every id and site under the site's name."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphrec.data.dataset_yaml import altered
from graphrec.data.description import (
    DatasetDescription,
    InteractionsDescription,
    ItemsDescription,
    SplitFile,
    VectorsFile,
)
from graphrec.data.finding import Sources, find_sources
from graphrec.data.same_as_description import SameAsDescription
from graphrec.data.sites.site_folder import SiteFolder
from graphrec.errors import GraphRecError


def joined(given: DatasetDescription, parts: Mapping[str, tuple[Path, DatasetDescription]]) -> DatasetDescription:
    """The description `given` with files in place of `sites`; `parts` are each site's folder and description.

    Fixed splits may come from one site: the logs of the others train beside them. Raises GraphRecError where two sites
    bring splits or vectors of one name, or a site says what only the whole can say (privacy, a file of pairs).
    """
    items: list[ItemsDescription] = []
    logs: list[InteractionsDescription] = []
    splits: dict[str, SplitFile] = {}
    vectors: dict[str, VectorsFile] = {}
    for name, (folder, part) in parts.items():
        _refuse(name, part)
        site = given.sites[name]
        sources = find_sources(folder, part)
        items += [_item_source(source, name, site) for source in sources.items]
        if sources.held_out:
            if splits:
                raise GraphRecError(f"sites: {name} has fixed splits, and so has another site; one can be held out.")
            splits = _splits(sources, site)
            logs.append(_log(sources.held_out_columns, name, site).model_copy(update={"file": None}))
            logs += [_log(source, name, site) for source in sources.interactions[1:]]
        else:
            logs += [_log(source, name, site) for source in sources.interactions]
        vectors |= _vectors(name, site, part.vectors, vectors)
    update = {
        "items": tuple(items),
        "interactions": tuple(logs),
        "splits": splits,
        "vectors": vectors,
        "same_as": given.same_as or _keys_of([part for _, part in parts.values()]),
        "sites": {},
    }
    return altered(given, update, "dataset.yaml, sites put together")


def _refuse(name: str, part: DatasetDescription) -> None:
    if part.privacy != type(part.privacy)():
        raise GraphRecError(f"sites: privacy counts for all sites; move it from the description of {name} to this one.")
    if part.same_as is not None and part.same_as.file is not None:
        raise GraphRecError(
            f"sites: same_as.file of {name} names items of this site alone; move it to this description."
        )


def _below(site: SiteFolder, file: str | None) -> str:
    return posixpath.normpath(posixpath.join(site.folder, file or ""))


def _site_name(name: str, own: str | None) -> str:
    return name if own is None else f"{name}/{own}"


def _item_source(source: ItemsDescription, name: str, site: SiteFolder) -> ItemsDescription:
    return source.model_copy(
        update={
            "file": _below(site, source.file),
            "image_folder": _below(site, source.image_folder),
            "item_prefix": f"{name}:{source.item_prefix}",
            "site": _site_name(name, source.site),
        }
    )


def _log(source: InteractionsDescription, name: str, site: SiteFolder) -> InteractionsDescription:
    return source.model_copy(
        update={
            "file": _below(site, source.file),
            "item_prefix": f"{name}:{source.item_prefix}",
            "user_prefix": source.user_prefix if site.shared_users else f"{name}:{source.user_prefix}",
            "site": _site_name(name, source.site),
        }
    )


def _splits(sources: Sources, site: SiteFolder) -> dict[str, SplitFile]:
    train = SplitFile(file=_below(site, sources.interactions[0].file))
    held_out = {
        name: SplitFile(
            file=_below(site, split.file),
            candidates=None if split.candidates is None else _below(site, split.candidates),
        )
        for name, split in sources.held_out.items()
    }
    return {"train": train, **held_out}


def _vectors(
    name: str, site: SiteFolder, own: Mapping[str, VectorsFile], before: Mapping[str, VectorsFile]
) -> dict[str, VectorsFile]:
    for modality in own:
        if modality in before:
            raise GraphRecError(
                f"sites: {name} brings own {modality} vectors, and so does another site; put them into one file."
            )
    return {
        modality: source.model_copy(
            update={
                "file": _below(site, source.file),
                "ids": None if source.ids is None else _below(site, source.ids),
                "item_prefix": f"{name}:{source.item_prefix}",
            }
        )
        for modality, source in own.items()
    }


def _keys_of(parts: Sequence[DatasetDescription]) -> SameAsDescription | None:
    """The keys that a format itself links by, such as XMarket's ASINs; None where there are none."""
    keys: dict[Any, None] = dict.fromkeys(key for part in parts if part.same_as for key in part.same_as.keys)
    return SameAsDescription(keys=tuple(keys)) if keys else None
