"""What matching found: proposed pairs with their probability, to be reviewed or linked."""

from dataclasses import dataclass

import numpy as np

from graphrec.data.catalogue import Catalogue
from graphrec.data.same_as import SameAs
from graphrec.identity.candidates import Pairs


@dataclass(frozen=True)
class SiteCounts:
    """What became of the items of two sites."""

    site: str
    other_site: str
    items: int
    other_items: int
    certain: int
    """Pairs from `at_least` on, those with the verdict yes among them."""
    to_review: int
    without: int
    """Items of `site` for which nothing is proposed."""
    other_without: int
    refused: int
    """Pairs with the verdict no."""


@dataclass(frozen=True)
class SiteMatches:
    """P proposed pairs of items, the lower index left; no product has two items of one site unless that was allowed."""

    catalogue: Catalogue
    sites: tuple[str, ...]
    pairs: Pairs
    probability_P: np.ndarray
    """float64; 1 for the verdict yes and for exact keys, 0 for the verdict no."""
    verdict_P: np.ndarray
    """"yes", "no" or "" (object array of str): what a person said."""
    evidence_P: np.ndarray
    """What speaks for each pair and against it, in words (object array of str)."""
    at_least: float
    """From this probability on a pair counts as certain."""
    warnings: tuple[str, ...] = ()

    def same_as(self, at_least: float | None = None) -> SameAs:
        """The links, weighted with their probability: pairs from `at_least` on (default: what counts as certain)."""
        chosen_P = (self.probability_P >= (self.at_least if at_least is None else at_least)) & (self.verdict_P != "no")
        linked = self.pairs.take(chosen_P)
        return SameAs.of(linked.left_P, linked.right_P, self.probability_P[chosen_P])

    @property
    def is_certain_P(self) -> np.ndarray:
        """(P,) bool."""
        return self.probability_P >= self.at_least

    @property
    def expected_precision(self) -> float:
        """Mean probability of the certain pairs: the share of them that should be right; nan where there is none."""
        certain = self.probability_P[self.is_certain_P]
        return float(certain.mean()) if len(certain) else float("nan")

    def counts(self) -> list[SiteCounts]:
        """One entry for every two sites, in their order."""
        site_I = self.catalogue.site
        one_P, other_P = site_I[self.pairs.left_P], site_I[self.pairs.right_P]
        found = []
        for number, site in enumerate(self.sites):
            for other in self.sites[number + 1 :]:
                here_P = ((one_P == site) & (other_P == other)) | ((one_P == other) & (other_P == site))
                proposed_P = here_P & (self.verdict_P != "no")
                items = np.r_[self.pairs.left_P[proposed_P], self.pairs.right_P[proposed_P]]
                sizes = [int((site_I == name).sum()) for name in (site, other)]
                matched = [len(np.unique(items[site_I[items] == name])) for name in (site, other)]
                certain = int((proposed_P & self.is_certain_P).sum())
                found.append(
                    SiteCounts(
                        site=site,
                        other_site=other,
                        items=sizes[0],
                        other_items=sizes[1],
                        certain=certain,
                        to_review=int(proposed_P.sum()) - certain,
                        without=sizes[0] - matched[0],
                        other_without=sizes[1] - matched[1],
                        refused=int((here_P & (self.verdict_P == "no")).sum()),
                    )
                )
        return found
