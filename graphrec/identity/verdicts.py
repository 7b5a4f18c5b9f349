"""What is settled already: a person's verdicts in a review file, and the links that a dataset brings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.columns import resolve_columns
from graphrec.data.dataset import SetAside
from graphrec.data.same_as import SameAs
from graphrec.data.set_aside import SetAsideCollector, Sieve, require_rows
from graphrec.data.tables.reading import read_table
from graphrec.data.tables.table import to_objects
from graphrec.identity.candidates import Pairs

YES, NO = "yes", "no"
_BOTH = "yes and no for the same pair; neither is obeyed"
_TWICE = "yes to two items of one site for the same item; none of them is obeyed"


@dataclass(frozen=True)
class Verdicts:
    """V settled pairs, each once, sorted, the lower item index left; `is_same_V` is True for yes."""

    pairs: Pairs
    is_same_V: np.ndarray
    by_person_V: np.ndarray
    """Whether a person said so; otherwise the dataset did, by an exact key or a file."""

    @classmethod
    def none(cls) -> Self:
        """Nothing is settled."""
        return cls(Pairs.joined([]), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))

    @classmethod
    def of_links(cls, same_as: SameAs) -> Self:
        """The links of weight 1; what is less sure is judged anew."""
        sure = same_as.weight_P == 1
        pairs = Pairs(same_as.left_P[sure], same_as.right_P[sure])
        return cls(pairs, np.ones(len(pairs), dtype=bool), np.zeros(len(pairs), dtype=bool))

    def over(self, others: "Verdicts") -> "Verdicts":
        """These, and of the others what does not contradict them: a person is believed before a key."""
        table = pd.concat([self._table(), others._table()], ignore_index=True).drop_duplicates(["left", "right"])
        table = table.sort_values(["left", "right"])
        return Verdicts(
            Pairs(table["left"].to_numpy(np.int64), table["right"].to_numpy(np.int64)),
            table["is_same"].to_numpy(bool),
            table["by_person"].to_numpy(bool),
        )

    def known(self, pairs: Pairs) -> np.ndarray:
        """(P,) 1 or 0 where a pair, in either direction, is settled, nan elsewhere."""
        place_P = self._places(pairs)
        return np.where(place_P >= 0, np.append(self.is_same_V, False)[place_P].astype(np.float64), np.nan)

    def said_by_person(self, pairs: Pairs) -> np.ndarray:
        """(P,) bool: whether a person settled the pair, in either direction."""
        place_P = self._places(pairs)
        return (place_P >= 0) & np.append(self.by_person_V, False)[place_P]

    def _places(self, pairs: Pairs) -> np.ndarray:
        """(P,) where each pair stands among these, -1 where it does not."""
        low_P, high_P = np.minimum(pairs.left_P, pairs.right_P), np.maximum(pairs.left_P, pairs.right_P)
        settled = pd.MultiIndex.from_arrays([self.pairs.left_P, self.pairs.right_P])
        return settled.get_indexer(pd.MultiIndex.from_arrays([low_P, high_P]))

    def __len__(self) -> int:
        return len(self.pairs)

    def _table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "left": self.pairs.left_P,
                "right": self.pairs.right_P,
                "is_same": self.is_same_V,
                "by_person": self.by_person_V,
            }
        )


def read_verdicts(path: Path, catalogue: Catalogue, many_per_site: bool = False) -> tuple[Verdicts, SetAside]:
    """The rows of a review file (item_id, same_item_id, verdict) in which a person said yes or no.

    Rows with an unknown item, with two items of one site, or with another verdict than yes, no and nothing are set
    aside. So are contradictions: yes and no for one pair, and yes to two items of one site for the same item. Raises
    GraphRecError where the file or a column is missing.
    """
    collector = SetAsideCollector()
    table = read_table(path.parent, path.name, collector)
    require_rows(table, collector)
    resolve_columns(table, {}, ("item_id", "same_item_id", "verdict"), (), None, collector)
    sieve = Sieve(table, collector)
    one_N, other_N = (
        catalogue.id_index.get_indexer(pd.Index(to_objects(table.text(name)), dtype=object))
        for name in ("item_id", "same_item_id")
    )
    for name, index_N in (("item_id", one_N), ("same_item_id", other_N)):
        sieve.set_aside(index_N < 0, name, "unknown item: not in the dataset")
    is_one_site_N = (catalogue.site[one_N] == catalogue.site[other_N]) & (not many_per_site)
    sieve.set_aside(is_one_site_N, "same_item_id", "both items are of one site")
    verdict_N = np.array([text.lower() for text in to_objects(table.text("verdict"))], dtype=object)
    sieve.set_aside(~np.isin(verdict_N, [YES, NO, ""]), "verdict", "expected yes, no or nothing")
    given_N = sieve.keep_N & (verdict_N != "")
    rows = pd.DataFrame(
        {
            "left": np.minimum(one_N, other_N),
            "right": np.maximum(one_N, other_N),
            "is_same": verdict_N == YES,
        }
    )[given_N]
    is_both = rows.groupby(["left", "right"])["is_same"].transform("nunique") > 1
    sieve.set_aside(_mask(rows.index[is_both], len(table)), "verdict", _BOTH)
    rows = rows[~is_both].drop_duplicates(["left", "right"])
    if not many_per_site:
        twice = _items_twice(rows[rows["is_same"]], catalogue)
        is_twice = rows["is_same"] & (rows["left"].isin(twice) | rows["right"].isin(twice))
        sieve.set_aside(_mask(rows.index[is_twice], len(table)), "verdict", _TWICE)
        rows = rows[~is_twice]
    rows = rows.sort_values(["left", "right"])
    verdicts = Verdicts(
        Pairs(rows["left"].to_numpy(np.int64), rows["right"].to_numpy(np.int64)),
        rows["is_same"].to_numpy(bool),
        np.ones(len(rows), dtype=bool),
    )
    return verdicts, collector.finish()


def _items_twice(yes: pd.DataFrame, catalogue: Catalogue) -> Sequence[int]:
    """Items that are said to be the same as two items of one site."""
    both = pd.concat([yes[["left", "right"]], yes[["right", "left"]].set_axis(["left", "right"], axis=1)])
    both["site"] = catalogue.site[both["right"]]
    return both["left"][both.duplicated(["left", "site"], keep=False)].unique().tolist()


def _mask(places: pd.Index, length: int) -> np.ndarray:
    is_in = np.zeros(length, dtype=bool)
    is_in[places] = True
    return is_in
