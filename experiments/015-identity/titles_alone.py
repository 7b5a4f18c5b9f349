"""What equal titles alone would link."""

import numpy as np
import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.identity.titles import Titles


def equal_titles(catalogue: Catalogue) -> dict[str, set[tuple[int, int]]]:
    """Pairs of items of the two sites whose titles are equal, and unlike any other title of either site.

    As written: letter for letter, a year column in brackets behind. Without case, articles and years: both normalised.
    Normalised, and years not more than one apart where both are known.
    """
    titles = Titles.of(catalogue.title)
    year_I = catalogue.attributes.numeric.get("year", np.full(len(catalogue), np.nan))
    written = [
        title if np.isnan(year) else f"{title} ({year:.0f})"
        for title, year in zip(catalogue.title, year_I, strict=True)
    ]
    known_I = np.where(np.isnan(year_I), titles.year_I, year_I)
    normalised = _unique_pairs(titles.words_I, catalogue.site)
    return {
        "as written": _unique_pairs(np.array(written, dtype=object), catalogue.site),
        "without case, articles and year": normalised,
        "the same, years at most one apart": {
            (one, other) for one, other in normalised if not abs(known_I[one] - known_I[other]) > 1
        },
    }


def _unique_pairs(title_I: np.ndarray, site_I: np.ndarray) -> set[tuple[int, int]]:
    table = pd.DataFrame({"title": title_I, "site": site_I})
    table = table[(table["title"] != "") & ~table.duplicated(keep=False)]
    sites = list(dict.fromkeys(site_I))
    one, other = (table[table["site"] == site].reset_index().set_index("title")["index"] for site in sites)
    both = one.index.intersection(other.index)
    return set(zip(one[both].tolist(), other[both].tolist(), strict=True))
