"""From keys and a file of pairs to `SameAs`; whatever contradicts itself is reported and links nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.item_rows import ItemRows
from graphrec.data.same_as import SameAs
from graphrec.data.same_as_description import SameAsDescription
from graphrec.data.same_as_file import PairRows, read_pair_rows
from graphrec.data.same_as_keys import pairs_of_key
from graphrec.data.set_aside import SetAsideCollector

_CONTRADICTORY = "contradictory same_as: the product would have two items of one site, or a pair that is refused"


def read_same_as(
    root: Path,
    description: SameAsDescription | None,
    catalogue: Catalogue,
    rows: ItemRows,
    collector: SetAsideCollector,
) -> SameAs:
    """The pairs of items of different sites that are one product.

    A key that two items of one site share, and a product that would have two items of one site (through a chain of
    pairs) or hold a pair with the verdict no, link nothing: each is reported, with one warning per kind. Raises
    GraphRecError where no item has a key that is asked for, or the file is missing or has not its columns.
    """
    if description is None:
        _note_unused_keys(catalogue, collector)
        return SameAs.none()
    from_keys = [pairs_of_key(name, description, catalogue, rows, collector) for name in description.keys]
    file_rows = None
    if description.file is not None:
        file_rows = read_pair_rows(root, description, catalogue, collector)
    pairs = _PairsAndRefusals.of(from_keys, file_rows)
    is_bad_P = _is_contradictory(pairs, catalogue, description.many_per_site)
    _report_contradictions(pairs, is_bad_P, file_rows, description, catalogue, rows, collector)
    kept = ~is_bad_P
    if not kept.any():
        collector.warn("same_as links no items: see the rows set aside and left out, and the sites of the items.")
    return SameAs.of(pairs.one_P[kept], pairs.other_P[kept], pairs.weight_P[kept])


def _note_unused_keys(catalogue: Catalogue, collector: SetAsideCollector) -> None:
    unused = [name for name, key_I in catalogue.keys.items() if (key_I != "").any()]
    if unused and len(set(catalogue.site)) > 1:
        collector.note(
            f"the items have {' and '.join(unused)}, which is not used to link sites; if it identifies products, add "
            f'"same_as: {{keys: [{", ".join(unused)}]}}" in dataset.yaml'
        )


@dataclass(frozen=True)
class _PairsAndRefusals:
    """P pairs to be linked, none of them refused directly, and the refused ones."""

    one_P: np.ndarray
    other_P: np.ndarray
    weight_P: np.ndarray
    file_row_P: np.ndarray
    """Position among the file's rows; -1 for a pair that a key gives."""
    refused_N2: np.ndarray

    @classmethod
    def of(cls, from_keys: Sequence[np.ndarray], file_rows: PairRows | None) -> "_PairsAndRefusals":
        by_key_K2 = np.concatenate([np.empty((0, 2), dtype=np.int64), *from_keys])
        if file_rows is None:
            size = len(by_key_K2)
            nothing = np.empty((0, 2), dtype=np.int64)
            return cls(by_key_K2[:, 0], by_key_K2[:, 1], np.ones(size), np.full(size, -1), nothing)
        in_file_R2 = np.sort(np.stack([file_rows.one_R, file_rows.other_R], axis=1), axis=1)
        refused_N2 = in_file_R2[file_rows.weight_R == 0]
        by_key_K2 = by_key_K2[~_is_among(by_key_K2, refused_N2)]
        linked = np.flatnonzero(file_rows.weight_R > 0)
        pairs_P2 = np.concatenate([by_key_K2, in_file_R2[linked]])
        return cls(
            one_P=pairs_P2[:, 0],
            other_P=pairs_P2[:, 1],
            weight_P=np.concatenate([np.ones(len(by_key_K2)), file_rows.weight_R[linked]]),
            file_row_P=np.concatenate([np.full(len(by_key_K2), -1), linked]),
            refused_N2=refused_N2,
        )


def _is_among(pairs_P2: np.ndarray, given_N2: np.ndarray) -> np.ndarray:
    return pd.MultiIndex.from_frame(pd.DataFrame(pairs_P2)).isin(pd.MultiIndex.from_frame(pd.DataFrame(given_N2)))


def _is_contradictory(pairs: _PairsAndRefusals, catalogue: Catalogue, many_per_site: bool) -> np.ndarray:
    """(P,) mask of the pairs whose product has two items of one site, or holds a refused pair."""
    if not len(pairs.one_P):
        return np.zeros(0, dtype=bool)
    product_I = SameAs.of(pairs.one_P, pairs.other_P, pairs.weight_P).product_of_item(len(catalogue))
    one, other = product_I[pairs.refused_N2].T
    bad = {*one[one == other].tolist()}
    if not many_per_site:
        again = pd.DataFrame({"product": product_I, "site": catalogue.site}).duplicated().to_numpy()
        bad |= {*product_I[again].tolist()}
    return np.isin(product_I[pairs.one_P], sorted(bad))


def _report_contradictions(
    pairs: _PairsAndRefusals,
    is_bad_P: np.ndarray,
    file_rows: PairRows | None,
    description: SameAsDescription,
    catalogue: Catalogue,
    rows: ItemRows,
    collector: SetAsideCollector,
) -> None:
    if not is_bad_P.any():
        return
    reason = f"{_CONTRADICTORY}; nothing of it is linked"
    in_file = pairs.file_row_P[is_bad_P & (pairs.file_row_P >= 0)]
    if file_rows is not None and len(in_file):
        collector.add(
            description.file or "", file_rows.row_R[in_file], "same_item_id", file_rows.same_item_id_R[in_file], reason
        )
    is_by_key_P = is_bad_P & (pairs.file_row_P < 0)
    by_key = np.unique(np.concatenate([pairs.one_P[is_by_key_P], pairs.other_P[is_by_key_P]]))
    rows.report(by_key, "item_id", catalogue.item_ids[by_key], reason, collector)
    product_I = SameAs.of(pairs.one_P, pairs.other_P, pairs.weight_P).product_of_item(len(catalogue))
    products = np.unique(product_I[pairs.one_P[is_bad_P]])
    ids = catalogue.item_ids[product_I == products[0]]
    shown = ", ".join(repr(one) for one in ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
    collector.warn(
        f"Contradictory same_as ({len(products)} times): a product would have two items of one site, or hold a pair "
        f"with the verdict no, such as {shown}; nothing of it is linked. Take out the wrong pair, or set "
        "same_as.many_per_site."
    )
