"""API keys: made once, kept as SHA-256, compared in constant time.

A key has 256 random bits, so a plain hash of it cannot be searched; a slow one for passwords would cost every request.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from graphrec.errors import GraphRecError

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = ("read", "write")
ENVIRONMENT = "GRAPHREC_API_KEYS"
_PREFIX = "gr_"


class KeyRecord(BaseModel, extra="forbid", frozen=True):
    """What is kept of a key: one line of JSON."""

    name: str = Field(min_length=1, max_length=100)
    """For the log: whose key it is."""
    scopes: tuple[Scope, ...] = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


@dataclass(frozen=True)
class ApiKeys:
    """The keys that are let in; without any, everybody is."""

    records: tuple[KeyRecord, ...] = ()

    @property
    def are_required(self) -> bool:
        """Whether a request without a key is refused."""
        return bool(self.records)

    def find(self, key: str) -> KeyRecord | None:
        """The record of this key, None where it is unknown. Takes as long for a wrong key as for a right one."""
        digest = _digest(key)
        found = None
        for record in self.records:
            if hmac.compare_digest(record.sha256, digest):
                found = record
        return found

    @classmethod
    def read(cls, file: Path | None = None, text: str | None = None) -> "ApiKeys":
        """From a file of JSON lines, or the same lines as text (of an environment variable); neither: no keys.

        Raises GraphRecError in one line, which never holds what stands in the file, where it cannot be read, holds no
        key, or a line is not a record.
        """
        if file is not None:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                raise GraphRecError(
                    f"{file} cannot be read: make it with `graphrec serve --new-key read,write --keys {file}`."
                ) from None
        if text is None:
            return cls()
        where = str(file or ENVIRONMENT)
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not lines:
            raise GraphRecError(f"{where} holds no key: make one with `graphrec serve --new-key read,write`.")
        records = tuple(_parsed(line, f"{where}, line {number}") for number, line in lines)
        return cls(records)


def new_key(scopes: Sequence[str], name: str) -> tuple[str, KeyRecord]:
    """A key, which nobody can see again, and what is kept of it. Raises GraphRecError for a scope that is none."""
    for scope in scopes:
        if scope not in SCOPES:
            raise GraphRecError(f"No scope {scope!r}: expected read, write or read,write.")
    key = _PREFIX + secrets.token_urlsafe(32)
    record = {"name": name, "scopes": tuple(dict.fromkeys(scopes)), "sha256": _digest(key)}
    return key, _parsed(json.dumps(record), "--name")


def append_key(record: KeyRecord, file: Path) -> None:
    """Add the record to a file that its owner alone can read. Raises GraphRecError where it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as lines:
            lines.write(record.model_dump_json() + "\n")
    except OSError as error:
        raise GraphRecError(f"{file} cannot be written: {error.strerror}. Name another --keys.") from None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _parsed(line: str, where: str) -> KeyRecord:
    try:
        return KeyRecord.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GraphRecError(
            f"{where}: {place + ': ' if place else ''}{first['msg']}; expected a line that "
            "`graphrec serve --new-key read,write` made."
        ) from None
