"""Which items of different sites are one product: candidates, evidence, probability, one partner per site.

Shapes: I items, P pairs.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.modality import Modality
from graphrec.identity.candidates import Pairs, block_groups, nearest_pairs
from graphrec.identity.config import MatchConfig
from graphrec.identity.evidence import Evidence, compare_pairs, in_words
from graphrec.identity.fellegi_sunter import FellegiSunter
from graphrec.identity.item_vectors import own_vectors_of
from graphrec.identity.learned import learned_probability
from graphrec.identity.matches import SiteMatches
from graphrec.identity.one_to_one import probability_of, taken_pairs
from graphrec.identity.own_twins import own_twin_warning
from graphrec.identity.profiles import Profiles
from graphrec.identity.search_vectors import search_vectors
from graphrec.identity.verdicts import NO, YES, Verdicts
from graphrec.progress import Progress, silent

_BY_KEY = "exact key or given link"


def match_sites(
    dataset: Dataset,
    sites: Sequence[str] | None = None,
    config: MatchConfig = MatchConfig(),  # noqa: B008 (frozen)
    verdicts: Verdicts | None = None,
    vectors: Mapping[str, Modality] | None = None,
    progress: Progress = silent,
) -> SiteMatches:
    """Propose pairs of items of different sites that are one product, each with its probability; nothing is merged.

    Links of weight 1 that the dataset brings (exact keys) are taken as they are, `verdicts` are obeyed before them, and
    both teach what a match looks like; without either that is learned from the catalogues alone. `sites`: those to be
    matched, all where not given. `vectors`: name → modality of the dataset's items, such as pictures through CLIP;
    where not given, the dataset's own vectors.

    Raises GraphRecError where there are not two sites, one of them is unknown or has nothing to be compared by, or
    `config.block` is no categorical attribute.
    """
    catalogue = dataset.catalogue
    names = _chosen_sites(dataset, sites)
    vectors = own_vectors_of(dataset) if vectors is None else vectors
    for name in names:
        _require_content(catalogue, name, vectors)
    block_I = _blocks(catalogue, config.block)
    settled = (verdicts or Verdicts.none()).over(Verdicts.of_links(dataset.same_as))
    profiles = Profiles.of(catalogue, vectors)
    searched = dict(progress(search_vectors(profiles, config.seed), "Preparing titles and texts", 2))
    found, warnings = [], []
    for one, other in combinations(names, 2):
        left, right = (np.flatnonzero(catalogue.site == name) for name in (one, other))
        pairs = _candidates(searched, left, right, block_I, settled, config, progress)
        evidence = compare_pairs(profiles, pairs)
        known_P, has_rivals = settled.known(pairs), not config.many_per_site
        known_P = _with_rivals_settled(known_P, pairs) if has_rivals else known_P
        model, probability_P = FellegiSunter.fit(evidence, pairs, known_P, has_rivals)
        first_P = probability_of(model.odds(evidence), pairs, has_rivals)
        learned_P = learned_probability(first_P, evidence, pairs, known_P, has_rivals, config.seed, progress)
        probability_P = probability_P if learned_P is None else learned_P
        kept = np.flatnonzero((probability_P >= config.propose_from) | (settled.known(pairs) == 0))
        found.append((pairs.take(kept), probability_P[kept], evidence.take(kept)))
        warning = own_twin_warning(model, profiles, searched, (one, left), (other, right), probability_P, pairs, config)
        warnings += [warning] if warning else []
    return _proposals(catalogue, names, found, settled, config, tuple(warnings))


def _chosen_sites(dataset: Dataset, sites: Sequence[str] | None) -> tuple[str, ...]:
    have = tuple(dict.fromkeys(site for site in dataset.catalogue.site.tolist() if site))
    unknown = [site for site in sites or () if site not in have]
    if unknown:
        raise GraphRecError(
            f"No item of dataset {dataset.name!r} is of site {unknown[0]!r} (its sites: {', '.join(have) or 'none'})."
        )
    chosen = have if sites is None else tuple(dict.fromkeys(sites))
    if len(chosen) < 2:
        says = f"only of site {chosen[0]!r}" if chosen else "of no site"
        raise GraphRecError(
            f"Matching needs items of two sites, but those of dataset {dataset.name!r} are {says}: give the items a "
            "column site, or every items file its site in dataset.yaml."
            if sites is None
            else f"Matching needs two sites, got {', '.join(chosen) or 'none'} (the dataset has: {', '.join(have)})."
        )
    return chosen


def _require_content(catalogue: Catalogue, site: str, vectors: Mapping[str, Modality]) -> None:
    is_here_I = catalogue.site == site
    has_text = any((column[is_here_I] != "").any() for column in (catalogue.title, catalogue.text))
    if not has_text and not any(modality.present_I[is_here_I].any() for modality in vectors.values()):
        raise GraphRecError(
            f"Site {site!r}: none of its {int(is_here_I.sum())} items has a title, a text or vectors, so there is "
            "nothing to match them by; map its title column under items: in dataset.yaml, or name other sites."
        )


def _blocks(catalogue: Catalogue, name: str | None) -> np.ndarray | None:
    if name is None:
        return None
    known = Profiles.codes(catalogue)
    if name not in known:
        raise GraphRecError(
            f"Cannot compare within blocks of {name!r}: the categorical attributes are {', '.join(known) or 'none'}."
        )
    return known[name]


def _candidates(
    searched: Mapping[str, np.ndarray],
    left: np.ndarray,
    right: np.ndarray,
    block_I: np.ndarray | None,
    settled: Verdicts,
    config: MatchConfig,
    progress: Progress,
) -> Pairs:
    """Neighbours of every search, and whatever is settled between the two sites."""
    groups = list(block_groups(left, right, block_I))
    parts = [nearest_pairs(searched.values(), groups, config.neighbours, progress)]
    one, other = settled.pairs.left_P, settled.pairs.right_P
    for here, there in ((one, other), (other, one)):
        between = np.isin(here, left) & np.isin(there, right)
        parts.append(Pairs(here[between], there[between]))
    return Pairs.joined(parts)


def _with_rivals_settled(known_P: np.ndarray, pairs: Pairs) -> np.ndarray:
    """An item whose partner is known has no other."""
    is_match_P = known_P == 1
    is_rival_P = np.isin(pairs.left_P, pairs.left_P[is_match_P]) | np.isin(pairs.right_P, pairs.right_P[is_match_P])
    return np.where(is_rival_P & np.isnan(known_P), 0.0, known_P)


def _proposals(
    catalogue: Catalogue,
    names: tuple[str, ...],
    found: Sequence[tuple[Pairs, np.ndarray, Evidence]],
    settled: Verdicts,
    config: MatchConfig,
    warnings: tuple[str, ...],
) -> SiteMatches:
    """Of all sites together: what is consistent, and the pairs that were refused, so that they stay in the file."""
    left_P = np.concatenate([pairs.left_P for pairs, _, _ in found])
    right_P = np.concatenate([pairs.right_P for pairs, _, _ in found])
    probability_P = np.concatenate([probability for _, probability, _ in found])
    words_P = np.concatenate([in_words(evidence) for _, _, evidence in found])
    pairs = Pairs(np.minimum(left_P, right_P), np.maximum(left_P, right_P))
    known_P = settled.known(pairs)
    person_P = settled.said_by_person(pairs)
    refused = settled.pairs.take(~settled.is_same_V)
    taken_P = taken_pairs(
        np.where(known_P == 0, 0.0, probability_P) + (person_P & (known_P == 1)),  # what a person says comes first
        pairs,
        catalogue.site,
        zip(refused.left_P.tolist(), refused.right_P.tolist(), strict=True),
        config.many_per_site,
    )
    warnings += _overruled(known_P == 1, person_P, taken_P)
    shown = np.flatnonzero(taken_P | (person_P & (known_P == 0)))
    shown = shown[np.lexsort((pairs.right_P[shown], pairs.left_P[shown]))]
    return SiteMatches(
        catalogue=catalogue,
        sites=names,
        pairs=Pairs(pairs.left_P[shown], pairs.right_P[shown]),
        probability_P=probability_P[shown],
        verdict_P=np.where(person_P[shown], np.where(known_P[shown] == 1, YES, NO), "").astype(object),
        evidence_P=np.where(~person_P[shown] & (known_P[shown] == 1), _BY_KEY, words_P[shown]).astype(object),
        at_least=config.at_least,
        warnings=warnings,
    )


def _overruled(is_same_P: np.ndarray, person_P: np.ndarray, taken_P: np.ndarray) -> tuple[str, ...]:
    """Lines on settled pairs that cannot all hold."""
    reason = "with the others, their product would have two items of one site or hold a pair with the verdict no."
    counts = {
        "with the verdict yes": int((is_same_P & person_P & ~taken_P).sum()),
        "with an exact key or given link": int((is_same_P & ~person_P & ~taken_P).sum()),
    }
    return tuple(f"Not linked: {count} pairs {which}; {reason}" for which, count in counts.items() if count)
