"""`counts:` in dataset.yaml: other sites' counts in place of their logs, and nothing else."""

import pandas as pd
import pytest

from graphrec.data.counts_file import write_counts
from graphrec.data.dataset import Dataset
from graphrec.data.site_counts import SiteCounts
from graphrec.errors import GraphRecError


def write_shop(folder, counts, log, target="here"):
    """Two items on each of two sites; the log holds whom it is given, of the items that it is given."""
    items = "".join(f"{site[0]}{number},{site}\n" for site in ("here", "there") for number in (1, 2))
    (folder / "items.csv").write_text("item_id,site\n" + items)
    (folder / "events.csv").write_text("user_id,item_id\n" + "".join(f"u{u},{i}\n" for i in log for u in range(3)))
    (folder / "dataset.yaml").write_text(
        f"items: {{file: items.csv}}\ninteractions: {{file: events.csv}}\ntarget_site: {target}\ncounts: {counts}\n"
    )


@pytest.fixture
def shop(tmp_path):
    """A folder with the file that the site there wrote."""
    write_shop(tmp_path, "{}", ["t1", "t2"])
    log = pd.DataFrame({"user_id": ["u0", "u1", "u2"] * 2, "item_id": ["t1"] * 3 + ["t2"] * 3, "site": "there"})
    log.to_csv(tmp_path / "events.csv", index=False)
    write_counts(SiteCounts.of(Dataset.load(tmp_path), "there", minimum=2), tmp_path / "there.parquet")
    return tmp_path


def test_counts_stand_in_for_a_log(shop):
    write_shop(shop, "{there: there.parquet}", ["h1", "h2"])
    assert Dataset.load(shop).counts["there"].users_of_item.tolist() == [0, 0, 3, 3]


@pytest.mark.parametrize(
    ("counts", "log", "target", "message"),
    [
        ("{there: there.parquet}", ["h1"], "there", "counts: 'there' is the target_site"),
        ("{elsewhere: there.parquet}", ["h1"], "here", r"no items are of site 'elsewhere' \(they have: here, there\)"),
        ("{there: there.parquet}", ["h1", "t2"], "here", "the interactions hold a log of site 'there' too"),
        ("{here: there.parquet}", ["t1"], "there", "there.parquet holds those of site 'there', not of 'here'"),
    ],
)
def test_counts_that_would_mislead_are_refused_in_one_line(shop, counts, log, target, message):
    write_shop(shop, counts, log, target)
    with pytest.raises(GraphRecError, match=message) as error:
        Dataset.load(shop)
    assert len(str(error.value).splitlines()) == 1
