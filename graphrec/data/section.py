"""What every part of `dataset.yaml` has in common: frozen, unknown keys refused, paths below the root."""

from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One mapping of `dataset.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def inside_root(path: str | None) -> str | None:
    """The path as given. Raises ValueError where it is absolute or climbs out of the dataset folder."""
    pure = PurePosixPath(path or "")
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"{path!r} leaves the dataset folder; give a path below --root")
    return path
