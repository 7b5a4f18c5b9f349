"""`privacy:` in dataset.yaml: where the key of the pseudonyms is, and which column says who agreed."""

import re
from pathlib import PurePath
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, PositiveInt, StrictBool, StrictInt, StrictStr, field_validator, model_validator

from graphrec.data.section import Section

HOW_TO_MAKE_A_KEY = 'python -c "import secrets; print(secrets.token_hex(32))"'
_LOOKS_LIKE_A_KEY = re.compile(r"[0-9A-Fa-f]{32,}|[0-9A-Za-z+/=_-]{43,}")
"""Hexadecimal, or base64 of 32 bytes."""

Answer = StrictBool | StrictInt | FiniteFloat | StrictStr
Scope = Annotated[str, Field(min_length=1)]


def looks_like_a_key(text: str) -> bool:
    """Whether it may be the key itself, given in place of where it is."""
    return _LOOKS_LIKE_A_KEY.fullmatch(text) is not None


class KeySource(Section):
    """Where a secret key is: in a file or in an environment variable, never here."""

    key_file: str | None = None
    """A file that holds the key alone: an absolute path, or one that starts with ~; outside the dataset's folder."""
    key_env: str | None = None
    """The name of an environment variable."""

    @field_validator("key_file", "key_env", mode="before")
    @classmethod
    def _names_a_place(cls, value: object) -> object:
        # What stands here is never repeated: it may be the key itself, put here by mistake.
        if value is not None and (
            not isinstance(value, str) or (looks_like_a_key(value) and not value.startswith(("/", "~")))
        ):
            raise ValueError("names the place of the key, never the key itself (which counts as known to others now)")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("give key_env (the name of an environment variable) or key_file (a path)")
        if self.key_env is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.key_env):
            raise ValueError("key_env is not a name of an environment variable, such as GRAPHREC_KEY")
        if self.key_file is not None and not (self.key_file.startswith("~") or PurePath(self.key_file).is_absolute()):
            raise ValueError(
                "key_file: give an absolute path or one that starts with ~: a key has no place in the data"
            )
        return self


class PseudonymSettings(KeySource):
    """User ids are replaced while they are read. The same key, scope, version and id give the same pseudonym."""

    scope: Scope
    """What the pseudonyms are for: users of sites that are read under one scope and key can be told to be the same
    person, under two scopes they cannot."""
    version: PositiveInt = 1
    """Raise it with every new key; it stands in front of each pseudonym."""


class ConsentSettings(Section):
    """Rows of people who did not agree are dropped before anything is computed."""

    column: str = "consent"
    """The file's column. A file without it is refused."""
    granted: tuple[Answer, ...] = Field(default=(True, 1), min_length=1)
    """What means yes, upper or lower case; `true` stands for true, yes, y and on, a number for however it is written.
    Everything else means no."""
    denied: tuple[Answer, ...] = (False, 0, "")
    """What means no; what is neither is reported, and means no too."""


class PrivacySettings(Section):
    """What is done to every file of interactions and every split before anything else."""

    pseudonyms: PseudonymSettings | None = None
    consent: ConsentSettings | None = None

    @field_validator("pseudonyms", mode="before")
    @classmethod
    def _is_no_key(cls, value: object) -> object:
        if isinstance(value, (str, int, float)):
            raise ValueError("expected scope, and key_env or key_file")  # without the value: it may be a key
        return value
