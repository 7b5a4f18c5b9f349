import json

import numpy as np
import pandas as pd
import pytest
from made_up_sites import catalogue_of, pairs_of

from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.identity import match_sites, read_verdicts, write_review
from graphrec.identity.review import COLUMNS, check_replaceable, other_verdicts, review_table


def read(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.fixture
def shelf():
    """Two sites with three items each."""
    rows = [(f"{site}{number}", site, f"thing number {number}") for site in "ab" for number in range(3)]
    return catalogue_of(rows)


def write(path, rows):
    pd.DataFrame(rows, columns=["item_id", "same_item_id", "verdict"]).to_csv(path, index=False)
    return path


def test_the_uncertain_pairs_stand_first_and_what_is_said_last(planted, tmp_path):
    dataset, _ = planted
    first = review_table(match_sites(dataset))
    assert tuple(first.columns) == COLUMNS
    certain = first["probability"].astype(float) >= 0.9
    assert certain.is_monotonic_increasing
    doubt = (first["probability"].astype(float) - 0.5).abs()
    assert doubt[~certain].round(3).is_monotonic_increasing
    said = write(tmp_path / "said.csv", [(*first[["item_id", "same_item_id"]].iloc[0], "no")])
    again = review_table(match_sites(dataset, verdicts=read_verdicts(said, dataset.catalogue)[0]))
    assert again["verdict"].iloc[-1] == "no"
    assert (again["verdict"].iloc[:-1] == "").all()


def test_a_file_that_is_read_back_keeps_and_obeys_every_verdict(planted, tmp_path):
    dataset, _ = planted
    write_review(match_sites(dataset), tmp_path / "review.csv")
    rows = read(tmp_path / "review.csv")
    rows.loc[:9, "verdict"] = ["YES", "no", " yes "] * 3 + ["no"]
    rows.to_csv(tmp_path / "review.csv", index=False)
    verdicts, set_aside = read_verdicts(tmp_path / "review.csv", dataset.catalogue)
    assert len(set_aside) == 0
    matches = match_sites(dataset, verdicts=verdicts)
    write_review(matches, tmp_path / "again.csv")
    again = read(tmp_path / "again.csv").set_index(["item_id", "same_item_id"])["verdict"]
    for row in rows.itertuples():
        assert again.get((row.item_id, row.same_item_id), "") == row.verdict.strip().lower()
    assert set(zip(rows.item_id[1:8:3], rows.same_item_id[1:8:3], strict=True)).isdisjoint(pairs_of(matches))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("a0", "b9", "yes")], "unknown item"),
        ([("a0", "a1", "yes")], "both items are of one site"),
        ([("a0", "b0", "perhaps")], "expected yes, no or nothing"),
        ([("a0", "b0", "yes"), ("b0", "a0", "no")], "yes and no for the same pair"),
        ([("a0", "b0", "yes"), ("a0", "b1", "yes")], "yes to two items of one site"),
    ],
)
def test_what_cannot_be_obeyed_is_set_aside_and_counted(shelf, tmp_path, rows, reason):
    verdicts, set_aside = read_verdicts(write(tmp_path / "said.csv", [*rows, ("a2", "b2", "yes")]), shelf)
    assert set_aside.rows["reason"].str.contains(reason).all()
    assert len(set_aside) == len(rows)
    assert shelf.item_ids[[verdicts.pairs.left_P[0], verdicts.pairs.right_P[0]]].tolist() == ["a2", "b2"]
    assert len(verdicts) == 1


def test_several_items_of_a_site_may_be_allowed(shelf, tmp_path):
    path = write(tmp_path / "said.csv", [("a0", "b0", "yes"), ("a0", "b1", "yes"), ("a0", "a1", "yes")])
    verdicts, set_aside = read_verdicts(path, shelf, many_per_site=True)
    assert len(verdicts) == 3
    assert len(set_aside) == 0


def test_a_file_without_the_column_is_refused(shelf, tmp_path):
    (tmp_path / "said.csv").write_text("item_id,same_item_id\na0,b0\n")
    with pytest.raises(GraphRecError, match=r"said\.csv has no column verdict"):
        read_verdicts(tmp_path / "said.csv", shelf)


def test_verdicts_that_were_not_asked_for_or_not_obeyed_stay_in_the_file(planted, tmp_path):
    dataset, _ = planted
    matches = match_sites(dataset)
    pairs = review_table(matches)[["item_id", "same_item_id"]].to_numpy().tolist()
    stays = [("gone", "b0", "no"), (*pairs[2], "perhaps"), (*pairs[3], "yes"), (*pairs[3], "no")]
    path = write(tmp_path / "said.csv", [(*pairs[0], "no"), (*pairs[1][::-1], "YES"), (*pairs[4], ""), *stays])
    for _ in range(2):  # the second time from what the first one wrote
        matches = match_sites(dataset, verdicts=read_verdicts(path, dataset.catalogue)[0])
        write_review(matches, path, other_verdicts(path, matches))
        rows = read(path)
        assert tuple(rows.columns) == COLUMNS
        assert list(rows[["item_id", "same_item_id", "verdict"]].itertuples(index=False, name=None))[-4:] == stays
        assert sorted(rows["verdict"][rows["verdict"] != ""]) == ["no", "no", "no", "perhaps", "yes", "yes"]


def test_verdicts_are_never_written_over_unread(tmp_path):
    path = write(tmp_path / "review.csv", [("a0", "b0", "yes")])
    with pytest.raises(GraphRecError, match="holds 1 verdicts of a person"):
        check_replaceable(path, None)
    check_replaceable(path, path)
    check_replaceable(write(path, [("a0", "b0", "")]), None)
    check_replaceable(tmp_path / "new.csv", None)


def test_what_is_written_is_what_a_dataset_links(planted, tmp_path):
    """The reader of dataset.yaml takes the file as it is, and links what counts as certain."""
    catalogue = planted[0].catalogue
    matches = match_sites(planted[0])
    write_review(matches, tmp_path / "review.csv")
    items = pd.DataFrame({"item_id": catalogue.item_ids, "title": catalogue.title, "site": catalogue.site})
    items.to_csv(tmp_path / "items.csv", index=False)
    (tmp_path / "interactions.csv").write_text("user_id,item_id\nu,a0\n")
    (tmp_path / "dataset.yaml").write_text("same_as: {file: review.csv}\n")
    linked, expected = Dataset.load(tmp_path).same_as, matches.same_as()
    np.testing.assert_array_equal(linked.left_P, expected.left_P)
    np.testing.assert_array_equal(linked.right_P, expected.right_P)


@pytest.mark.usefixtures("elsewhere")
def test_the_command_proposes_and_reads_back(graphrec, small_store, tmp_path):
    call = ("sites", "match", small_store, "--no-pictures", "--out", "review.csv")
    code, out, err = graphrec(*call)
    assert code == 0, err
    assert "harbour – meadow" in out
    assert "Nothing is merged." in out
    rows = read("review.csv")
    rows.loc[0, "verdict"] = "no"
    rows.to_csv("review.csv", index=False)
    code, _, err = graphrec(*call)
    assert code == 1
    assert err.splitlines()[-1].startswith("graphrec: review.csv holds 1 verdicts")
    code, out, err = graphrec(*call, "--labels", "review.csv", "--json")
    assert code == 0, err
    (found,) = json.loads(out)["sites"]
    assert found["refused"] == 1
    assert found["certain"] + found["to_review"] + 1 == len(read("review.csv"))
    assert read("review.csv")["verdict"].iloc[-1] == "no"


@pytest.mark.usefixtures("elsewhere")
def test_the_command_refuses_one_site_in_one_line(graphrec, small_store):
    code, out, err = graphrec("sites", "match", small_store, "--sites", "harbour", "--no-pictures")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("graphrec: Matching needs two sites, got harbour")
