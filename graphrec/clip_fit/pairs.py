"""Picture-text pairs of one or several catalogues, and their split by product."""

import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graphrec.data.dataset import Dataset
from graphrec.data.pictures import picture_problem, stays_inside
from graphrec.errors import GraphRecError
from graphrec.progress import Progress, silent


@dataclass(frozen=True)
class Pairs:
    """P items with a picture and a text. Pictures and texts are held once each, however many items share them."""

    paths: list[Path]
    texts: list[str]
    picture_P: np.ndarray
    """Row in `paths`."""
    text_P: np.ndarray
    """Row in `texts`: what a text encoder reads of the item."""
    title_P: np.ndarray
    """Row in `texts`: the title alone, or the text again where there is no title."""
    product_P: np.ndarray
    """Pairs with the same number may be one product: the same picture, whatever its file is called, or the same title
    in the same catalogue."""
    left_out: dict[str, int]
    """Reason → number of items that give no pair."""

    def __len__(self) -> int:
        return len(self.picture_P)

    def take(self, keep_P: np.ndarray) -> "Pairs":
        """Some of the pairs, by mask or row; pictures and texts that nobody uses any more are dropped."""
        picture_P, text_P, title_P = self.picture_P[keep_P], self.text_P[keep_P], self.title_P[keep_P]
        pictures, picture_P = np.unique(picture_P, return_inverse=True)
        texts, both = np.unique(np.concatenate([text_P, title_P]), return_inverse=True)
        text_P, title_P = np.split(both, 2)
        return Pairs(
            paths=[self.paths[row] for row in pictures],
            texts=[self.texts[row] for row in texts],
            picture_P=picture_P,
            text_P=text_P,
            title_P=title_P,
            product_P=self.product_P[keep_P],
            left_out=self.left_out,
        )

    def hold_out(self, share: float, seed: int) -> tuple["Pairs", "Pairs"]:
        """Pairs to learn from and pairs to measure on; no product is on both sides.

        Products are dealt in a random order until the share of pairs is reached; one that would overshoot it is passed.
        Raises GraphRecError where either side would stay empty.
        """
        product, size = np.unique(self.product_P, return_counts=True)
        wanted, held = round(share * len(self)), []
        for row in np.random.default_rng(seed).permutation(len(product)):
            if size[row] <= wanted:
                wanted -= size[row]
                held.append(product[row])
        is_held_P = np.isin(self.product_P, held)
        if share > 0 and (not is_held_P.any() or is_held_P.all()):
            raise GraphRecError(
                f"Cannot hold out {share:.0%} of {len(self):,} picture-text pairs of {len(product):,} products: "
                "at least one product is needed on each side."
            )
        return self.take(~is_held_P), self.take(is_held_P)


def find_pairs(
    datasets: Sequence[Dataset], exclude: Collection[tuple[int, str]] = (), progress: Progress = silent
) -> Pairs:
    """The items that have a text and a readable picture header, over all datasets.

    Whole products that hold an item of `exclude`, (position of the dataset, item id), are left out. Raises
    GraphRecError where no pair is found.
    """
    tables = [_table(number, dataset) for number, dataset in enumerate(datasets)]
    table = pd.concat(tables, ignore_index=True)
    reason_N = _why_not(table, progress)
    table["path"] = _first_of_equal_files(table["path"])
    product_N = _products(table)
    names_it_N = pd.MultiIndex.from_frame(table[["dataset", "item_id"]]).isin(list(exclude))
    excluded_N = np.isin(product_N, product_N[names_it_N])
    reason_N[(reason_N == "") & excluded_N] = "left out on request, with its whole product"
    names, counts = np.unique(reason_N[reason_N != ""], return_counts=True)
    table, product_N = table[reason_N == ""], product_N[reason_N == ""]
    if table.empty:
        raise GraphRecError(
            f"No item of {', '.join(dataset.name for dataset in datasets)} has both a picture and a text "
            f"({', '.join(f'{count:,} {name}' for name, count in zip(names, counts, strict=True)) or 'no items'})."
        )
    picture_P, paths = pd.factorize(table["path"])
    both, texts = pd.factorize(pd.concat([table["text"], table["title"].where(table["title"] != "", table["text"])]))
    text_P, title_P = np.split(both, 2)
    return Pairs(
        paths=[Path(path) for path in paths],
        texts=list(texts),
        picture_P=picture_P.astype(np.int64),
        text_P=text_P.astype(np.int64),
        title_P=title_P.astype(np.int64),
        product_P=product_N,
        left_out={str(name): int(count) for name, count in zip(names, counts, strict=True)},
    )


def normalised(title: str) -> str:
    """Titles that differ only in case, spaces or punctuation name one product."""
    return " ".join("".join(c if c.isalnum() else " " for c in title.casefold()).split())


def _table(number: int, dataset: Dataset) -> pd.DataFrame:
    catalogue = dataset.catalogue
    root = catalogue.image_root
    resolved = Path() if root is None else root.resolve()
    return pd.DataFrame(
        {
            "dataset": number,
            "item_id": catalogue.item_ids,
            "title": [title.strip() for title in catalogue.title],
            "text": [text.strip() for text in catalogue.text],
            "path": [
                str(root / image) if root is not None and image and stays_inside(resolved, root / image) else ""
                for image in catalogue.image
            ],
        }
    )


def _why_not(table: pd.DataFrame, progress: Progress) -> np.ndarray:
    """Why an item gives no pair, "" where it does; a picture that many items share is looked at once."""
    code_N, paths = pd.factorize(table["path"])
    problem_U = np.array(
        [
            (picture_problem(Path(path)) or "") if path else "no picture"
            for path in progress(paths, "Looking at pictures")
        ],
        dtype=object,
    )
    reason_N = problem_U[code_N]
    reason_N[(table["text"] == "").to_numpy()] = "no text"
    return reason_N


def _first_of_equal_files(path_N: pd.Series) -> pd.Series:
    """Each path, or that of the first file with the same bytes: a picture that was saved twice is one picture."""
    paths = pd.Series(path_N[path_N != ""].unique())
    size = paths.map(lambda path: os.path.getsize(path) if os.path.isfile(path) else -1)
    twins = paths[size.duplicated(keep=False) & (size >= 0)]
    content = twins.map(_digest)
    first = pd.Series(twins.to_numpy(), index=content).groupby(level=0).first()
    same = dict(zip(twins, content.map(first), strict=True))
    return path_N.map(lambda path: same.get(path, path))


def _digest(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _products(table: pd.DataFrame) -> np.ndarray:
    """The same number for items that share a picture, or a normalised title within one catalogue, also in a chain."""
    title = table["title"].map(normalised)
    own = "\0" + pd.Series(np.arange(len(table)).astype(str), index=table.index)
    by_title = (table["dataset"].astype(str) + "\0" + title).where(title != "", own)
    by_picture = table["path"].where(table["path"] != "", own)
    num = len(table)
    title_N, picture_N = pd.factorize(by_title)[0], pd.factorize(by_picture)[0] + num
    rows = np.arange(num)
    # A graph of items with their titles and pictures as further nodes: a product is a connected part of it.
    one, other = np.concatenate([rows, rows]), np.concatenate([num + title_N, num + picture_N])
    size = 3 * num + 1
    links = coo_array((np.ones(2 * num), (one, other)), shape=(size, size))
    return connected_components(links, directed=False)[1][:num].astype(np.int64)
