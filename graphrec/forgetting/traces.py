"""Looking for people in a folder: the last step of forgetting them, and one that anybody may repeat."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphrec.data.mentions import LONG_ID, Mentions
from graphrec.forgetting.contents import Piece, pieces
from graphrec.progress import Progress, silent

_USER_COLUMNS = ("user_id", "user", "user_ids")
_COLUMNS_OF = {"set_aside.csv": "value", "users.parquet": "id", "user_ids.csv": "id", "users.useremb": "uid:token"}
"""Further places of user ids, in the files of runs and exports."""


@dataclass(frozen=True)
class Trace:
    """A place that names somebody. It does not say whom."""

    file: str
    """Relative to the folder that was searched."""
    where: str
    """Within the file; "" where the file is all that can be said."""

    def __str__(self) -> str:
        return f"{self.file} ({self.where})" if self.where else self.file


def find_traces(
    folder: Path,
    user_ids: Sequence[str],
    other_ids: Iterable[str] = (),
    words: str = "",
    own_files: Iterable[str] = (),
    progress: Progress = silent,
) -> list[Trace]:
    """Every place under the folder, or in the file, that holds one of the ids: in names, texts, tables and bytes.

    Parquet, gzip and zip (npz) files are unpacked. `other_ids` are those of people who stay: an id that is a part of
    one of theirs is not found in it. Bytes that are no text are searched for ids of at least six bytes.

    An id that is a number of up to seven digits, or one of `words` (titles, item ids, settings: whatever may stand in
    `own_files` without meaning a person), cannot be told from them there: in these files it is looked for where user
    ids stand, and everywhere in all other files.
    """
    other_ids = list(other_ids)
    plain = [one for one in user_ids if _is_plain(one, words)]
    strict = Mentions.of([one for one in user_ids if one not in plain], other_ids)
    loose, own = Mentions.of(plain, other_ids), set(own_files)
    files = [folder] if folder.is_file() else sorted(one for one in folder.rglob("*") if not one.is_dir())
    traces: dict[Trace, None] = {}
    for path in progress(files, f"Looking for traces in {folder.name}"):
        name = path.name if folder.is_file() else path.relative_to(folder).as_posix()
        if strict.within(name) or (name not in own and loose.within(name)):
            traces[Trace(name, "its name")] = None
        if path.is_symlink():
            continue  # what it points at is not in the folder
        for piece in pieces(path, max(strict.longest, loose.longest)):
            is_for_users = piece.column in _USER_COLUMNS or piece.column == _COLUMNS_OF.get(path.name)
            is_found = _holds(piece, strict) or (name not in own and _holds(piece, loose))
            if is_found or (is_for_users and _has_value(piece, plain)):
                traces[Trace(name, piece.where)] = None
    return list(traces)


def _is_plain(id_: str, words: str) -> bool:
    return (id_.isdecimal() and len(id_) < LONG_ID) or Mentions.of([id_]).within(words)


def _holds(piece: Piece, mentions: Mentions) -> bool:
    if isinstance(piece.content, bytes):
        return mentions.within_bytes(piece.content)
    return mentions.within(piece.content)


def _has_value(piece: Piece, ids: Sequence[str]) -> bool:
    content = piece.content.decode("utf-8", "replace") if isinstance(piece.content, bytes) else piece.content
    return bool(set(content.split("\n")) & set(ids))
