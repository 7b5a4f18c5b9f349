"""Which files of a folder hold the items, the interactions and the fixed splits."""

from dataclasses import dataclass, replace
from pathlib import Path

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription, SplitFile
from graphrec.errors import GraphRecError

_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")
_SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Sources:
    """Every file of a dataset, named relative to its root."""

    items: tuple[ItemsDescription, ...]
    interactions: tuple[InteractionsDescription, ...]
    """Training data: the interactions, or the train file of fixed splits and the logs of other sites."""
    held_out: dict[str, SplitFile]
    """Fixed splits other than train."""
    held_out_columns: InteractionsDescription
    """What the columns of the held-out files mean."""


def find_sources(root: Path, description: DatasetDescription) -> Sources:
    """The files that the description names, and for those it does not name the ones with the usual names.

    Raises GraphRecError where there is no such file, or more than one.
    """
    items = tuple(
        source if source.file else source.model_copy(update={"file": _find_items(root)})
        for source in description.item_files
    )
    splits = description.splits or _found_splits(root, description)
    if splits:
        columns = description.split_columns
        train = columns.model_copy(update={"file": splits["train"].file})
        held_out = {name: split for name, split in splits.items() if name != "train"}
        return Sources(items, (train, *description.other_logs), held_out, held_out_columns=columns)
    sources = Sources(items, description.interaction_files, {}, InteractionsDescription())
    if len(sources.interactions) == 1 and sources.interactions[0].file is None:
        file = _find(root, "interactions", "*.inter", _SPLITS)
        if file is None:
            raise GraphRecError(
                f"No interactions in {root}: expected interactions.parquet, .csv, .tsv or .jsonl, a RecBole *.inter, "
                f"or train and valid or test files; {_folder_has(root)}. Name yours in dataset.yaml "
                '("interactions: {file: <name>}"), or write "interactions: []" for a catalogue alone.'
            )
        sources = replace(sources, interactions=(sources.interactions[0].model_copy(update={"file": file}),))
    return sources


def _find_items(root: Path) -> str:
    file = _find(root, "items", "*.item")
    if file is None:
        raise GraphRecError(
            f"No items in {root}: expected items.parquet, .csv, .tsv or .jsonl, or a RecBole *.item, or files as "
            f"MovieLens, Amazon Reviews 2023, XMarket, H&M or schema.org have them; {_folder_has(root)}. "
            'Name yours in dataset.yaml ("items: {file: <name>}").'
        )
    return file


def _found_splits(root: Path, description: DatasetDescription) -> dict[str, SplitFile]:
    """Split files by their usual names, where the description names no interactions."""
    if not description.interaction_files or any(source.file for source in description.interaction_files):
        return {}
    files = {name: _find(root, name, f"*.{name}.inter") for name in _SPLITS}
    whole = _find(root, "interactions", "*.inter", _SPLITS)
    found = [file for file in files.values() if file]
    if whole and files["train"]:
        raise GraphRecError(
            f"{root} has both {whole} and {', '.join(found)}; say in dataset.yaml which to use: "
            f'"interactions: {{file: {whole}}}" or "splits: {{train: {files["train"]}, ...}}".'
        )
    if whole or not files["train"]:
        return {}
    return {
        name: SplitFile(file=file, candidates=None if name == "train" else _find(root, f"{name}_candidates"))
        for name, file in files.items()
        if file
    }


def _find(root: Path, stem: str, atomic: str | None = None, without: tuple[str, ...] = ()) -> str | None:
    """The one file named `stem` plus a known suffix, or matching the pattern of RecBole's atomic files."""
    found = [f"{stem}{suffix}" for suffix in _SUFFIXES if (root / f"{stem}{suffix}").is_file()]
    if atomic:
        files = sorted(path.name for path in root.glob(atomic) if path.is_file())
        found += [file for file in files if not any(file.endswith(f".{split}.inter") for split in without)]
    if len(found) > 1:
        raise GraphRecError(
            f"{root} has {' and '.join(found)}; name the one to use in dataset.yaml (file: {found[0]})."
        )
    return found[0] if found else None


def _folder_has(root: Path) -> str:
    files = sorted(path.name for path in root.iterdir() if path.is_file() and not path.name.startswith("."))
    more = f" and {len(files) - 10} more" if len(files) > 10 else ""
    return f"the folder has: {', '.join(files[:10])}{more}" if files else "the folder has no files"
