"""`graphrec sites` as a user types it."""

import json
import stat

import pytest

from graphrec.data.counts_file import read_counts
from graphrec.data.dataset import Dataset
from graphrec.data.site_counts import SiteCounts

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_site_writes_what_its_log_may_tell(graphrec, small_store, tmp_path):
    code, out, err = graphrec("sites", "counts", small_store, "--site", "harbour", "--minimum", 3, "--out", "c.parquet")
    assert code == 0, err
    told, expected = read_counts(tmp_path / "c.parquet"), SiteCounts.of(Dataset.load(small_store), "harbour", 3)
    assert told.item_ids.tolist() == expected.item_ids.tolist()
    assert (told.counts.counts_II != expected.counts.counts_II).nnz == 0
    assert f"{len(told.item_ids):,} items" in out
    assert "at least 3 people" in out


def test_what_was_counted_is_told_as_json(graphrec, small_store):
    code, out, err = graphrec("sites", "counts", small_store, "--site", "meadow", "--out", "c.parquet", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["site"], told["minimum"]) == ("meadow", 5)
    assert told["items"] == len(read_counts("c.parquet").item_ids) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "c.parquet"], "has several sites (it has: harbour, meadow): choose one with --site"),
        (["--site", "market", "--out", "c.parquet"], "has no site 'market' (it has: harbour, meadow)"),
        (["--site", "harbour", "--minimum", 5000, "--out", "c.parquet"], "No item has 5000 users"),
        (["--site", "harbour", "--out", "file/c.parquet"], "cannot be written"),
    ],
)
def test_careless_counting_is_refused_in_one_line(graphrec, small_store, tmp_path, options, message):
    (tmp_path / "file").write_text("no folder")
    code, out, err = graphrec("sites", "counts", small_store, *options)
    assert (code, out) == (1, "")
    assert message in err
    assert "Traceback" not in err


def test_a_group_of_one_is_no_group(graphrec, small_store):
    code, _, err = graphrec("sites", "counts", small_store, "--site", "harbour", "--minimum", 1, "--out", "c.parquet")
    assert code == 2
    assert "minimum" in err


def test_a_key_is_made_for_its_owner_alone_and_never_replaced(graphrec, tmp_path):
    path = tmp_path / "keys" / "shop.key"
    code, out, _ = graphrec("sites", "key", path)
    assert code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() not in out
    made = path.read_text()
    code, _, err = graphrec("sites", "key", path)
    assert code == 1
    assert "never replaced" in err
    assert path.read_text() == made
