"""From what a user names, a folder or a dataset.yaml, to one whole description and its root."""

from pathlib import Path

from graphrec.data.dataset_yaml import read_description
from graphrec.data.description import DatasetDescription
from graphrec.data.sites.joined import joined
from graphrec.data.sites.recognise import in_format, recognise
from graphrec.data.sites.site_folder import SiteFolder
from graphrec.errors import GraphRecError

_YAML_NAMES = ("dataset.yaml", "dataset.yml")


def locate(path: Path, root: Path | None = None, is_site: bool = False) -> tuple[DatasetDescription, Path, str]:
    """(description, root, default name) of a dataset folder or a dataset.yaml; formats and sites are filled in.

    A site of another description (`is_site`) cannot have sites of its own. Raises GraphRecError where either does not
    exist, or the folder has not the format that is named.
    """
    if root is not None and not root.is_dir():
        raise GraphRecError(
            f"{root} is not a folder; give --root the folder that the paths in dataset.yaml start from."
        )
    if path.is_dir():
        root = root or path
        found = next((path / name for name in _YAML_NAMES if (path / name).is_file()), None)
        description = _described_by_files(root) if found is None else _filled_in(found, root, is_site)
        return description, root, root.resolve().name
    if not path.is_file():
        raise GraphRecError(f"{path} does not exist; give a dataset folder or a dataset.yaml.")
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise GraphRecError(
            f"{path} is not a folder and not a .yaml file; give the folder that holds it, or a dataset.yaml."
        )
    root = root or path.parent
    description = _filled_in(path, root, is_site)
    return description, root, root.resolve().name if path.name in _YAML_NAMES else path.stem


def _described_by_files(root: Path) -> DatasetDescription:
    """Files with the usual names, or a format that others publish."""
    has_items = any(path.name.split(".")[0] == "items" for path in root.iterdir() if path.is_file())
    return DatasetDescription() if has_items else recognise(root) or DatasetDescription()


def _filled_in(path: Path, root: Path, is_site: bool) -> DatasetDescription:
    given = read_description(path)
    if given.sites and is_site:
        raise GraphRecError(f"{path}: describes one site and cannot have sites of its own; name their folders outside.")
    if given.sites:
        return joined(given, {name: _site(name, site, root) for name, site in given.sites.items()})
    return in_format(given, root)


def _site(name: str, site: SiteFolder, root: Path) -> tuple[Path, DatasetDescription]:
    folder = root / site.folder
    if not folder.is_dir():
        raise GraphRecError(f"sites: the folder of {name}, {site.folder}, does not exist under {root}.")
    where = folder if site.description is None else root / site.description
    return folder, locate(where, folder, is_site=True)[0]
