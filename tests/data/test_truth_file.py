"""A held-out file from outside is read against a run's own users and items."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.description import DatasetDescription
from graphrec.data.interactions import Interactions
from graphrec.data.truth_file import read_truth
from graphrec.errors import GraphRecError
from graphrec.evaluation.protocol import build_pool

ITEM_IDS = ["007", "008", "009", "010", "011", "012"]
USER_IDS = ["u1", "u2", "u3"]


@pytest.fixture
def train():
    """Items 010, 011 and 012 have no edge; u3 has no history."""
    nothing = np.full(6, "", dtype=object)
    return Dataset(
        name="shop",
        catalogue=Catalogue(np.array(ITEM_IDS, object), nothing, nothing, nothing, None, nothing, Attributes()),
        user_ids=np.array(USER_IDS, dtype=object),
        site_names=(),
        interactions=Interactions.from_pairs(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), 3, 6),
    )


def written(path, *rows: str):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read_error(*arguments: object):
    with pytest.raises(GraphRecError) as caught:
        read_truth(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def named(split):
    ids = split.train.user_ids[split.truth.user_index_P], split.train.catalogue.item_ids[split.truth.item_index_P]
    return set(zip(*ids, strict=True))


def test_pairs_are_joined_by_id_and_counted_once(train, tmp_path):
    path = written(tmp_path / "truth.csv", "item_id,user_id,extra", "010,u2,x", "011,u1,y", "010,u2,z")
    split, set_aside = read_truth(train, path)
    assert named(split) == {("u2", "010"), ("u1", "011")}
    assert len(split.truth.user_index_P) == 2
    assert len(set_aside) == 0
    assert split.truth.candidates is None
    np.testing.assert_array_equal(split.cold_items, [3, 4, 5])


def test_parquet_is_read_as_csv_is(train, tmp_path):
    rows = pd.DataFrame({"user_id": ["u2", "u1"], "item_id": ["010", "011"]})
    rows.to_parquet(tmp_path / "truth.parquet")
    assert named(read_truth(train, tmp_path / "truth.parquet")[0]) == {("u2", "010"), ("u1", "011")}


def test_users_that_training_does_not_know_count_as_without_history(train, tmp_path):
    rows = "user_id,item_id", "stranger,010", "u1,010", "another,011", "stranger,012", "u3,010"
    split, set_aside = read_truth(train, written(tmp_path / "truth.csv", *rows))
    assert list(split.train.user_ids) == [*USER_IDS, "stranger", "another"]
    assert split.train.interactions.num_users == 5
    assert list(split.train.interactions.user_index_E) == list(train.interactions.user_index_E)
    assert len(set_aside) == 0
    pool = build_pool(split, "cold")
    assert list(pool.users) == [0]
    assert pool.left_out.users_without_history == 3  # two strangers, and u3 who has none
    assert list(train.user_ids) == USER_IDS  # the training data itself stays as it was


def test_unknown_items_are_set_aside_with_their_row(train, tmp_path):
    path = written(tmp_path / "truth.csv", "user_id,item_id", "u1,010", "u1,7", "u2,no-such")
    split, set_aside = read_truth(train, path)
    assert named(split) == {("u1", "010")}
    assert list(set_aside.rows["row"]) == [2, 3]
    assert list(set_aside.rows["value"]) == ["7", "no-such"]
    assert all("unknown item" in reason for reason in set_aside.rows["reason"])


def test_candidates_restrict_the_pool(train, tmp_path):
    truth = written(tmp_path / "truth.csv", "user_id,item_id", "u1,010", "u2,011", "u2,007")
    candidates = written(tmp_path / "pool.csv", "item_id", "012", "010", "007", "010", "no-such")
    split, set_aside = read_truth(train, truth, candidates)
    np.testing.assert_array_equal(split.truth.candidates, [0, 3, 5])
    np.testing.assert_array_equal(build_pool(split, "cold").items, [3, 5])
    np.testing.assert_array_equal(build_pool(split, "full").items, [0, 3, 5])
    assert build_pool(split, "cold").left_out.pairs_outside_pool == 2
    assert set_aside.counts() == {("pool.csv", "unknown item: not in the run's catalogue"): 1}


def test_the_only_column_of_a_candidates_file_needs_no_name(train, tmp_path):
    truth = written(tmp_path / "truth.csv", "user_id,item_id", "u1,010")
    split, _ = read_truth(train, truth, written(tmp_path / "pool.csv", "sku", "010", "012"))
    np.testing.assert_array_equal(split.truth.candidates, [3, 5])
    several = written(tmp_path / "several.csv", "sku,price", "010,3")
    assert "several.csv" in read_error(train, truth, several)
    assert "no column item_id (it has: sku, price)" in read_error(train, truth, several)


def test_a_missing_column_or_file_is_told_in_one_line(train, tmp_path):
    message = read_error(train, written(tmp_path / "truth.csv", "visitor,item_id", "u1,010"))
    assert "truth.csv" in message
    assert "user_id" in message
    assert "item_id" in read_error(train, written(tmp_path / "truth.csv", "user_id,sku", "u1,010"))
    assert "none.csv" in read_error(train, tmp_path / "none.csv")
    truth = written(tmp_path / "truth.csv", "user_id,item_id", "u1,010")
    assert "none.csv" in read_error(train, truth, tmp_path / "none.csv")


def test_a_file_without_a_usable_row_says_why(train, tmp_path):
    message = read_error(train, written(tmp_path / "truth.csv", "user_id,item_id", "u1,a", "u1,b"))
    assert "none of its 2 rows can be used" in message
    assert "unknown item" in message
    truth = written(tmp_path / "truth.csv", "user_id,item_id", "u1,010")
    assert "unknown item" in read_error(train, truth, written(tmp_path / "pool.csv", "item_id", "a"))
    assert "truth.csv" in read_error(train, written(tmp_path / "truth.csv", "user_id,item_id"))


def described(train, **interactions: object):
    return replace(train, description=DatasetDescription.model_validate({"interactions": interactions}))


def test_the_file_is_read_as_the_datasets_own_interactions_are(train, tmp_path):
    train = described(
        train,
        columns={"user_id": "visitor", "rating": "stars"},
        minimum_rating=3,
        user_prefix="u",
        events={"buy": 1, "look": 0},
    )
    rows = "visitor,item_id,stars,event", "1,010,5,buy", "2,010,2,buy", "2,011,4,look", "1,012,4,sell"
    split, set_aside = read_truth(train, written(tmp_path / "truth.csv", *rows))
    assert named(split) == {("u1", "010")}
    assert set_aside.left_out == {"rating below 3": 1, "event 'look' has weight 0": 1}
    assert list(set_aside.rows["row"]) == [4]
    # graphrec's own names will do as well, and what the file does not tell is not asked for.
    split, _ = read_truth(train, written(tmp_path / "plain.csv", "user_id,item_id", "1,010", "2,011"))
    assert named(split) == {("u1", "010"), ("u2", "011")}


def test_what_is_not_the_same_of_all_files_is_not_taken_from_any(train, tmp_path):
    files = [{"file": "a.csv", "user_prefix": "a", "site": "a"}, {"file": "b.csv", "user_prefix": "b", "site": "b"}]
    description = DatasetDescription.model_validate({"interactions": files})
    path = written(tmp_path / "truth.csv", "user_id,item_id", "u1,010")
    assert named(read_truth(replace(train, description=description), path)[0]) == {("u1", "010")}
    same = [{**one, "user_prefix": "u"} for one in files]
    description = DatasetDescription.model_validate({"interactions": same})
    path = written(tmp_path / "truth.csv", "user_id,item_id", "1,010")
    assert named(read_truth(replace(train, description=description), path)[0]) == {("u1", "010")}


def of_sites(train, target=None, **different: object):
    """A dataset of the files a.csv and b.csv; of a keyword's two values each file has one."""
    files = [
        {"file": f"{site}.csv", "site": site, "user_prefix": f"{site}:", "minimum_rating": 3}
        | {name: values[number] for name, values in different.items()}
        for number, site in enumerate("ab")
    ]
    description = DatasetDescription.model_validate({"interactions": files, "target_site": target})
    return replace(train, description=description, target_site=target)


def test_consent_and_what_else_all_files_share_holds_for_the_file(train, tmp_path):
    path = written(
        tmp_path / "truth.csv", "user_id,item_id,rating,ok", "u1,010,5,yes", "u2,010,1,yes", "u3,010,5,no", "u2,011,4,y"
    )
    shared = of_sites(train, consent=[{"column": "ok"}] * 2)
    split, set_aside = read_truth(shared, path)
    assert named(split) == {("u1", "010"), ("u2", "011")}
    assert set_aside.left_out == {"without consent": 1, "rating below 3": 1}


def test_files_of_different_consent_leave_the_choice_to_the_target_site(train, tmp_path):
    consent = [{"column": "ok"}, {"column": "agreed"}]
    path = written(tmp_path / "truth.csv", "user_id,item_id,ok", "1,010,yes", "2,010,no")
    split, set_aside = read_truth(of_sites(train, "a", consent=consent), path)
    assert named(split) == {("a:1", "010")}
    assert set_aside.left_out == {"without consent": 1}
    assert "differ in consent or pseudonym_scope" in read_error(of_sites(train, consent=consent), path)


def test_messages_about_the_file_speak_of_the_file_alone(train, tmp_path):
    message = read_error(train, written(tmp_path / "truth.csv", "visitor,sku", "u1,010"))
    assert message == (
        "truth.csv has no column user_id and no column item_id (it has: visitor, sku); "
        "rename visitor to user_id and sku to item_id."
    )
    message = read_error(train, written(tmp_path / "truth.csv", "who,item_id", "u1,010"))
    assert message.endswith("(it has: who, item_id); rename the right one.")
