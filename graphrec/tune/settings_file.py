"""The best settings as YAML that `train --config` takes."""

from pathlib import Path

from graphrec import atomic_file
from graphrec.errors import GraphRecError
from graphrec.tune.result import Tuning

_FIRST_WORDS = "# graphrec tune: "


def check_settings_file(path: Path) -> None:
    """Raises GraphRecError where the place is taken by anything but an earlier answer, which may be replaced."""
    if path.is_dir():
        raise GraphRecError(f"{path}: is a folder; name a file, such as --out {path / 'tuned.yaml'}.")
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_WORDS):
        raise GraphRecError(f"{path}: exists and was not written by tune; name another --out.")


def write_settings(tuning: Tuning, path: Path) -> None:
    """Every setting with its value, below one line on where they come from; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replacing(path) as scratch:
        scratch.write_text(f"{_FIRST_WORDS}{tuning.conclusion}\n{tuning.config.to_yaml()}", encoding="utf-8")
