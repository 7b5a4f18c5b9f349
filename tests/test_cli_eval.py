"""What `graphrec eval` shows: the conclusion first, every table within a terminal of 80 columns."""

import json
from io import StringIO

import pytest
from rich.console import Console

from graphrec.cli.eval_tables import print_comparison
from graphrec.comparison import compare_with
from graphrec.workflow import run_split

pytestmark = pytest.mark.usefixtures("elsewhere")


def printed(comparison, about_lists=(), width=80):
    out = StringIO()
    print_comparison(Console(file=out, width=width, highlight=False), comparison, about_lists)
    return out.getvalue().splitlines()


@pytest.fixture(scope="module")
def everything(fitted):
    return compare_with(
        fitted, run_split(fitted), pool=["cold", "full"], k=(5, 20), metrics=["ndcg", "recall"],
        by=("item-degree", "user-degree", "modality"),
    )  # fmt: skip


def test_the_conclusion_comes_first_and_the_tables_stand_whole_in_80_columns(everything):
    lines = printed(everything, ["coverage", "gini"])
    assert lines[0].startswith("In the cold pool: ")
    assert all(len(line) <= 80 for line in lines)
    assert not any("…" in line for line in lines)
    text = "\n".join(lines)
    for result in everything.pools:
        for arm in result.arms:
            assert f"{arm.metrics['ndcg@5']:.4f}" in text
            assert f"{arm.metrics['gini@20']:.4f}" in text
        for one in result.headline:
            assert f"{one.interval.low:+.4f}".replace("0.", ".", 1) in text
            assert f"{one.items.high:+.4f}".replace("0.", ".", 1) in text
        for one in result.strata:
            assert any(line.startswith(one.label) for line in lines)


def test_the_default_fits_one_screen(fitted):
    lines = printed(compare_with(fitted, run_split(fitted)))
    assert len(lines) <= 38
    assert not any("…" in line for line in lines)


def test_eval_takes_arms_metrics_cut_offs_and_breakdowns(graphrec, saved_run):
    arguments = ["--arms", "popularity,graph", "--metrics", "ndcg,gini", "--by", "user-degree", "--memory", "1"]
    code, out, _ = graphrec("eval", "--run", saved_run, "-k", "5,10", *arguments)
    assert code == 0
    assert all(word in out for word in ("first 5", "first 10", "gini", "user-degree", "popularity's"))
    code, out, _ = graphrec("eval", "--run", saved_run, "--k", "5,10", *arguments, "--reference", "graph", "--json")
    assert code == 0
    answer = json.loads(out)
    assert (answer["ks"], answer["metrics"], answer["reference"]) == ([5, 10], ["ndcg@5", "ndcg@10"], "graph")
    (pool,) = answer["pools"]
    assert {"map@10", "coverage@5", "novelty@10"} <= set(pool["arms"][0]["metrics"])
    assert {(one["arm"], one["reference"]) for one in pool["differences"]} == {("popularity", "graph")}
    assert {"low", "high", "smallest_detectable", "p_value"} <= set(pool["differences"][0]["interval"])
    assert {one["by"] for one in pool["strata"]} == {"user-degree"}
    assert answer["leak_checks"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arms", "graf"], "Unknown arm 'graf': choose from random"),
        (["--metrics", "auc"], "Unknown metric 'auc': choose from recall"),
        (["--by", "age"], "Unknown breakdown 'age': choose from item-degree"),
        (["-k", "0"], "between 1 and 10,000 for an evaluation, got 0"),
        (["-k", "many"], "such as 10,20, got 'many'"),
        (["--reference", "ease"], "'ease' is not among the arms"),
    ],
)
def test_a_wrong_word_is_one_line(graphrec, saved_run, arguments, said):
    code, out, err = graphrec("eval", "--run", saved_run, *arguments)
    assert code == 1
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1
