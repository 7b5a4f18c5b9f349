"""Forgetting people in everything that lies on the disk of a run: its folder, its checkpoint, its exports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from graphrec.artifact import MANIFEST, Manifest, checkpoint_path, clean_up, read_manifest
from graphrec.data.privacy.lookup import ids_known
from graphrec.data.privacy.settings import KeySource
from graphrec.data.without_users import named_rows
from graphrec.device import Device
from graphrec.errors import GraphRecError
from graphrec.export.embeddings import Format, IndexIds, export_embeddings
from graphrec.forgetting.traces import Trace, find_traces
from graphrec.forgetting.waiting_exports import EXPORT, bring_back, exports_in, version_of, waiting
from graphrec.living.journal import JOURNAL, JOURNAL_FILES
from graphrec.models.checkpoint import remove_checkpoint
from graphrec.progress import Progress, Say, silent, unsaid
from graphrec.recommender import Recommender


@dataclass(frozen=True)
class Forgotten:
    """What was done."""

    people: int
    events: int
    held_out_pairs: int
    rows_set_aside: int
    exports: tuple[Path, ...]
    """Made anew without them."""
    removed: tuple[str, ...]
    """Files that somebody had added to the run folder: they left with the old one."""
    in_weights: int
    """People, these and earlier ones, whom the weights were trained with."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {**asdict(self), "exports": [str(path) for path in self.exports]}


class _Way(NamedTuple):
    """How an export is written again."""

    to: Format
    index_ids: IndexIds


def forget_in_folder(
    run: Path,
    user_ids: Sequence[str],
    exports: Sequence[Path] = (),
    key: KeySource | None = None,
    device: Device = "auto",
    progress: Progress = silent,
    say: Say = unsaid,
) -> Forgotten:
    """Remove people from a run folder, from the checkpoint beside it and from exports made from it.

    `key` is that of the run's pseudonyms, where the ids are those of the files that it was read from.

    Exports inside the run folder are found, others have to be named; all are made anew from what the run is without
    them. Everything is written whole or not at all. Killed at any time, the same call does the rest: exports outside
    are made before the run is saved, those inside wait beside it. At the end everything is searched for what is left of
    the people (see `traces.find_traces`). That is all there is to do where people left this run before and nobody of
    these is in it: then `people` is 0, and only exports of this run that still hold somebody are made anew.

    Raises GraphRecError where somebody was never in the run as far as can be told (from pseudonyms under a key nothing
    can), an export is of another model, too little would be left, or a trace is: then it names the file.
    """
    run = Path(run).resolve()
    clean_up(run)  # an earlier call may have been killed before it could
    model = Recommender.load(run, device)
    bring_back(run, model.version)
    inside = exports_in(run)
    formats = {Path(path).resolve(): _way_of(Path(path)) for path in (*exports, *inside)}
    before, old_version, changes = model.train_, model.version, model.changes_
    pairs_before = _num_held_out(model)
    if _left_before(model, user_ids, key):
        return _look_again(run, user_ids, formats, inside, model, progress)
    known_ids = ids_known(before, user_ids, key, changes.user_ids)
    say(f"Fitting {run.name} again without them; the weights stay.")
    model.forget_users(known_ids)
    for path in formats:
        _check_version(path, {old_version, model.version})
    added = _added_files(run, inside)
    outside = [path for path in formats if path not in inside]
    remove_checkpoint(checkpoint_path(run))  # what it would go on to was learned from them
    for path in formats:
        _export(model, formats[path], waiting(run, path) if path in inside else path)
    model.save(run)
    bring_back(run, model.version)
    clean_up(run)
    _require_no_trace(run, list(dict.fromkeys([*known_ids, *user_ids])), outside, model, progress)
    return Forgotten(
        people=len(set(user_ids)),
        events=len(before.interactions) - len(model.train_.interactions) + changes.events - model.changes_.events,
        held_out_pairs=pairs_before - _num_held_out(model),
        rows_set_aside=len(before.set_aside) - len(model.train_.set_aside),
        exports=tuple(formats),
        removed=tuple(added),
        in_weights=model.forgotten_,
    )


def _left_before(model: Recommender, user_ids: Sequence[str], key: KeySource | None) -> bool:
    """Whether nobody of these is in a run that people left before, told by the names that it has for people."""
    pseudonyms = model.train_.description.privacy.pseudonyms
    if not model.forgotten_ or key is not None:
        return False
    if pseudonyms is not None and not all(one.startswith(f"u{pseudonyms.version}_") for one in user_ids):
        return False
    came_later = not model.changes_.user_ids.isdisjoint(user_ids)
    is_in_data = model.train_.user_id_index.isin(list(user_ids)).any()
    return not (came_later or is_in_data or named_rows(model.train_, user_ids).any())


def _look_again(
    run: Path,
    user_ids: Sequence[str],
    formats: Mapping[Path, _Way],
    inside: Sequence[Path],
    model: Recommender,
    progress: Progress,
) -> Forgotten:
    """What a call that was cut short may have left to do."""
    remove_checkpoint(checkpoint_path(run))
    own = [path for path in formats if version_of(path) == model.version]
    stale = tuple(path for path in own if _traces(path, user_ids, model, progress))
    for path in stale:
        _export(model, formats[path], path)
    _require_no_trace(run, user_ids, [path for path in formats if path not in inside], model, progress)
    return Forgotten(0, 0, 0, 0, exports=stale, removed=(), in_weights=model.forgotten_)


def traces_in_run(run: Path, user_ids: Sequence[str], progress: Progress = silent) -> list[Trace]:
    """What a run folder, and the checkpoint and unfinished work beside it, hold of these people."""
    return _traces_in_run(Path(run).resolve(), user_ids, Recommender.load(run), progress)


def _traces_in_run(run: Path, user_ids: Sequence[str], model: Recommender, progress: Progress) -> list[Trace]:
    traces = _traces(run, user_ids, model, progress)
    kept_aside = sorted(run.parent.glob(f"{run.name}-*-{JOURNAL}"))
    for beside in [*sorted(run.parent.glob(f".{run.name}.*")), *kept_aside]:
        inside = f"{beside.name}/" if beside.is_dir() else ""
        traces += [replace(one, file=inside + one.file) for one in _traces(beside, user_ids, model, progress)]
    return traces


def _traces(place: Path, user_ids: Sequence[str], model: Recommender, progress: Progress) -> list[Trace]:
    """In one folder; what its manifest lists is not a stranger's, and may hold a word that is an id by chance."""
    is_listed = (place / MANIFEST).is_file()
    listed = Manifest.model_validate_json((place / MANIFEST).read_bytes()).files if is_listed else ()
    own_files = {MANIFEST, *JOURNAL_FILES, *listed} if is_listed else ()
    return find_traces(place, user_ids, model.live.state.users.names.full(), _words(model), own_files, progress)


def _require_no_trace(
    run: Path, user_ids: Sequence[str], exports: Sequence[Path], model: Recommender, progress: Progress
) -> None:
    traces = [f"{run}/{trace}" for trace in _traces_in_run(run, user_ids, model, progress)]
    for path in exports:
        traces += [f"{path}/{trace}" for trace in _traces(path, user_ids, model, progress)]
    if traces:
        more = f" and {len(traces) - 5} more places" if len(traces) > 5 else ""
        raise GraphRecError(
            f"Traces are left in {'; '.join(traces[:5])}{more}: delete what is named there, then call again."
        )


def _words(model: Recommender) -> str:
    """Everything in the run that may look like an id without meaning a person."""
    catalogue = model.live.state.items.catalogue
    attributes = catalogue.attributes
    columns = [catalogue.item_ids, catalogue.title, catalogue.text, catalogue.image, catalogue.site]
    columns += [*attributes.categorical.values(), *catalogue.keys.values()]
    lists = [one for values in attributes.multi_valued.values() for one in values]
    words = [*(str(one) for column in columns for one in column), *(word for one in lists for word in one)]
    about = model.train_.description.model_dump_json()
    return "\n".join([*words, *model.train_.site_names, model.train_.name, about, model.config.to_yaml()])


def _num_held_out(model: Recommender) -> int:
    return sum(len(truth.user_index_P) for truth in model.held_out_.values())


def _way_of(export: Path) -> _Way:
    """How an export was written."""
    if not export.is_dir():
        raise GraphRecError(f"There is no export at {export}: name the folder that `graphrec export --out` wrote.")
    about: dict[str, Any] = read_manifest(export, verify=False, kind=EXPORT).about
    to, index_ids = about.get("format"), about.get("index_ids", "row")
    if to not in get_args(Format) or index_ids not in get_args(IndexIds):
        raise GraphRecError(f"{export} has the format {to!r}, which this graphrec does not write: delete the export.")
    return _Way(cast(Format, to), cast(IndexIds, index_ids))


def _check_version(export: Path, versions: set[str]) -> None:
    if version_of(export) not in versions:
        raise GraphRecError(
            f"{export} was made from another model than this run is: delete it, and export again. Nothing was changed."
        )


def _export(model: Recommender, way: _Way, out: Path) -> None:
    export_embeddings(
        model.embeddings("item"), model.embeddings("user"), way.to, out, model.version, model.config.index,
        model.forgotten_, way.index_ids,
    )  # fmt: skip


def _added_files(run: Path, inside: Sequence[Path]) -> list[str]:
    own = {MANIFEST, *JOURNAL_FILES, *read_manifest(run, verify=False).files}
    files = [path for path in sorted(run.rglob("*")) if not path.is_dir()]
    files = [path for path in files if not any(path.is_relative_to(export) for export in inside)]
    return [name for path in files if (name := path.relative_to(run).as_posix()) not in own]
