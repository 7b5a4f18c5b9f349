"""The commands as a user types them: answers on standard output, the rest on standard error, and exit codes."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.main

from graphrec import cli, workflow
from graphrec.artifact import read_manifest
from graphrec.errors import GraphRecError
from graphrec.screen import recommendations_table

README = Path(__file__).resolve().parents[1] / "README.md"
QUICK = [f"--set={one}" for one in ("model.encoder.dim=8", "model.training.max_epochs=1", "model.tuning.tries=2")]
COMMANDS = typer.main.get_command(cli.app).commands


pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def failure_of(graphrec):
    """The one line that an expected failure prints."""

    def run(*arguments: object):
        code, out, err = graphrec(*arguments)
        assert code == 1, err
        assert out == ""
        (line,) = [one for one in err.splitlines() if one.strip() and "━" not in one]
        assert line.startswith("graphrec: ")
        return line

    return run


@pytest.fixture
def json_of(graphrec):
    """The parsed answer of a command with --json; nothing else may stand on standard output."""

    def run(*arguments: object):
        code, out, err = graphrec(*arguments, "--json")
        assert code == 0, err
        return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    return run


@pytest.fixture
def user(loaded):
    return str(loaded.train_.user_ids[17])


def test_help_lists_every_command_and_does_not_wait_for_torch():
    code = (
        "import sys, graphrec.cli, typer.main; print(sorted({'torch', 'faiss', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_answers_in_half_a_second():
    """Best of three, beyond what this machine takes to start Python at all."""

    def seconds(code):
        started = time.perf_counter()
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return time.perf_counter() - started, answer.stdout

    call = "import sys; sys.argv = ['graphrec', '--help']; from graphrec.cli import main; main()"
    helps, empty = [seconds(call) for _ in range(3)], [seconds("pass") for _ in range(3)]
    # A machine that is busy starts Python slowly too: then it is allowed more.
    assert min(helps)[0] - min(empty)[0] < max(0.5, 10 * min(empty)[0])
    assert all(name in helps[0][1] for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(graphrec, name):
    code, out, _ = graphrec(name, "--help")
    assert code == 0
    assert COMMANDS[name].help.split("\n")[0][:40] in out


def test_the_installed_script_tells_a_missing_run_in_one_line():
    call = [sys.executable, "-c", "from graphrec.cli import main; main()", "recall", "--user", "u1"]
    answer = subprocess.run(call, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == "graphrec: There is no run at runs/latest: make one with `graphrec train`.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"], ["recall", "--user", "u1", "--text", "hat"], ["recall", "--user", "u1", "--items", "i1"],
        ["recall", "--user", "u1", "-k", "0"],
        ["recall", "--user", "u1", "--no-such-option"], ["eval", "--cold-items", "--pool", "warm"], ["export"],
        ["export", "--out", "x", "--to", "csv"], ["export", "--out", "x", "--to", "faiss", "--index-ids", "name"],
        ["export", "--out", "x", "--to", "npy", "--index-ids", "stable"], ["train", "--device", "tpu", *QUICK],
    ],
)  # fmt: skip
def test_a_wrong_usage_exits_with_2(graphrec, arguments, small_store):
    code, out, err = graphrec(*arguments, *([small_store] if arguments[0] == "train" else []))
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert not Path("runs").exists()


def test_check_reports_and_writes_the_rows_that_it_set_aside(graphrec, json_of, small_store):
    code, out, _ = graphrec("check", small_store)
    assert code == 0
    assert "sample-store: 120 items, 150 users" in out
    kept = pd.read_csv("runs/check/set_aside.csv")
    assert len(kept) > 0
    report = json_of("check", small_store, "--no-images", "--set-aside", "other.csv")
    assert (report["items"], report["users"]) == (120, 150)
    assert sum(one["rows"] for one in report["set_aside"]) == len(kept) == len(pd.read_csv("other.csv"))


def test_train_writes_a_run_that_the_other_commands_read(graphrec, json_of, small_store):
    Path("settings.yaml").write_text("seed: 3\nfeatures: {use: [words, attributes]}\n")
    code, out, err = graphrec("train", small_store, "--config", "settings.yaml", *QUICK)
    assert code == 0, err
    assert out == ""  # what training says is no answer
    assert "Next: graphrec eval --cold-items" in err
    assert read_manifest(Path("runs/latest")).about["items"] == 120
    config = Path("runs/latest/config.yaml").read_text()
    assert "seed: 3" in config
    assert "dim: 8" in config
    assert json_of("eval", "--cold-items")["pools"][0]["pool"] == "cold"
    code, _, err = graphrec("train", small_store, "--no-hold-out", "--out", "runs/all", *QUICK)
    assert code == 0
    assert "Held out: nothing" in err
    assert not list(Path("runs/all/held_out").iterdir())


def test_recall_for_users_is_what_the_library_recommends(json_of, graphrec, saved_run, loaded, user):
    users = [user, str(loaded.train_.user_ids[3])]
    asked = [part for one in users for part in ("--user", one)]
    answer = json_of("recall", *asked, "-k", 4, "--run", saved_run)
    expected = loaded.recommend(users, 4)
    assert [row["item_id"] for row in answer] == list(expected["item_id"])
    assert [row["user_id"] for row in answer] == [users[0]] * 4 + [users[1]] * 4
    np.testing.assert_allclose([row["score"] for row in answer], expected["score"], rtol=1e-6)
    assert list(answer[0]) == list(expected.columns)
    code, out, _ = graphrec("recall", *asked, "-k", 4, "--run", saved_run)
    assert code == 0
    assert all(one in out for one in [*expected["item_id"], *users])


def test_recall_of_new_items_of_a_basket_and_of_seen_ones(json_of, saved_run, loaded, user):
    new = json_of("recall", "--user", user, "--only-new", "-k", 500, "--run", saved_run)
    assert {row["degree"] for row in new} == {0}
    assert {row["source"] for row in new} == {"content"}
    basket = [str(one) for one in loaded.train_.catalogue.item_ids[[5, 40]]]
    answer = json_of("recall", "--items", f" {basket[0]}, {basket[1]},", "--run", saved_run)
    assert [row["item_id"] for row in answer] == list(loaded.recommend_from_items(basket)["item_id"])
    assert "user_id" not in answer[0]
    everything = json_of("recall", "--user", user, "--include-seen", "-k", 500, "--run", saved_run)
    assert len(everything) == 120
    assert len(json_of("recall", "--user", user, "-k", 500, "--run", saved_run)) < 120


def test_eval_answers_on_standard_output_and_shows_progress_on_standard_error(graphrec, saved_run):
    code, out, err = graphrec("eval", "--cold-items", "--run", saved_run, "--json")
    assert code == 0
    (pool,) = json.loads(out)["pools"]
    assert pool["pool"] == "cold"
    assert {arm["arm"] for arm in pool["arms"]} == {"random", "popularity", "content-untrained", "content", "graph"}
    assert pool["conclusion"]
    assert "Tuning the content arm" in err
    code, out, _ = graphrec("eval", "--pool", "all", "--run", saved_run, "-k", 5)
    assert code == 0
    assert all(f"In the {name} pool: " in " ".join(out.split()) for name in ("cold", "warm", "full"))
    assert "recall" in out
    assert "@5" in out


def test_eval_on_a_truth_file_with_candidates(graphrec, json_of, saved_run, loaded):
    truth, train = loaded.held_out_["held-out"], loaded.train_
    cold = np.flatnonzero(train.interactions.item_degree() == 0)
    pd.DataFrame(
        {
            "user_id": [*train.user_ids[truth.user_index_P], "stranger"],
            "item_id": [*train.catalogue.item_ids[truth.item_index_P], "no-such-item"],
        }
    ).to_csv("truth.csv", index=False)
    pd.DataFrame({"item_id": train.catalogue.item_ids[cold[:15]]}).to_csv("pool.csv", index=False)
    (pool,) = json_of("eval", "--truth", "truth.csv", "--candidates", "pool.csv", "-k", 5, "--run", saved_run)["pools"]
    assert pool["num_items"] == 15
    assert "15 of the 15 candidates" in pool["description"]
    _, _, err = graphrec("eval", "--truth", "truth.csv", "--run", saved_run, "--json")
    assert "truth.csv: 1 rows set aside, unknown item" in " ".join(err.split())


def test_export_writes_files_with_a_manifest(json_of, graphrec, saved_run, loaded):
    manifest = json_of("export", "--to", "parquet", "--out", "vectors", "--run", saved_run)
    assert set(manifest["files"]) == {"items.parquet", "users.parquet"}
    assert manifest["about"]["model_version"] == loaded.version
    items = pd.read_parquet("vectors/items.parquet")
    assert np.stack(items["vector"]).tobytes() == loaded.embeddings("item").vectors.tobytes()
    for to, file in (("npy", "items.npy"), ("faiss", "items.faiss"), ("recbole", "items.itememb")):
        code, out, _ = graphrec("export", "--to", to, "--out", to, "--run", saved_run)
        assert code == 0
        assert file in out
    manifest = json_of("export", "--to", "faiss", "--index-ids", "stable", "--out", "faiss", "--run", saved_run)
    assert manifest["about"]["index_ids"] == "stable"


def test_expected_failures_are_one_line_and_exit_1(failure_of, saved_run, user, small_store, without_history):
    assert "Unknown user 'nobody'" in failure_of("recall", "--user", "nobody", "--run", saved_run)
    assert "no interaction" in failure_of("recall", "--user", without_history, "--run", saved_run)
    assert "unknown item 'x'" in failure_of("recall", "--items", "x", "--run", saved_run)
    assert "no item given" in failure_of("recall", "--items", ",", "--run", saved_run)
    assert "graphrec train" in failure_of("eval", "--run", "runs/none")
    assert "Unknown pool 'hot'" in failure_of("eval", "--pool", "hot", "--run", saved_run)
    assert "no split 'test'" in failure_of("eval", "--split", "test", "--run", saved_run)
    assert "--truth" in failure_of("eval", "--candidates", "pool.csv", "--run", saved_run)
    assert "none.csv" in failure_of("eval", "--truth", "none.csv", "--run", saved_run)
    assert "nowhere" in failure_of("check", "nowhere")
    assert "nowhere" in failure_of("train", "nowhere")
    assert "did you mean dim?" in failure_of("train", small_store, "--set", "model.encoder.dims=3")
    assert "none.yaml" in failure_of("train", small_store, "--config", "none.yaml")
    assert "expected key=value" in failure_of("train", small_store, "--set", "seed")
    assert not Path("runs").exists()


def test_a_wrong_column_is_named(failure_of):
    Path("shop").mkdir()
    Path("shop/items.csv").write_text("sku,title\n1,Hat\n")
    Path("shop/interactions.csv").write_text("user_id,item_id\nu,1\n")
    for command in ("check", "train"):
        line = failure_of(command, "shop")
        assert "items.csv" in line
        assert "item_id" in line


def test_too_little_to_learn_from_is_told_in_one_line(failure_of):
    Path("shop").mkdir()
    Path("shop/items.csv").write_text("item_id,title\n1,Hat\n2,Coat\n3,Sock\n")
    Path("shop/interactions.csv").write_text("user_id,item_id\nu,1\nv,2\nu,3\n")
    assert "Too little to learn from" in failure_of("train", "shop")


def test_a_changed_file_in_the_run_is_refused_by_name(failure_of, run_copy, user):
    with (run_copy / "served.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert "served.npy was changed" in failure_of("recall", "--user", user, "--run", run_copy)
    assert "served.npy was changed" in failure_of("export", "--out", "x", "--run", run_copy)


def test_a_folder_of_something_else_is_never_written_to(failure_of, saved_run, small_store):
    Path("thesis").mkdir()
    Path("thesis/main.tex").write_text("years of work")
    assert "thesis" in failure_of("train", small_store, "--out", "thesis", *QUICK)
    assert "thesis" in failure_of("export", "--out", "thesis", "--run", saved_run)
    assert [path.name for path in Path("thesis").iterdir()] == ["main.tex"]


def test_ids_and_titles_are_printed_as_they_are_whatever_brackets_they_hold(capsys):
    """Rich reads [bold] as markup; an id is none."""
    from rich.console import Console

    ids = ["[bold]a[/bold]", "[/x]"]
    row = {"rank": 1, "item_id": "[red]7", "score": 1.0, "title": "Hat [/b]", "degree": 0, "source": "content"}
    table = pd.DataFrame([{"user_id": one, **row} for one in ids])
    Console(width=200).print(recommendations_table(table, f"Candidates for {', '.join(ids)}"))
    out = capsys.readouterr().out
    assert all(out.count(one) >= 2 for one in ids)  # the title and the column
    assert "[red]7" in out
    assert "Hat [/b]" in out


def test_a_dataset_full_of_brackets_can_be_checked_and_trained_on(graphrec, small_store):
    shop = Path("[b] shop")
    shutil.copytree(small_store, shop)
    (shop / "dataset.yaml").unlink()
    items = pd.read_csv(shop / "items.csv", dtype=str)
    items.rename(columns={"brand": "[/c]", "colour": ":heart:"}).to_csv(shop / "items.csv", index=False)
    code, out, err = graphrec("check", shop, "--set-aside", "[d].csv")
    assert code == 0, err
    assert all(one in out for one in ("[b] shop: 120 items", "attribute [/c]", "attribute :heart:", "[d].csv"))
    code, _, err = graphrec("train", shop, "--out", "runs/[e]", *QUICK)
    assert code == 0, err
    shown = " ".join(err.split())
    assert all(one in shown for one in ("attribute:[/c] ", "attribute::heart: ", "Run written to runs/[e]"))


def test_the_demo_goes_the_whole_way(graphrec, small_store, monkeypatch):
    from graphrec.config import GraphRecConfig

    monkeypatch.setattr(workflow, "write_sample_store", lambda path, progress: shutil.copytree(small_store, path))
    quick = GraphRecConfig.load(None, [one.removeprefix("--set=") for one in QUICK])
    monkeypatch.setattr("graphrec.config.GraphRecConfig", lambda: quick)
    code, out, err = graphrec("demo")
    assert code == 0, err
    shown = " ".join((out + err).split())
    parts = "sample-store: 120 items", "small CLIP has seen drawn pictures only", "Chosen inside the training data"
    for part in (*parts, "cold pool", "graph - content"):
        assert part in shown
    read_manifest(Path("runs/latest"))
    user = re.search(r"graphrec recall --user (\S+)", shown)[1]
    assert graphrec("recall", "--user", user)[0] == 0


def test_a_reader_that_stops_listening_is_no_error(graphrec, monkeypatch):
    def broken():
        raise BrokenPipeError

    monkeypatch.setattr("graphrec.cli.entry.app", broken)
    monkeypatch.setattr(sys.stderr, "close", lambda: None)
    assert graphrec()[0] == 0


def test_a_message_with_line_breaks_becomes_one_line(failure_of, monkeypatch):
    def fail():
        raise GraphRecError("first\n  second")

    monkeypatch.setattr("graphrec.cli.entry.app", fail)
    assert failure_of() == "graphrec: first second"


def readme_commands():
    """Every `graphrec …` line of the README's bash blocks, as words."""
    if not README.exists():
        return []
    blocks = re.findall(r"```bash\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("graphrec ")]


@pytest.mark.skipif(not README.exists(), reason="no README.md")
def test_the_readme_shows_commands():
    assert len(readme_commands()) >= 5


@pytest.mark.parametrize("words", readme_commands(), ids=" ".join)
def test_the_commands_of_the_readme_exist(words):
    _, name, *arguments = words
    assert name in COMMANDS
    COMMANDS[name].make_context(name, list(arguments))  # raises where an option or a value is none of the command's
