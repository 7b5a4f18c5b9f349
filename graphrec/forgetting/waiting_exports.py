"""Exports inside a run's folder would leave with the old folder: until the new one is there they wait beside it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from graphrec.artifact import MANIFEST, Manifest
from graphrec.disk import sync

EXPORT = "export"


def exports_in(folder: Path) -> list[Path]:
    """The folders of exports anywhere under this one, sorted."""
    found = [path.parent for path in folder.rglob(MANIFEST) if path.parent != folder]
    return sorted(one for one in found if ".writing-" not in one.name and _about(one) is not None)


def version_of(export: Path) -> str | None:
    """The version of the model that an export was made from; None where that cannot be read."""
    return (_about(export) or {}).get("model_version")


def waiting(run: Path, export: Path) -> Path:
    """Where the successor of an export inside the run waits: on the same disk, so that a rename brings it back."""
    return _waiting_room(run) / export.relative_to(run)


def bring_back(run: Path, version: str) -> Sequence[Path]:
    """Move what waits into the run that it was made from, this `version`; where it is there already, or of a run that
    was never saved, it is deleted. Returns the exports that came back."""
    room, back = _waiting_room(run), []
    if not room.is_dir():
        return ()
    for export in exports_in(room):
        place = run / export.relative_to(room)
        if version_of(export) == version and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            export.rename(place)
            sync(place.parent)
            back.append(place)
    shutil.rmtree(room)
    return tuple(back)


def _waiting_room(run: Path) -> Path:
    return run.parent / f".{run.name}.exports"


def _about(folder: Path) -> dict[str, str] | None:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest.about if manifest.kind == EXPORT else None
