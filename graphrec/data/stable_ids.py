"""64-bit numbers for ids, for systems whose keys are integers: the same on every machine and after every training."""

import hashlib
from collections.abc import Iterable

import numpy as np

from graphrec.errors import GraphRecError

_LARGEST = 2**63 - 1


def stable_ids(ids: Iterable[str]) -> np.ndarray:
    """int64 (N,), one number of at least 0 per id: a function of the id's text and nothing else.

    The first eight bytes of the SHA-256 of its UTF-8 text, read big-endian, with the sign bit cleared, so that signed
    and unsigned readers see one number. Two of a million ids share one with probability 5e-8.

    Raises GraphRecError where two different ids share a number.
    """
    ids = np.asarray(list(ids), dtype=object)
    numbers_N = np.fromiter((_number(one) for one in ids), dtype=np.int64, count=len(ids))
    _require_no_collision(ids, numbers_N)
    return numbers_N


def _number(one: str) -> int:
    return int.from_bytes(hashlib.sha256(one.encode("utf-8")).digest()[:8], "big") & _LARGEST


def _require_no_collision(ids: np.ndarray, numbers_N: np.ndarray) -> None:
    order = np.argsort(numbers_N, kind="stable")
    for place in np.flatnonzero(np.diff(numbers_N[order]) == 0):  # places of equal neighbours: next to never any
        first, second = ids[order[place]], ids[order[place + 1]]
        if first != second:
            raise GraphRecError(f"Ids {first!r} and {second!r} have the same stable id: rename one of the two.")
