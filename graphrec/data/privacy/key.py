"""The secret key of the pseudonyms: read from a file or the environment, held in memory, shown nowhere."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphrec.data.privacy.settings import HOW_TO_MAKE_A_KEY, KeySource, looks_like_a_key
from graphrec.errors import GraphRecError

_FEWEST_BYTES = 32
_FEWEST_DISTINCT_BYTES = 8
"""Of 32 random bytes fewer than so many differ about once in 10^29 times; in a row of zeros they do."""
_MOST_BYTES = 4096


@dataclass(frozen=True)
class SecretKey:
    """At least 32 bytes. It has no text of its own: printed, it says nothing."""

    secret: bytes = field(repr=False)

    @classmethod
    def read(cls, source: KeySource, environment: Mapping[str, str] | None = None) -> "SecretKey":
        """The key that the source names; hexadecimal digits are read as the bytes that they mean.

        Raises GraphRecError in one line, which never holds any of it, where it is missing, too short or not random.
        """
        if source.key_env is not None:
            text = (os.environ if environment is None else environment).get(source.key_env, "")
            return cls._of(text, f"the environment variable {source.key_env}")
        path = Path(source.key_file or "").expanduser()
        if looks_like_a_key(source.key_file or "") and not os.path.isfile(path):  # base64 may begin with a slash
            raise GraphRecError(
                "There is no such key file, and what stands in its place looks like a key, so it is not repeated here: "
                "name the file that holds the key (a key that was written elsewhere counts as known to others)."
            )
        return cls._of(_text(path), f"the key file {path}")

    @classmethod
    def _of(cls, text: str, where: str) -> "SecretKey":
        text = text.strip()
        advice = f"make one with: {HOW_TO_MAKE_A_KEY}"
        if not text:
            raise GraphRecError(f"There is no key of the pseudonyms in {where}: {advice}.")
        try:
            secret = bytes.fromhex(text)
        except ValueError:
            secret = text.encode("utf-8", "surrogateescape")
        if len(secret) < _FEWEST_BYTES:
            raise GraphRecError(
                f"The key of the pseudonyms in {where} is too short ({len(secret)} bytes, {_FEWEST_BYTES} are needed): "
                f"{advice}."
            )
        if len(set(secret)) < _FEWEST_DISTINCT_BYTES:
            raise GraphRecError(f"The key of the pseudonyms in {where} is not random: {advice}.")
        return cls(secret)


def write_new_key(path: Path) -> None:
    """Write a new key into a new file that only its owner may read.

    Raises GraphRecError where there is a file already (its pseudonyms would be lost), or none can be made.
    """
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise GraphRecError(f"{path} exists: a key is never replaced, name another file.") from None
    except OSError as error:
        raise GraphRecError(f"{path} cannot be written: {error.strerror or error}.") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_FEWEST_BYTES) + "\n")


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise GraphRecError(f"There is no key file {path}: make one with `graphrec sites key {path}`.")
        if path.stat().st_size > _MOST_BYTES:
            raise GraphRecError(f"The key file {path} holds more than a key.")
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise GraphRecError(f"The key file {path} cannot be read: {error.strerror or error}.") from None
