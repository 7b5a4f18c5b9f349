"""Which index an id has, where ids keep coming."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from graphrec.data.patched import Patched

_FEW = 16
"""Up to so many ids are looked up one by one: an index of ids would cost more."""


@dataclass(frozen=True)
class Ids:
    """The ids of N rows; a row keeps its index, whatever comes after it. Immutable."""

    base: pd.Index
    names: Patched
    """Index → id."""
    _later: dict[str, int]
    """Of ids behind the base. Shared by all that came of one base: an index from `len(self)` on is not known here."""

    @classmethod
    def of(cls, base: pd.Index, ids: np.ndarray) -> Self:
        """With nothing added."""
        return cls(base, Patched(ids), {})

    def prepare(self) -> None:
        """Make what ids are looked up in; otherwise the first that is asked for waits."""
        if len(self.base):
            self.base.get_loc(self.base[0])

    def __len__(self) -> int:
        return len(self.names)

    def get_indexer(self, ids: pd.Index) -> np.ndarray:
        """Indices, int64, -1 where unknown: as `pandas.Index.get_indexer`."""
        found = self.base.get_indexer(ids).astype(np.int64)
        if len(self) > len(self.base):
            for row in np.flatnonzero(found < 0):
                place = self._later.get(ids[int(row)], -1)
                found[row] = place if place < len(self) else -1
        return found

    def indices(self, ids: "np.ndarray | list[str]") -> np.ndarray:
        """Of these ids, in their order; -1 where unknown."""
        if len(ids) <= _FEW:
            return np.array([self._index(one) for one in ids], dtype=np.int64)
        return self.get_indexer(pd.Index(ids, dtype=object))

    def with_new(self, ids: "np.ndarray | list[str]") -> Self:
        """With those of them that are unknown, in their order, each once."""
        unknown = [one for one, index in zip(ids, self.indices(ids), strict=True) if index < 0]
        new = np.array(list(dict.fromkeys(unknown)), dtype=object)
        if not len(new):
            return self
        rows = len(self) + np.arange(len(new))
        later = self._later if len(self._later) == len(self) - len(self.base) else self._known()
        later.update(zip(new.tolist(), rows.tolist(), strict=True))
        return type(self)(self.base, self.names.with_rows(rows, new), later)

    def _index(self, one: str) -> int:
        try:
            found = self.base.get_loc(one)
            assert isinstance(found, int), "ids are unique"
            return found
        except KeyError:
            place = self._later.get(one, -1)
            return place if place < len(self) else -1
        except TypeError:  # nothing that could be an id
            return -1

    def _known(self) -> dict[str, int]:
        """A copy without what others added to the same base."""
        return {name: index for name, index in self._later.items() if index < len(self)}
