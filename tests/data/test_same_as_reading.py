"""What links items across sites, and what is reported and links nothing. Worlds small enough to count by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.check import check
from graphrec.data.dataset import Dataset
from graphrec.data.fingerprint import fingerprint
from graphrec.errors import GraphRecError

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "data" / "ml1m-cross-site.yaml"

NORTH = "item_id,title,ean,code\nn1,Mug,4006381333931,x\nn2,Cup,036000291452,y\nn3,Jug,,z\nn4,Pan,,\n"
SOUTH = "item_id,title,ean,code\ns1,Big mug,4006381333931,\ns2,Small cup,36000291452,y\ns3,Pitcher,,\ns4,Lid,,\n"
EAST = "item_id,title,code\ne1,Becher,y\ne2,Krug,z\n"


def shop(folder, same_as, pairs=None, south=SOUTH, north=NORTH, columns="{gtin: ean, product_key: code}"):
    texts = {"north.csv": north, "south.csv": south, "east.csv": EAST, "events.csv": "user_id,item_id\nu1,n1\nu2,s1\n"}
    if pairs is not None:
        texts["pairs.csv"] = pairs
    texts["dataset.yaml"] = f"""
items:
  - {{file: north.csv, site: north, columns: {columns}, categorical: []}}
  - {{file: south.csv, site: south, columns: {columns}, categorical: []}}
  - {{file: east.csv, site: east, columns: {{product_key: code}}, categorical: []}}
interactions: {{file: events.csv}}
{same_as}
"""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Dataset.load(folder)


def links(dataset):
    ids, same = dataset.catalogue.item_ids, dataset.same_as
    pairs = zip(ids[same.left_P], ids[same.right_P], np.round(same.weight_P.astype(float), 3), strict=True)
    return {f"{one} {other}": float(weight) for one, other, weight in pairs}


def aside(dataset):
    """(file, row, reason up to the first punctuation mark)."""
    rows = dataset.set_aside.rows
    return [(r.file, r.row, r.reason.split(";")[0].split(":")[0]) for r in rows.itertuples()]


def test_nothing_is_linked_unasked_and_a_note_says_what_could_be(tmp_path):
    dataset = shop(tmp_path, "")
    assert len(dataset.same_as) == 0
    (note,) = [note for note in dataset.set_aside.notes if "link sites" in note]
    assert '"same_as: {keys: [product_key, gtin]}"' in note


def test_items_that_share_a_key_are_linked_across_sites(tmp_path):
    assert links(shop(tmp_path, "same_as: {keys: [gtin]}")) == {"n1 s1": 1, "n2 s2": 1}
    both = links(shop(tmp_path, "same_as: {keys: [gtin, product_key]}"))
    assert both == {"n1 s1": 1, "n2 s2": 1, "n2 e1": 1, "s2 e1": 1, "n3 e2": 1}


def test_links_tell_two_training_sets_apart(tmp_path):
    without, with_links = shop(tmp_path, ""), shop(tmp_path, "same_as: {keys: [gtin]}")
    assert fingerprint(without) == fingerprint(replace(with_links, same_as=without.same_as)) != fingerprint(with_links)


def test_a_key_at_two_items_of_one_site_links_nothing(tmp_path):
    north = NORTH + "n5,Mug again,4006381333931,\n"
    dataset = shop(tmp_path, "same_as: {keys: [gtin]}", north=north)
    assert links(dataset) == {"n2 s2": 1}
    twice = "the same key at another item of its site"
    assert aside(dataset) == [("north.csv", 1, twice), ("north.csv", 5, twice)]
    (warning,) = [one for one in dataset.set_aside.warnings if one.startswith("same_as")]
    assert "1 times, such as '04006381333931' at 'n1' and 'n5' of site 'north'" in warning

    allowed = shop(tmp_path, "same_as: {keys: [gtin], many_per_site: true}", north=north)
    assert links(allowed) == {"n1 s1": 1, "n5 s1": 1, "n2 s2": 1}
    assert aside(allowed) == []


def test_keys_that_never_meet_are_shown(tmp_path):
    dataset = shop(
        tmp_path, "same_as: {keys: [product_key]}", north="item_id,title,ean,code\nn1,Mug,,7.0\n", south=SOUTH
    )
    assert links(dataset) == {"s2 e1": 1}
    alone = "item_id,title,ean,code\ns1,Mug,,07\n"
    dataset = shop(tmp_path, "same_as: {keys: [product_key]}", north="item_id,title,ean,code\nn1,Mug,,7\n", south=alone)
    (warning,) = [one for one in dataset.set_aside.warnings if "written in the same way" in one]
    assert warning.startswith(
        "same_as: no product_key stands on two sites ('7' on 'north', '07' on 'south', 'y' on 'east')"
    )


def test_a_placeholder_links_nothing(tmp_path):
    north = NORTH + "".join(f"m{number},Thing,,n/a\n" for number in range(101))
    dataset = shop(tmp_path, "same_as: {keys: [product_key], many_per_site: true}", north=north)
    assert links(dataset) == {"n2 s2": 1, "n2 e1": 1, "s2 e1": 1, "n3 e2": 1}
    assert any("'n/a' is the product_key of 101 items" in warning for warning in dataset.set_aside.warnings)


REVIEW = """item_id,same_item_id,probability,verdict,title
n1,s1,0.4,yes,Mug
n2,s2,0.99,no,Cup
n3,s3,0.93,,Jug
n4,s4,0.5,,Pan
n4,s9,0.99,,unknown
n1,n2,0.95,,one site
n3,n3,0.95,,itself
n3,s4,0.95,maybe,verdict
n3,s4,2,,probability
n3,s4,,,nothing
n1,s1,0.99,,again
"""


def test_a_review_file_is_read_as_a_person_left_it(tmp_path):
    dataset = shop(tmp_path, "same_as: {keys: [gtin], file: pairs.csv}", REVIEW)
    assert links(dataset) == {"n1 s1": 1, "n3 s3": 0.93}, "a no beats the key"
    assert aside(dataset) == [
        ("pairs.csv", 5, "unknown item"),
        ("pairs.csv", 6, "both items are of one site"),
        ("pairs.csv", 7, "an item and itself"),
        ("pairs.csv", 8, "expected yes, no or nothing"),
        ("pairs.csv", 9, "not a number from 0 to 1"),
        ("pairs.csv", 10, "neither a verdict nor a weight"),
    ]
    assert dataset.set_aside.left_out == {"same_as without a verdict, below 0.9": 1}
    lower = shop(tmp_path, "same_as: {file: pairs.csv, at_least: 0.5}", REVIEW)
    assert links(lower) == {"n1 s1": 1, "n3 s3": 0.93, "n4 s4": 0.5}


def test_a_plain_list_of_pairs_links_with_weight_one(tmp_path):
    assert links(shop(tmp_path, "same_as: {file: pairs.csv}", "item_id,same_item_id\ns1,n1\n")) == {"n1 s1": 1}


def test_prefixes_are_those_of_the_sites(tmp_path):
    same_as = "same_as: {file: pairs.csv, item_prefix: n, same_item_prefix: s}"
    assert links(shop(tmp_path, same_as, "item_id,same_item_id\n1,2\n")) == {"n1 s2": 1}


def test_yes_and_no_to_one_pair_link_nothing(tmp_path):
    dataset = shop(tmp_path, "same_as: {file: pairs.csv}", "item_id,same_item_id,verdict\nn1,s1,yes\ns1,n1,no\n")
    assert links(dataset) == {}
    assert aside(dataset) == [("pairs.csv", 1, "another row says no to the same pair")]
    assert any("links no items" in warning for warning in dataset.set_aside.warnings)


def test_a_chain_to_two_items_of_one_site_links_nothing_of_that_product(tmp_path):
    pairs = "item_id,same_item_id\nn1,s1\ns1,e1\ne1,n2\nn3,s3\n"
    dataset = shop(tmp_path, "same_as: {file: pairs.csv}", pairs)
    assert links(dataset) == {"n3 s3": 1}
    assert aside(dataset) == [("pairs.csv", row, "contradictory same_as") for row in (1, 2, 3)]
    (warning,) = [one for one in dataset.set_aside.warnings if one.startswith("Contradictory")]
    assert "(1 times): a product would have two items of one site" in warning
    assert "'n1', 'n2', 's1', 'e1'" in warning
    assert len(links(shop(tmp_path, "same_as: {file: pairs.csv, many_per_site: true}", pairs))) == 4


def test_a_chain_through_a_refused_pair_links_nothing_of_that_product(tmp_path):
    pairs = "item_id,same_item_id,verdict\nn1,s1,yes\ns1,e1,yes\nn1,e1,no\n"
    dataset = shop(tmp_path, "same_as: {file: pairs.csv}", pairs)
    assert links(dataset) == {}
    assert [row for _, row, _ in aside(dataset)] == [1, 2]


def test_keys_and_pairs_that_contradict_each_other_are_reported_at_the_items_and_at_the_rows(tmp_path):
    dataset = shop(tmp_path, "same_as: {keys: [gtin], file: pairs.csv}", "item_id,same_item_id\nn1,s2\n")
    assert links(dataset) == {}
    where = [(file, row) for file, row, _ in aside(dataset)]
    assert where == [("pairs.csv", 1), ("north.csv", 1), ("north.csv", 2), ("south.csv", 1), ("south.csv", 2)]


@pytest.mark.parametrize(
    ("same_as", "message"),
    [
        ("same_as: {}", "same_as: give keys"),
        ("same_as: {keys: [gtn]}", "expected 'product_key', 'gtin', 'url' or 'asin', got 'gtn'"),
        ("same_as: {keys: [asin]}", "no item has the key asin"),
        ("same_as: {file: ../pairs.csv}", "leaves the dataset folder"),
        ("same_as: {file: no.csv}", "no.csv does not exist"),
        ("same_as: {file: east.csv}", "east.csv has no column same_item_id"),
        ("same_as: {kyes: [gtin]}", "same_as.kyes: unknown key, did you mean keys?"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path, same_as, message):
    with pytest.raises(GraphRecError) as caught:
        shop(tmp_path, same_as)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_check_counts_links_by_sites_and_names_a_site_without_text(tmp_path):
    dataset = shop(tmp_path, "same_as: {keys: [gtin, product_key]}", south=SOUTH.replace("title", "heading"))
    report = check(dataset)
    assert {(one.one, one.other): one.pairs for one in report.linked} == {
        ("east", "north"): 2,
        ("north", "south"): 2,
        ("east", "south"): 1,
    }
    assert any(warning.startswith("No item of site 'south' has a text") for warning in report.warnings)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["yes", "no", ""])), max_size=12))
def test_no_product_has_two_items_of_a_site_or_a_refused_pair(tmp_path_factory, rows):
    ids = ["n1", "n2", "s1", "s2", "e1", "e2"]
    lines = [f"{ids[one]},{ids[other]},0.95,{verdict}" for one, other, verdict in rows]
    folder = tmp_path_factory.mktemp("shop")
    pairs = "\n".join(["item_id,same_item_id,probability,verdict", *lines, "n1,n1,1,", ""])
    dataset = shop(folder, "same_as: {keys: [gtin], file: pairs.csv}", pairs)
    product_I = dataset.same_as.product_of_item(len(dataset.catalogue))
    assert len(set(zip(product_I.tolist(), dataset.catalogue.site, strict=True))) == len(dataset.catalogue)
    product = dict(zip(dataset.catalogue.item_ids, product_I.tolist(), strict=True))
    refused = [(ids[one], ids[other]) for one, other, verdict in rows if verdict == "no" and one != other]
    assert all(product[one] != product[other] for one, other in refused)


SPLITS = """
items:
  - {file: a.csv, site: a}
  - {file: b.csv, site: b}
splits: {train: train.csv, valid: valid.csv}
"""


def split_shop(folder, interactions):
    texts = {
        "a.csv": "item_id,title\na1,Mug\na2,Cup\n",
        "b.csv": "item_id,title\nb1,Mug\n",
        "train.csv": "person,item_id\nu,a1\n",
        "valid.csv": "person,item_id\nu,a2\n",
        "log.csv": "user_id,item_id\nu,b1\n",
        "dataset.yaml": SPLITS + interactions,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_log_of_another_site_beside_splits_is_training_data(tmp_path):
    interactions = 'interactions: [{site: a, columns: {user_id: person}}, {file: log.csv, site: b, user_prefix: "b:"}]'
    dataset = Dataset.load(split_shop(tmp_path, interactions))
    assert dataset.user_ids.tolist() == ["u", "b:u"]
    assert dataset.interactions.user_index_E.tolist() == [0, 1]
    assert dataset.interactions.site_index_E.tolist() == [0, 1]
    assert dataset.truths["valid"].user_index_P.tolist() == [0]


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ("interactions: {file: log.csv}", "log.csv beside them must be the log of another site"),
        ("interactions: [{site: b}, {file: log.csv, site: b}]", "log.csv and the splits are both of site 'b'"),
        ("interactions: [{site: a}, {site: b}]", "one entry without a file describes the split files"),
    ],
)
def test_a_log_beside_splits_that_may_hold_what_they_hold_out_is_refused(tmp_path, interactions, message):
    with pytest.raises(GraphRecError, match=message):
        Dataset.load(split_shop(tmp_path, interactions))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not here")
def test_ml1m_and_movielens_small_as_two_sites():
    dataset = Dataset.load(CONFIG, REAL)
    assert len(dataset.same_as) == 2777
    assert dataset.set_aside.rows.empty
    degree_I = dataset.interactions.item_degree()
    assert (degree_I[dataset.same_as.right_P] > 0).sum() == 2773, "four of them nobody rated there"
    assert np.bincount(dataset.interactions.site_index_E).tolist() == [529_952, 100_836]
    assert len(dataset.user_ids) == 6_018 + 610
    assert len(dataset.truths["valid"].item_index_P) == 106_695
