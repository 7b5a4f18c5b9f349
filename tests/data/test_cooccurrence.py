"""What a site tells of its log: against a slow twin, hand-made logs and files that lie."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from graphrec.data import cooccurrence
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.counts_file import read_counts, write_counts
from graphrec.data.dataset import Dataset
from graphrec.data.group_size import suppress_small
from graphrec.data.interactions import Interactions
from graphrec.data.site_counts import SiteCounts
from graphrec.errors import GraphRecError

COLUMNS = ("user_index_E", "item_index_E", "weight_E", "timestamp_E", "site_index_E")


def events(pairs, num_users, num_items):
    user, item = np.array(pairs).T
    return Interactions.from_pairs(user, item, num_users, num_items)


def random_log(seed, num_users=60, num_items=25, share=0.2):
    is_touched = np.random.default_rng(seed).random((num_users, num_items)) < share
    is_touched[0] = True  # one who touched everything
    pairs = np.argwhere(is_touched)
    return events(np.concatenate([pairs, pairs[::3]]), num_users, num_items), is_touched  # some events twice


def naive_counts(baskets, num_items, minimum):
    """Pair by pair over Python sets; a pair counts where both items do, which it always does here."""
    users_of = [{user for user, basket in enumerate(baskets) if item in basket} for item in range(num_items)]
    counts = np.zeros((num_items, num_items), dtype=int)
    for one, other in itertools.product(range(num_items), repeat=2):
        a, b = users_of[one], users_of[other]
        counts[one, other] = len(a & b)
        if len(a & b) < minimum or any(0 < len(rest) < minimum for rest in (a - b, b - a)):
            counts[one, other] = 0
    return counts


@pytest.mark.parametrize("share", [0.2, 0.85])
@pytest.mark.parametrize("minimum", [1, 5, 9])
def test_counts_equal_those_of_a_naive_twin(minimum, share, monkeypatch):
    monkeypatch.setattr(cooccurrence, "_PAIRS_AT_ONCE", 500)  # several blocks
    log, is_touched = random_log(0, share=share)
    counts = CooccurrenceCounts.of(log, minimum)
    baskets = [set(np.flatnonzero(row)) for row in is_touched]
    expected = naive_counts(baskets, 25, minimum)
    assert (counts.counts_II.toarray() == expected).all()
    assert (expected == 0).any() or minimum == 1
    assert (counts.users_of_item == np.diag(expected)).all()
    assert (counts.pairs_II.toarray() == expected - np.diag(np.diag(expected))).all()
    assert (counts.counts_II.data >= minimum).all()  # nothing is stored that is not shown
    assert counts.counts_II.has_sorted_indices
    assert counts.counts_II.dtype == np.int64


def test_a_matrix_counts_as_its_events_do_whatever_its_weights():
    log, _ = random_log(1)
    of_matrix = CooccurrenceCounts.of(log.user_item_matrix() * 7, 3)
    assert (of_matrix.counts_II != CooccurrenceCounts.of(log, 3).counts_II).nnz == 0


def test_one_person_changes_no_more_than_the_bound_allows():
    log, is_touched = random_log(2)
    counts = CooccurrenceCounts.of(log, 1, most_items_per_user=3, seed=4)
    assert counts.users_of_item.sum() == np.minimum(is_touched.sum(axis=1), 3).sum()
    alone = CooccurrenceCounts.of(log.take(log.user_index_E == 0), 1, most_items_per_user=3, seed=4)
    assert alone.counts_II.nnz == 9
    assert set(alone.counts_II.data) == {1}
    again = CooccurrenceCounts.of(log, 1, most_items_per_user=3, seed=4)
    other = CooccurrenceCounts.of(log, 1, most_items_per_user=3, seed=5)
    assert (again.counts_II != counts.counts_II).nnz == 0
    assert (other.counts_II != counts.counts_II).nnz > 0


def test_what_is_drawn_of_a_user_is_drawn_evenly():
    log = events([(user, item) for user in range(4000) for item in range(8)], 4000, 8)
    users = CooccurrenceCounts.of(log, 1, most_items_per_user=2).users_of_item
    assert users.sum() == 8000
    assert np.abs(users - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_a_log_without_a_group_of_that_size_tells_nothing():
    counts = CooccurrenceCounts.of(events([(0, 0), (1, 0), (1, 1)], 3, 4), 3)
    assert counts.counts_II.shape == (4, 4)
    assert counts.counts_II.nnz == 0


def test_nobody_follows_from_a_pair_and_its_item():
    """Items 0 and 1 differ by one person, 2 has exactly the people of 0, and 3 those and three more."""
    people = [range(6), range(7), range(6), range(9)]
    log = events([(user, item) for item, users in enumerate(people) for user in users], 9, 4)
    told = CooccurrenceCounts.of(log, 3).counts_II.toarray()
    assert told.tolist() == [[6, 0, 6, 6], [0, 7, 0, 0], [6, 0, 6, 6], [6, 0, 6, 9]]


def test_a_minimum_below_one_is_refused():
    with pytest.raises(GraphRecError, match="at least 1; got 0"):
        CooccurrenceCounts.of(events([(0, 0)], 1, 1), 0)


def test_small_groups_leave_tables_and_matrices_by_their_people_not_by_their_counts():
    sales, people = np.array([[90.0, 4.0], [3.0, 0.0]]), np.array([[2, 4], [3, 0]])
    assert suppress_small(sales, people, 3).tolist() == [[0, 4], [3, 0]]
    sparse = suppress_small(sp.csr_matrix(sales), sp.csr_matrix(people), 3)
    assert sparse.toarray().tolist() == [[0, 4], [3, 0]]
    assert sparse.nnz == 2
    assert sales[0, 0] == 90
    assert people[0, 0] == 2
    with pytest.raises(ValueError, match=r"\(2,\) for \(2, 2\)"):
        suppress_small(sales, people[0], 3)


@pytest.fixture
def dataset():
    """Two sites over 25 items, whose ids run against their indices; site B has the log of `random_log(3)`."""
    log, _ = random_log(3)
    item_ids = np.array([f"b{number:02}" for number in reversed(range(25))], dtype=object)
    none = np.full(25, "", dtype=object)
    catalogue = Catalogue(item_ids, none, none, none, None, none, Attributes({}, {}, {}))
    elsewhere = replace(log, site_index_E=np.zeros(len(log), np.int64)).take(np.arange(40))
    here = replace(log, site_index_E=np.ones(len(log), np.int64))
    both = {name: np.concatenate([getattr(one, name) for one in (elsewhere, here)]) for name in COLUMNS}
    user_ids = np.array([f"u{number}" for number in range(60)], dtype=object)
    return Dataset("two", catalogue, user_ids, ("A", "B"), Interactions(60, 25, **both))


@pytest.fixture
def written(dataset, tmp_path):
    path = tmp_path / "new folder" / "counts.parquet"
    write_counts(SiteCounts.of(dataset, "B", 6, most_items_per_user=20), path)
    counts = CooccurrenceCounts.of(random_log(3)[0], 6, most_items_per_user=20)
    return counts, dataset.catalogue.item_ids, path


def test_counts_come_back_from_their_file_by_id(written):
    counts, item_ids, path = written
    read = read_counts(path)
    assert (read.site, read.counts.minimum, read.counts.most_items_per_user) == ("B", 6, 20)
    shown = counts.users_of_item > 0
    assert read.item_ids.tolist() == sorted(item_ids[shown])
    assert (read.placed(pd.Index(item_ids, dtype=object)).counts_II != counts.counts_II).nnz == 0


def test_counts_are_placed_in_a_larger_catalogue_and_strange_items_left_out(written):
    counts, item_ids, path = written
    catalogue = pd.Index(np.array(["a1", *item_ids[5:15], "a2"], dtype=object))
    placed = read_counts(path).placed(catalogue)
    expected = np.zeros((12, 12))
    expected[1:11, 1:11] = counts.counts_II.toarray()[5:15, 5:15]
    assert (placed.counts_II.toarray() == expected).all()


@pytest.mark.parametrize(
    ("site", "minimum", "message"),
    [
        (None, 5, r"has several sites \(it has: A, B\): choose one with --site"),
        ("C", 5, r"has no site 'C' \(it has: A, B\)"),
        ("B", 61, "No item has 61 users: the most that one has is"),
    ],
)
def test_what_cannot_be_told_is_one_clear_line(dataset, site, minimum, message):
    with pytest.raises(GraphRecError, match=message):
        SiteCounts.of(dataset, site, minimum)


def test_a_dataset_without_sites_is_counted_whole(dataset):
    alone = replace(dataset, site_names=())
    whole = CooccurrenceCounts.of(dataset.interactions, 7)
    assert (SiteCounts.of(alone, minimum=7).placed(alone.catalogue.id_index).counts_II != whole.counts_II).nnz == 0


def test_the_file_holds_no_cell_below_the_minimum_and_no_person(written):
    _, _, path = written
    table = pq.read_table(path).to_pandas()
    assert table["users"].min() >= 6
    assert list(table) == ["item_id", "other_item_id", "users"]
    assert not table.duplicated(["item_id", "other_item_id"]).any()
    assert (table["item_id"] <= table["other_item_id"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(users=t["users"].where(t.index != 2, 5)), r"row 3 \(.*, 5\) has fewer users than .* of 6"),
        (lambda t: t[(t["item_id"] != "b03") | (t["other_item_id"] != "b03")], "without a row of its own"),
        (lambda t: pd.concat([t, t.iloc[[1]].rename(columns={"item_id": "other_item_id", "other_item_id": "item_id"})]),
         "stands twice"),
        (lambda t: t.assign(users=t["users"].where(t.index != 1, 61)), "more users than one of its items"),
        (lambda t: t.assign(users=t["users"].where(t.index != 1, t["users"][0] - 1)), "fewer than 6 users who"),
        (lambda t: t.rename(columns={"users": "n"}), "it has: item_id, other_item_id, n"),
        (lambda t: t.assign(item_id=t["item_id"].where(t.index != 1)), "without empty cells"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_add_up_is_refused_in_one_line(written, change, message):
    _, _, path = written
    table = pq.read_table(path)
    changed = change(table.to_pandas())[list(dict.fromkeys(change(table.to_pandas()).columns))]

    pq.write_table(
        pa.Table.from_pandas(changed, preserve_index=False).replace_schema_metadata(table.schema.metadata), path
    )
    with pytest.raises(GraphRecError, match=message) as error:
        read_counts(path)
    assert "\n" not in str(error.value)


def test_a_missing_or_foreign_counts_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(GraphRecError, match="does not exist: make it with `graphrec sites counts`"):
        read_counts(tmp_path / "none.parquet")
    (tmp_path / "no.parquet").write_text("item_id,other_item_id,users\n")
    with pytest.raises(GraphRecError, match="expected a file that `graphrec sites counts` wrote"):
        read_counts(tmp_path / "no.parquet")
    pd.DataFrame({"item_id": ["a"], "other_item_id": ["a"], "users": [9]}).to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(GraphRecError, match="does not say its site and minimum"):
        read_counts(tmp_path / "plain.parquet")
