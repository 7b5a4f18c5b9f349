"""Pseudonyms of user ids: HMAC-SHA256 (RFC 2104) under a secret key, so that only its holder can make or link them."""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from graphrec.data.privacy.key import SecretKey
from graphrec.data.tables.table import factorize, to_strings

_BYTES = 20
"""Of the 32 that HMAC-SHA256 gives: 160 bits, 32 characters in base32. Two of a billion users collide with a
probability below 10^-30."""


@dataclass(frozen=True)
class Pseudonyms:
    """One scope's pseudonyms under one key, such as `u1_mfrggzdfmztwq2lknnwg23tpobyxe43u`."""

    key: SecretKey
    scope: str
    version: int

    def of(self, raw_ids: Sequence[str]) -> list[str]:
        """`u`, the version, `_` and 32 characters for each id; "" stays "" (nobody)."""
        return [f"u{self.version}_{self._digest(one)}" if one else "" for one in raw_ids]

    def column(self, ids: pa.Array) -> pa.Array:
        """The same for a column of strings; every distinct id is hashed once."""
        code_N, distinct = factorize(ids)
        return to_strings(self.of(distinct.tolist())).take(pa.array(code_N))

    def _digest(self, raw_id: str) -> str:
        # Each part with its length: no other scope, version and id give the same message.
        parts = [one.encode("utf-8", "surrogatepass") for one in (self.scope, str(self.version), raw_id)]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        digest = hmac.digest(self.key.secret, message, "sha256")
        return base64.b32encode(digest[:_BYTES]).decode("ascii").lower()
