"""What people hand in by mistake, through the command line: one line says what was wrong, and good rows survive.

Finer questions about single readers are asked in tests/data and tests/features.
"""

import errno
import json
import shutil
import struct
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile

from graphrec import cli
from graphrec.artifact import FORMAT_VERSION, MANIFEST
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.recommender import Recommender

TINY = ("model.encoder.dim=4", "model.training.max_epochs=1", "model.tuning.tries=1", "features.use=[attributes]")
ITEMS = ["item_id,title,colour", "a,Red dress,red", "b,Blue shirt,blue", "c,Green hat,green"]
EVENTS = ["user_id,item_id,timestamp", "u1,a,2024-01-01", "u1,b,2024-01-02", "u2,a,2024-01-03"]


pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def check(graphrec):
    """The report on a shop, which can always be checked."""

    def run(folder="shop"):
        code, out, err = graphrec("check", folder, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def failure(graphrec):
    """The one line of a command that has to fail."""

    def run(*arguments: object):
        code, out, err = graphrec(*arguments)
        assert (code, out) == (1, ""), err
        (line,) = [one for one in err.splitlines() if one.strip() and "━" not in one]
        return line.removeprefix("graphrec: ")

    return run


def shop(items: list[str] | bytes = ITEMS, events: list[str] | bytes = EVENTS, **files: str | bytes) -> Path:
    """A dataset folder `shop`; `files` are others by name, `__` for the dot."""
    folder = Path("shop")
    folder.mkdir(exist_ok=True)
    contents: dict[str, Any] = {"items.csv": items, "interactions.csv": events}
    for name, content in {**contents, **{name.replace("__", "."): content for name, content in files.items()}}.items():
        text = "\n".join([*content, ""]) if isinstance(content, list) else content
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def set_aside(report: dict[str, Any]) -> dict[str, int]:
    """Reason → rows."""
    return {one["reason"]: one["rows"] for one in report["set_aside"]}


def says(report: dict[str, Any], words: str) -> bool:
    return any(words in warning for warning in report["warnings"])


def test_an_empty_title(check):
    shop([*ITEMS, "d,,red", "e,   ,red"])
    report = check()
    assert (report["items"], report["titles"]["items"]) == (5, 3)
    assert says(report, "40 % of the items have no title (2).")


def huge_png(side: int) -> bytes:
    """A whole PNG of side × side black pixels in a few kilobytes: one bit each, and zeros compress well."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def write_pictures(folder: Path) -> dict[str, str | None]:
    """Pictures of all kinds; file name → what is wrong with it, None where nothing is."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    whole = Image.fromarray(noise)
    frames = [Image.fromarray(np.roll(noise, shift, axis=0)) for shift in (10, 20)]
    whole.save(folder / "whole.png")
    whole.convert("CMYK").save(folder / "cmyk.jpg")
    for name in ("animated.gif", "animated.webp", "animated.png"):
        whole.save(folder / name, save_all=True, append_images=frames, duration=40)
    (folder / "truncated.png").write_bytes((folder / "whole.png").read_bytes()[:3000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("<html>404 Not Found</html>")
    (folder / "huge.png").write_bytes(huge_png(30_000))
    assert (folder / "huge.png").stat().st_size < 200_000
    outside = folder.parent / "outside.png"
    whole.save(outside)
    (folder / "link.png").symlink_to(outside.resolve())
    (folder / "sub").mkdir()
    frames[0].save(folder / "sub" / "real.png")
    (folder / "inner.png").symlink_to((folder / "sub" / "real.png").resolve())
    good = dict.fromkeys(("whole.png", "cmyk.jpg", "animated.gif", "animated.webp", "animated.png", "inner.png"))
    return good | {
        "truncated.png": "damaged picture",
        "empty.jpg": "damaged or no picture",
        "text.jpg": "damaged or no picture",
        "huge.png": "too many pixels",
        "missing.png": "missing",
        "link.png": "leaves the dataset folder through a link",
    }


def test_pictures_of_all_kinds(check, graphrec, monkeypatch):
    """Missing, truncated, of no bytes, no picture, 30,000 × 30,000 pixels, animated, CMYK, outside the folder."""
    climbing = ("../outside.png", "/etc/passwd", "a/../../outside.png", "..\\outside.png", "file:///etc/passwd")
    problems = write_pictures(shop())
    items = [f"{number},{name}" for number, name in enumerate([*problems, *climbing])]
    shop(["item_id,image", *items], ["user_id,item_id", "u,1"])
    load, decoded = ImageFile.ImageFile.load, []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: decoded.append(self.size) or load(self))

    report = check()
    reason = "the image path leaves the dataset folder; it counts as missing, the item stays"
    assert set_aside(report) == {reason: len(climbing)}
    assert report["items"] == len(items)
    assert report["pictures"]["named"]["items"] == len(problems)
    seen_in_the_header = {"missing": 1, "damaged or no picture": 2, "too many pixels": 1, problems["link.png"]: 1}
    assert report["pictures"]["problems"] == seen_in_the_header
    assert says(report, "1 picture cannot be used: too many pixels (such as huge.png).")
    assert decoded == []

    code, out, err = graphrec("encode", "shop", "--json", "--no-cache", "--device", "cpu")
    assert code == 0, err
    pictures = json.loads(out)["kinds"]["image"]
    failed = {one["reason"]: one["count"] for one in pictures["failed"]}
    assert failed == {**seen_in_the_header, "damaged picture": 1}
    assert pictures["encoded"] == sum(problem is None for problem in problems.values())
    assert max(width * height for width, height in decoded) < 100_000  # nothing large was ever in memory


def test_a_json_line_cut_in_half(check):
    folder = shop(events=EVENTS)
    (folder / "interactions.csv").unlink()
    lines = [json.dumps({"user_id": f"u{n}", "item_id": "a"}) for n in range(5)]
    (folder / "interactions.jsonl").write_text("\n".join([*lines[:4], lines[4][:17]]))
    report = check()
    assert set_aside(report) == {"not a JSON object": 1}
    assert report["events"] == 4
    kept = pd.read_csv("runs/check/set_aside.csv", dtype=str)
    assert kept.loc[0, ["file", "row", "value"]].tolist() == ["interactions.jsonl", "5", lines[4][:17]]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_rows_in_another_encoding(check, encoding):
    shop("\n".join([*ITEMS, "d,Größe,red", "e,Plain,red", ""]).encode(encoding))
    report = check()
    assert set_aside(report) == {"not UTF-8 text": 1}
    assert report["items"] == 4


@pytest.mark.parametrize("name", ["items.csv", "items.jsonl"])
def test_a_file_in_utf_16(failure, name):
    folder = shop()
    (folder / "items.csv").rename(folder / name)
    (folder / name).write_text("item_id,title\na,Größe\n", encoding="utf-16")
    assert failure("check", "shop") == f"{name}: is UTF-16 text; save the file as UTF-8."


def test_nul_bytes_of_a_file_that_was_cut_off(check):
    shop([*ITEMS, "d\x00,Half,red"], [*EVENTS, "u\x00,a,2024-01-01", "\x00" * 40])
    report = check()
    cut_off = "the id holds a NUL byte (was the file cut off while it was written?)"
    assert set_aside(report)[cut_off] == 1
    assert {one["file"]: one["rows"] for one in report["set_aside"] if one["reason"] == cut_off} == {
        "items.csv": 1,
        "interactions.csv": 1,
    }
    assert (report["items"], report["events"]) == (3, 3)
    assert sum(one["rows"] for one in report["set_aside"]) == 3  # the row of nothing but NUL bytes too


def test_a_column_that_stands_twice(failure):
    shop(["item_id,title,title", "a,x,y"])
    assert failure("check", "shop") == "items.csv: column 'title' stands 2 times in the header; rename all but one."


def test_the_header_again_in_the_middle(check):
    shop([*ITEMS, ITEMS[0], "d,Hat,red"], [*EVENTS, EVENTS[0], *EVENTS[1:], "u3,d,2024-01-01"])
    report = check()
    assert set_aside(report) == {"the header line again (were files joined?)": 1}
    assert sum(one["rows"] for one in report["set_aside"]) == 2
    assert (report["items"], report["users"], report["events"]) == (4, 3, 4)
    assert pd.read_csv("runs/check/set_aside.csv")["row"].tolist() == [4, 4]


def test_ids_that_differ_by_leading_zeros_or_spaces(check):
    shop(
        ["item_id,colour", "007,red", "7,blue", "0042,red", " 8,red", "8 ,blue"],
        ["user_id,item_id", "u1,007", "u1,7", "u2 ,8", " u2,007", "u2,42"],
    )
    report = check()
    assert (report["items"], report["users"], report["events"]) == (4, 2, 4)  # 007, 7, 0042, 8
    assert set_aside(report) == {
        "item id stands before; its first row is kept": 1,
        "unknown item: the items file has this id with other leading zeros (did a spreadsheet drop them?)": 1,
    }
    assert says(report, "differ by leading zeros only are kept apart: 1 times, such as '007' and '7'")
    assert "items.csv: spaces around 2 values of column 'item_id' were removed" in report["notes"]


def test_an_open_quotation_mark_in_the_items(check):
    """Inches at the start of a title: the row is set aside, not the 280 rows after it."""
    items = [f"{n},item {n},red" for n in range(1, 301)]
    items[19] = '20,"17 inch screen'
    shop(["item_id,title,colour", *items], ["user_id,item_id,timestamp", "u1,1,2024-01-01", "u1,300,2024-01-02"])
    report = check()
    assert (report["items"], report["events"]) == (299, 2)
    assert set_aside(report) == {"a quotation mark is never closed": 1}
    assert pd.read_csv("runs/check/set_aside.csv")["row"].tolist() == [20]
    items[19] = '20,"17 inch screen,red'  # as many fields as there should be: nothing is lost
    shop(["item_id,title,colour", *items], ["user_id,item_id", "u1,20"])
    report = check()
    assert report["items"] == 300
    assert report["titles"]["items"] == 300
    assert "items.csv: 1 rows hold a quotation mark that is never closed; it was read as text" in report["notes"]


def test_timestamps_in_three_formats(check):
    """One reading for a column, by what most of it is; the others are set aside."""
    iso = [f"u{n},a,2024-01-0{n}" for n in range(1, 6)]
    shop(events=[EVENTS[0], *iso, "u6,a,1704067200", "u7,a,01/02/2024", "u8,a,"])
    report = check()
    (reason,) = set_aside(report)
    assert reason.startswith("not a time: expected ")
    assert set_aside(report)[reason] == 2
    assert (report["events"], report["events_without_time"]) == (6, 1)
    assert report["first_event"] == "2024-01-01T00:00:00+00:00"
    assert pd.read_csv("runs/check/set_aside.csv", dtype=str)["value"].tolist() == ["1704067200", "01/02/2024"]


@pytest.mark.parametrize("wrong", ["yesterday", "99999999999999999999", "-1e18", "1e400", "inf", "2024-02-31"])
def test_timestamps_that_are_none(check, wrong):
    shop(events=[EVENTS[0], *[f"u{n},a,{1_700_000_000 + n}" for n in range(4)], f"u9,a,{wrong}"])
    report = check()
    assert sum(set_aside(report).values()) == 1
    assert report["events"] == 4


def test_timestamps_in_the_future(check):
    next_year = int(time.time()) + 366 * 86_400
    shop(events=[EVENTS[0], f"u1,a,{next_year}", "u1,b,1700000000", f"u2,b,{int(time.time())}"])
    report = check()
    assert report["events"] == 3
    assert says(report, "1 event lies in the future, up to ")


@pytest.mark.slow
def test_one_user_with_a_million_events():
    """Costs reading them, not a training as long as they are many: the same store without that user takes as long."""
    rng = np.random.default_rng(0)
    num_items, num_users = 2_000, 300
    user_E = np.concatenate([np.repeat(np.arange(1, num_users), 20), np.zeros(1_000_000, dtype=np.int64)])
    item_E = rng.integers(0, num_items, len(user_E))
    everybody = Interactions.from_pairs(user_E, item_E, num_users, num_items)
    nothing = np.full(num_items, "", dtype=object)
    dataset = Dataset(
        name="one busy user",
        catalogue=Catalogue(
            np.arange(num_items).astype(str).astype(object), nothing, nothing, nothing, None, nothing,
            Attributes(categorical={"colour": rng.choice(["red", "blue", "green"], num_items).astype(object)}),
        ),
        user_ids=np.array([f"u{user}" for user in range(num_users)], dtype=object),
        site_names=(),
        interactions=everybody,
    )  # fmt: skip
    seconds = []
    for events in (everybody.take(user_E > 0), everybody):
        started = time.process_time()
        model = Recommender(GraphRecConfig.load(None, TINY), "cpu").fit(replace(dataset, interactions=events))
        seconds.append(time.process_time() - started)
    assert seconds[1] < 3 * seconds[0] + 2
    assert len(model.recommend(["u1"], 5)) == 5
    assert len(model.recommend(["u0"], 5)) == 0  # has seen everything
    assert len(model.recommend(["u0"], 5, exclude_seen=False)) == 5


def test_an_item_with_no_modality_at_all(check, graphrec, small_store):
    folder = Path(shutil.copytree(small_store, "shop"))
    items = pd.read_csv(folder / "items.csv", dtype=str, keep_default_na=False)
    bare = pd.DataFrame({"item_id": ["bare-1", "bare-2"]}).reindex(columns=items.columns, fill_value="")
    pd.concat([items, bare]).to_csv(folder / "items.csv", index=False)
    report = check()
    assert report["items"] == len(items) + 2
    assert says(report, "2 items have no picture, text, attribute or vector: while they are new, nothing tells them")
    code, _, err = graphrec("train", "shop", "--no-cache", *[f"--set={one}" for one in TINY])
    assert code == 0, err
    model = Recommender.load("runs/latest")
    vectors = model.embeddings("item")
    is_bare = np.isin(vectors.ids, ["bare-1", "bare-2"])
    assert np.isfinite(vectors.vectors).all()
    assert set(vectors.source[is_bare]) == {"content"}
    user = str(model.train_.user_ids[int(np.argmax(model.train_.interactions.user_degree()))])
    everything = model.recommend([user], len(vectors.ids), exclude_seen=False)
    assert set(everything["item_id"]) == set(vectors.ids)


@pytest.mark.parametrize("content", [[EVENTS[0]], ""])
def test_an_empty_interactions_file(failure, check, content):
    shop(events=content)
    for command in ("check", "train"):
        assert (
            failure(command, "shop")
            == {
                True: "interactions.csv: the first line is blank; it must name the columns.",
                False: 'interactions.csv has no rows; for a catalogue alone write "interactions: []" in dataset.yaml.',
            }[content == ""]
        )
    shop(dataset__yaml="interactions: []")
    assert says(check(), "There are no interactions")
    assert failure("train", "shop").startswith("Dataset 'shop' has no interactions: there is nothing to learn from")


@pytest.fixture
def somebody(loaded):
    return str(loaded.train_.user_ids[int(np.argmax(loaded.train_.interactions.user_degree()))])


@pytest.mark.parametrize("k", [121, 10**9])
def test_k_larger_than_the_catalogue(graphrec, saved_run, loaded, somebody, k):
    code, out, err = graphrec("recall", "--run", saved_run, "--user", somebody, "-k", k, "--include-seen", "--json")
    assert code == 0, err
    found = [one["item_id"] for one in json.loads(out)]
    assert sorted(found) == sorted(loaded.train_.catalogue.item_ids)
    code, out, err = graphrec("search", "--run", saved_run, "--text", "a red dress", "-k", k, "--json")
    assert code == 0, err
    assert 0 < len(json.loads(out)) <= len(found)


def test_k_that_is_no_number_of_items(graphrec, saved_run, somebody):
    for k in ("0", "-3", "ten"):
        code, _, err = graphrec("recall", "--run", saved_run, "--user", somebody, "-k", k)
        assert code == 2
        assert "-k" in err


@pytest.mark.parametrize("command", [["recall", "--user", None], ["search", "--text", "dress"]])
def test_a_filter_that_matches_nothing(graphrec, failure, saved_run, somebody, command):
    words = [somebody if word is None else word for word in command]
    line = failure(*words, "--run", saved_run, "--where", "price=999999..1000000")
    assert "price=999999..1000000" in line
    assert "did you mean" in failure(*words, "--run", saved_run, "--where", "catgory=dress")


@pytest.mark.parametrize("command", [["recall", "--user", "u"], ["eval"], ["export", "--out", "vectors"]])
def test_a_run_made_by_a_newer_version(failure, run_copy, command):
    manifest = run_copy / MANIFEST
    manifest.write_text(manifest.read_text().replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 77'))
    line = failure(*command, "--run", run_copy)
    reads = f"this graphrec reads up to {FORMAT_VERSION}: upgrade graphrec."
    assert line == f"{run_copy / MANIFEST} has format version 77, {reads}"


def test_a_newer_run_is_not_replaced_either(failure, run_copy, small_store):
    manifest = run_copy / MANIFEST
    manifest.write_text(manifest.read_text().replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 77'))
    assert "format version 77" in failure("train", small_store, "--no-cache", "--out", run_copy)


def test_ratings_that_nobody_said_how_to_read(check, graphrec, small_store):
    shop(events=["user_id,item_id,rating", "u1,a,1", "u1,b,5", "u2,a,3"])
    assert says(check(), "every rating counts as liking, the lowest too (1 of 5); set minimum_rating under")
    shop(
        events=["user_id,item_id,rating", "u1,a,1", "u1,b,5", "u2,a,3"],
        dataset__yaml="interactions: {minimum_rating: 3}",
    )
    assert not says(check(), "every rating counts as liking")
    folder = Path(shutil.copytree(small_store, "rated"))
    description = (folder / "dataset.yaml").read_text()
    (folder / "dataset.yaml").write_text(description.replace("  minimum_rating: 3\n", ""))
    code, _, err = graphrec("train", folder, "--no-cache", *[f"--set={one}" for one in TINY])
    assert code == 0
    assert "! interactions.csv: every rating counts as liking, the lowest too (1 of 5)" in " ".join(err.split())


@pytest.mark.parametrize(("name", "meant"), [("imgae", "image"), ("Image", "image"), ("texts", "text")])
def test_own_vectors_under_a_name_that_is_nearly_image_or_text(check, name, meant):
    yaml = f"vectors: {{{name}: {{file: v.npy, ids: v.csv}}}}"
    folder = shop(dataset__yaml=yaml, v__csv="item_id\na\nb\nc\n")
    np.save(folder / "v.npy", np.eye(3, dtype=np.float32))
    assert says(check(), f"{name!r} stands beside CLIP's {meant} vectors, not in their place: did you mean {meant}?")
    (folder / "dataset.yaml").write_text(yaml.replace(name, meant))
    assert not says(check(), "did you mean")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x.npy"),
            "x.npy cannot be written: No space left on device.",
        ),
        (OSError(errno.EROFS, "Read-only file system"), "The disk refuses: Read-only file system."),
        (
            PermissionError(errno.EACCES, "Permission denied", "x.npy"),
            "x.npy: permission denied; ask its owner to share it, or name another.",
        ),
        (
            OSError(errno.EPERM, "Operation not permitted"),
            "A file: permission denied; ask its owner to share it, or name another.",
        ),
    ],
)
def test_a_disk_that_refuses_wherever_it_is_noticed(failure, monkeypatch, error, line):
    def fail():
        raise error

    monkeypatch.setattr("graphrec.cli.entry.app", fail)
    assert failure() == line


@pytest.fixture
def deny(monkeypatch):
    """Files of another user, by name: tests may run as root, who reads everything."""

    def run(name: str):
        def denied(read):
            def guarded(path, *arguments: Any, **settings: Any):
                if Path(path).name == name:
                    raise PermissionError(errno.EACCES, "Permission denied", str(path))
                return read(path, *arguments, **settings)

            return guarded

        for method in ("open", "read_text", "read_bytes", "stat"):
            if method != "stat" or name.startswith("pictures"):
                monkeypatch.setattr(Path, method, denied(getattr(Path, method)))

    return run


def test_files_of_another_user(failure, run_copy, deny):
    deny(MANIFEST)
    line = f"{run_copy / MANIFEST}: permission denied; ask its owner to share it, or name another."
    assert failure("recall", "--run", run_copy, "--user", "1") == line


@pytest.mark.parametrize("name", ["items.csv", "dataset.yaml"])
def test_a_dataset_of_another_user(failure, deny, name):
    shop(dataset__yaml="items: {file: items.csv}")
    deny(name)
    assert failure("check", "shop") == f"shop/{name}: cannot be read: Permission denied."


def test_pictures_of_another_user(check, deny):
    folder = shop(["item_id,image", "a,pictures-a.png", "b,pictures-b.png", "c,c.png"])
    for name in "ab":
        Image.new("RGB", (2, 2)).save(folder / f"pictures-{name}.png")
    deny("pictures-a.png")
    assert check()["pictures"]["problems"] == {"missing": 1, "permission denied": 1}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_folder_where_nothing_can_be_written(graphrec, monkeypatch, as_json):
    """The report stands although the rows set aside cannot be written."""
    shop([*ITEMS, "d,x,red,more"])

    def refuse(path, *arguments: Any, **settings: Any):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    code, out, err = graphrec("check", "shop", *(["--json"] if as_json else []))
    assert code == 1
    assert json.loads(out)["items"] == 3 if as_json else "expected 3 fields, found 4" in out
    assert err.splitlines()[-1] == (
        "graphrec: runs/check/set_aside.csv cannot be written: Read-only file system. "
        "Name another place for the rows set aside with --set-aside FILE."
    )


def test_another_error_of_the_system_is_a_bug_and_shown_as_one(graphrec, monkeypatch):
    def fail():
        raise FileNotFoundError(errno.ENOENT, "No such file", "x.npy")

    monkeypatch.setattr("graphrec.cli.entry.app", fail)
    with pytest.raises(FileNotFoundError):
        cli.main()


def test_a_wrong_setting_is_refused_before_the_data_are_read(failure, graphrec):
    assert failure("train", "no-such-folder", "--set", "seeed=1") == "--set: seeed: unknown key, did you mean seed?"
    assert failure("train", "no-such-folder", "--set", "index.factory=Flatt").startswith("--set: index.factory: FAISS")
    code, _, err = graphrec("train", "no-such-folder", "--device", "gpu")
    assert code == 2
    assert "--device" in err
