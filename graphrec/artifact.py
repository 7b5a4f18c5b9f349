"""Folders that are whole or not there: written beside their place, synced to disk, then renamed into it.

While `runs/latest` is being written, everything goes to `runs/.latest.writing-…`, which no reader looks at. Then, under
a lock, two renames: `latest` → `.latest.previous`, `.latest.writing-…` → `latest`. A process killed between them
leaves the old folder whole as `.latest.previous`; whoever reads or writes `latest` next finds no folder there and
renames it back. Killed anywhere else, it leaves `latest` whole. What a killed writer left behind is deleted by the next
one; what a living writer is still filling is not, because its folder is locked.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from graphrec.disk import delete_leftovers, lacks_room, scratch_folder, scratch_path, share, sync, why_not_written
from graphrec.errors import GraphRecError
from graphrec.locks import locked

FORMAT_VERSION = 5
"""Raise it where an older graphrec would misread what is written."""
_OLDEST_READ = {"run": 5}
"""By kind, where not every version is read."""
MANIFEST = "manifest.json"
CONTAINS_FORGOTTEN = "contains-forgotten"
"""In `Manifest.about` where weights are older than somebody's wish to be forgotten: the number of such people."""

_PACKAGES = ("graphrec", "torch", "torch-geometric", "faiss-cpu", "faiss-gpu", "numpy")
_COMMAND = {"run": "train", "export": "export", "clip": "clip fit"}


class FileRecord(BaseModel):
    """One file as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: NonNegativeInt
    """Bytes."""
    sha256: str


class Manifest(BaseModel):
    """What a folder holds, written last into it as `manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """"run" or "export": one never takes the place of the other."""
    format_version: int
    created: str
    """ISO 8601, UTC."""
    about: dict[str, Any]
    """What the writer says of its contents: counts, data fingerprint, settings."""
    packages: dict[str, str]
    files: dict[str, FileRecord]
    """By path inside the folder, with / between its parts."""


def write_artifact(
    folder: Path,
    write: Callable[[Path], None],
    about: Mapping[str, Any],
    kind: str = "run",
    finish: Callable[[Path], None] | None = None,
) -> Manifest:
    """Let `write` fill a new folder, describe it in `manifest.json` and put it in place of `folder`.

    `about` is JSON data. An earlier artifact of the same kind is replaced as a whole, with any file that was added to
    it by hand. Two writers never mix files: the last to finish stays. Whatever `write` raises comes through, with the
    earlier artifact untouched. `finish` adds to the new folder what may change later, and so is not in the manifest: it
    is called while nobody can put another artifact in place of `folder`, which is still the earlier one.

    Raises GraphRecError where something else is in the way, before anything is written, and where the disk
    is full or refuses.
    """
    folder = Path(folder).resolve()  # a link keeps pointing at the folder that it points at
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent):
            _recover(folder)
            check_replaceable(folder, kind)
        with scratch_folder(folder) as writing:
            write(writing)
            manifest = _describe(writing, about, kind)
            (writing / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            _sync(writing)
            with locked(folder.parent):
                _recover(folder)
                check_replaceable(folder, kind)
                if finish is not None:
                    finish(writing)
                    _sync(writing)
                _put_in_place(writing, folder)
    except Exception as error:
        reason = why_not_written(error)
        if reason is None:
            raise
        advice = "make room, or choose another --out" if lacks_room(reason) else "choose another --out"
        raise GraphRecError(f"{folder} cannot be written: {reason}. Nothing was changed; {advice}.") from error
    return manifest


def checkpoint_path(folder: Path) -> Path:
    """Where the work that will write the folder keeps how far it has come: beside it, hidden."""
    folder = Path(folder).resolve()  # it may be a link
    return folder.parent / f".{folder.name}.checkpoint.safetensors"


def check_replaceable(folder: Path, kind: str = "run") -> None:
    """Raise GraphRecError unless `folder` is missing, empty or an earlier artifact of that kind, in a writable place.

    `write_artifact` asks the same; ask first where the work before it is long.
    """
    parent = next(one for one in folder.resolve().parents if one.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        reason = "is a file" if not parent.is_dir() else "is not yours to write to"
        raise GraphRecError(f"{folder} cannot be written: {parent} {reason}. Choose another --out.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise GraphRecError(f"{folder} is a file, not a folder: choose another --out.")
    if not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file() or _parse(folder).kind != kind:
        raise GraphRecError(f"{folder} is not empty and is not a graphrec {kind}: choose another --out.")


def clean_up(folder: Path) -> None:
    """Put a half-made replacement right and delete what killed writers left beside the folder, now.

    Nothing there would ever be read, and the next writer deletes it: call this where it must not lie there so long.
    """
    folder = Path(folder).resolve()
    if folder.parent.is_dir():
        with locked(folder.parent):
            _recover(folder)
            _discard(folder)
        delete_leftovers(folder)


def read_manifest(folder: Path, verify: bool = True, kind: str = "run") -> Manifest:
    """The manifest of a whole artifact; `verify` reads every file and compares its sha256.

    Files that the manifest does not name (notes, a report) do no harm. Read the files at once: a writer that finishes
    later takes the folder away. Raises GraphRecError where there is no artifact of that kind, it was written by a newer
    graphrec, it is a run that an earlier one trained, or a file is missing or was changed (named in the message).
    """
    folder = Path(folder)
    if not folder.exists() and _previous(folder.resolve()).exists():
        with locked(folder.resolve().parent):
            _recover(folder.resolve())
    if not (folder / MANIFEST).is_file():
        raise GraphRecError(f"There is no {kind} at {folder}: make one with `graphrec {_COMMAND.get(kind, kind)}`.")
    manifest = _parse(folder)
    if manifest.kind != kind:
        raise GraphRecError(f"Expected a graphrec {kind} at {folder}, found a graphrec {manifest.kind}: name another.")
    if manifest.format_version < _OLDEST_READ.get(kind, 1):
        raise GraphRecError(f"{folder} was trained by an earlier graphrec: train again.")
    if verify:
        for name, record in manifest.files.items():
            _check_file(folder, name, record)
    return manifest


def _parse(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
        _check_version(path, text)
        return Manifest.model_validate_json(text)
    except (ValidationError, UnicodeDecodeError):
        raise GraphRecError(
            f"{path} was not written by graphrec, or was changed since: write the folder again."
        ) from None


class _Versioned(BaseModel):
    format_version: int


def _check_version(path: Path, text: str) -> None:
    found = _Versioned.model_validate_json(text).format_version
    if found > FORMAT_VERSION:
        raise GraphRecError(
            f"{path} has format version {found}, this graphrec reads up to {FORMAT_VERSION}: upgrade graphrec."
        )


def _check_file(folder: Path, name: str, record: FileRecord) -> None:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise GraphRecError(f"{folder / MANIFEST} names a file outside its folder ({name}): write the folder again.")
    path = folder / name
    if not path.is_file():
        raise GraphRecError(f"{path} is missing, but {MANIFEST} lists it: write the folder again.")
    if path.stat().st_size != record.size or _sha256(path) != record.sha256:
        raise GraphRecError(f"{path} was changed after it was written: write the folder again.")


def _describe(folder: Path, about: Mapping[str, Any], kind: str) -> Manifest:
    files = {
        path.relative_to(folder).as_posix(): FileRecord(size=path.stat().st_size, sha256=_sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Manifest(
        kind=kind,
        format_version=FORMAT_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        about=dict(about),
        packages=package_versions(),
        files=files,
    )


def package_versions() -> dict[str, str]:
    """The versions of graphrec and of the packages that its numbers depend on; those that are installed."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Everything inside, then the folder itself, onto the disk; readable for whom the folder is."""
    for path in sorted(folder.rglob("*"), reverse=True):  # a folder's contents before the folder
        if path.is_file():
            share(path)
        sync(path)
    sync(folder)


def _previous(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.previous"


def _recover(folder: Path) -> None:
    """Undo half a replacement. The caller holds the lock, so no writer is between its two renames."""
    if not folder.exists() and _previous(folder).exists():
        _previous(folder).rename(folder)
        sync(folder.parent)


def _put_in_place(writing: Path, folder: Path) -> None:
    _discard(folder)  # `folder` is whole: this is a leftover of a killed clean-up
    if folder.exists():
        folder.rename(_previous(folder))
    try:
        writing.rename(folder)
    except BaseException:
        _recover(folder)
        raise
    sync(folder.parent)
    _discard(folder)


def _discard(folder: Path) -> None:
    """Delete the earlier one under another name: nobody takes a half-deleted folder for a whole one."""
    if _previous(folder).exists():
        discarded = scratch_path(folder)
        _previous(folder).rename(discarded)
        shutil.rmtree(discarded, ignore_errors=True)
