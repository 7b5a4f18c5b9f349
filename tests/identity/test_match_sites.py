from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from made_up_sites import catalogue_of, dataset_of, names, pairs_of

from graphrec.data.same_as import SameAs
from graphrec.errors import GraphRecError
from graphrec.features.modality import Modality
from graphrec.identity import MatchConfig, Verdicts, match_sites
from graphrec.identity.candidates import Pairs


def verdicts_of(catalogue, triples):
    """From (id, id, is the same)."""
    one, other = (catalogue.id_index.get_indexer([triple[place] for triple in triples]) for place in (0, 1))
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((high, low))
    said = np.array([triple[2] for triple in triples])[order]
    return Verdicts(Pairs(low[order], high[order]), said, np.ones(len(said), dtype=bool))


def test_planted_twins_are_found_and_hardly_anything_else(planted):
    dataset, right = planted
    found = pairs_of(match_sites(dataset), at_least=0.9)
    assert len(found & right) >= 85
    assert len(found - right) <= 1  # made-up titles share a syllable or two by chance


def test_probabilities_are_what_they_say(planted):
    dataset, right = planted
    matches = match_sites(dataset)
    certain = pairs_of(matches, 0.9)
    assert matches.expected_precision == pytest.approx(len(certain & right) / len(certain), abs=0.05)


def test_sites_with_nothing_in_common_have_few_pairs_or_a_warning():
    titles = names(np.random.default_rng(0), 200)
    rows = [(f"i{number}", "ab"[number % 2], title) for number, title in enumerate(titles)]
    matches = match_sites(dataset_of(catalogue_of(rows)))
    assert len(pairs_of(matches, 0.9)) <= 2 or "Review the certain pairs" in matches.warnings[0]


def test_no_item_is_in_two_pairs(planted):
    matches = match_sites(planted[0], config=MatchConfig(propose_from=0.01))
    for items in (matches.pairs.left_P, matches.pairs.right_P):
        assert len(np.unique(items)) == len(items)


def test_twice_is_the_same_and_the_order_of_items_does_not_matter(planted):
    dataset, _ = planted
    first, second = match_sites(dataset), match_sites(dataset)
    np.testing.assert_array_equal(first.probability_P, second.probability_P)
    backwards = match_sites(dataset, sites=["b", "a"])
    assert pairs_of(first, 0.9) == pairs_of(backwards, 0.9)


def test_a_verdict_is_obeyed(planted):
    dataset, right = planted
    wrong, refused = ("a0", "b150"), sorted(right)[3]
    matches = match_sites(dataset, verdicts=verdicts_of(dataset.catalogue, [(*wrong, True), (*refused, False)]))
    found = pairs_of(matches, 0.9)
    assert wrong in found
    assert refused not in found
    linked = matches.same_as()
    ids = dataset.catalogue.item_ids
    assert wrong in set(zip(ids[linked.left_P], ids[linked.right_P], strict=True))
    assert linked.weight_P.min() >= 0.9
    assert set(matches.verdict_P) == {"yes", "no", ""}


def test_a_verdict_beats_a_link_of_the_dataset(planted):
    dataset, right = planted
    one, other = dataset.catalogue.id_index.get_indexer(sorted(right)[0])
    linked = replace(dataset, same_as=SameAs.of([one, 1], [other, 349], [1, 1]))
    assert "exact key" in "".join(match_sites(linked).evidence_P)
    matches = match_sites(linked, verdicts=verdicts_of(dataset.catalogue, [(*sorted(right)[0], False)]))
    assert sorted(right)[0] not in pairs_of(matches)
    assert ("a1", "b199") in pairs_of(matches, 1)


def test_labels_teach_what_the_catalogues_alone_do_not(planted):
    """All right pairs but ten are settled, and as many wrong ones; the ten are found with certainty then."""
    dataset, right = planted
    told = sorted(right)[:80]
    wrong = [(one, other) for (one, _), (_, other) in pairwise(told)]
    verdicts = verdicts_of(dataset.catalogue, [(*pair, pair in right) for pair in [*told, *wrong]])
    found = pairs_of(match_sites(dataset, verdicts=verdicts), 0.9)
    assert len(found & right) >= 88
    assert len(found - right) <= 1


def test_yes_verdicts_that_cannot_all_hold_are_counted_in_a_warning():
    rows = [(f"{site}{number}", site, f"thing {number} {number}") for site in "xyz" for number in range(12)]
    catalogue = catalogue_of(rows)
    verdicts = verdicts_of(catalogue, [("x0", "y0", True), ("y0", "z0", True), ("x1", "z0", True)])
    matches = match_sites(dataset_of(catalogue), verdicts=verdicts)
    assert "Not linked: 1 pairs with the verdict yes" in matches.warnings[0]


def test_a_person_is_believed_before_a_key():
    rows = [(f"{site}{number}", site, f"thing {number} {number}") for site in "xy" for number in range(12)]
    catalogue = catalogue_of(rows)
    by_key = SameAs.of(np.array([0, 1]), np.array([12, 13]), np.ones(2))
    matches = match_sites(dataset_of(catalogue, by_key), verdicts=verdicts_of(catalogue, [("x0", "y5", True)]))
    assert {("x0", "y5"), ("x1", "y1")} <= pairs_of(matches, 1)
    assert ("x0", "y0") not in pairs_of(matches)
    assert "Not linked: 1 pairs with an exact key" in matches.warnings[0]


def test_three_sites_give_one_item_of_each_per_product(planted):
    dataset, _ = planted
    old = dataset.catalogue
    rows = list(zip(old.item_ids, old.site, old.title, strict=True))
    third = [(f"c{number}", "c", title) for number, (_, site, title) in enumerate(rows) if site == "b"]
    years = np.r_[old.attributes.numeric["year"], old.attributes.numeric["year"][old.site == "b"]]
    both = catalogue_of([*rows, *third], year=years)
    linked = match_sites(dataset_of(both)).same_as()
    product = linked.product_of_item(len(both))
    for number in np.unique(product[linked.left_P]):
        sites = both.site[product == number]
        assert len(set(sites)) == len(sites)
    assert len(match_sites(dataset_of(both)).counts()) == 3


def test_items_are_compared_within_blocks(planted):
    dataset, right = planted
    old = dataset.catalogue
    kind = np.array(["x" if site == "a" else "y" for site in old.site], dtype=object)
    one = sorted(right)[0]
    kind[old.id_index.get_indexer([one[1]])] = ""
    catalogue = replace(old, attributes=replace(old.attributes, categorical={"kind": kind}))
    found = pairs_of(match_sites(dataset_of(catalogue), config=MatchConfig(block="kind", propose_from=0.001)))
    assert found <= {pair for pair in found if pair[1] == one[1]}


def test_an_unknown_block_is_refused(planted):
    with pytest.raises(GraphRecError, match="categorical attributes are none"):
        match_sites(planted[0], config=MatchConfig(block="colour"))


def test_one_site_cannot_be_matched():
    with pytest.raises(GraphRecError, match=r"only of site 'a'.*give the items a column site"):
        match_sites(dataset_of(catalogue_of([("1", "a", "one"), ("2", "a", "two")])))
    with pytest.raises(GraphRecError, match="of no site"):
        match_sites(dataset_of(catalogue_of([("1", "", "one"), ("2", "", "two")])))


def test_sites_are_named_as_the_dataset_has_them(planted):
    with pytest.raises(GraphRecError, match=r"'c' \(its sites: a, b\)"):
        match_sites(planted[0], sites=["a", "c"])
    with pytest.raises(GraphRecError, match="needs two sites, got a"):
        match_sites(planted[0], sites=["a"])


def test_a_site_without_text_is_refused_in_one_line_unless_it_has_vectors():
    rows = [("1", "a", "red shoe"), ("2", "a", "blue hat"), ("3", "b", ""), ("4", "b", "")]
    with pytest.raises(GraphRecError, match="Site 'b': none of its 2 items has a title, a text or vectors"):
        match_sites(dataset_of(catalogue_of(rows)))
    pictures = Modality(np.eye(2, dtype=np.float32)[[0, 1, 1, 0]], np.ones(4, dtype=bool))
    matches = match_sites(dataset_of(catalogue_of(rows)), vectors={"image": pictures})
    assert pairs_of(matches) <= {("1", "4"), ("2", "3")}


def test_two_items_are_enough():
    rows = [("1", "a", "red shoe"), ("2", "b", "red shoe")]
    assert len(match_sites(dataset_of(catalogue_of(rows))).pairs) <= 1
