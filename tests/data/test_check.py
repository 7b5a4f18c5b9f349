"""What `check` counts and says about a small world in which everything is known."""

import os
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graphrec.data.check import check
from graphrec.data.dataset import Dataset, SetAside
from graphrec.data.pictures import picture_problem
from graphrec.data.set_aside import write_set_aside
from graphrec.errors import GraphRecError


def png_header(width, height):
    """A PNG that claims a size and holds no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 100) + b"IDAT"


@pytest.fixture
def shop(tmp_path):
    """Six items: two good pictures, one missing, one damaged, one too large, one not named. Items 1 to 3 are warm."""
    (tmp_path / "images").mkdir()
    for name in ("1.png", "2.jpg"):
        Image.new("RGB", (4, 3)).save(tmp_path / "images" / name)
    (tmp_path / "images" / "4.jpg").write_bytes(b"not a picture")
    (tmp_path / "images" / "5.png").write_bytes(png_header(60_000, 60_000))
    (tmp_path / "items.csv").write_text(
        "item_id,title,image,color,site\n1,one,1.png,red,x\n2,two,2.jpg,,x\n3,,3.jpg,red,y\n"
        "4,four,4.jpg,blue,y\n5,five,5.png,blue,y\n6,six,,red,y\n6,again,,red,y\n"
    )
    (tmp_path / "train.csv").write_text(
        "user_id,item_id,timestamp\na,1,2024-01-01\na,1,2024-01-02\na,1,2024-01-01\na,3,2024-02-01\nb,1,\nc,2,2024-01-05\n"
    )
    (tmp_path / "valid.csv").write_text("user_id,item_id\na,4\nb,2\nd,4\n")
    (tmp_path / "dataset.yaml").write_text(
        "name: shop\nitems: {image_folder: images, categorical: [color]}\n"
        "vectors: {sound: {file: v.npy, ids: ids.csv}}\n"
    )
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    (tmp_path / "ids.csv").write_text("item_id\n1\n2\n99\n")
    return Dataset.load(tmp_path)


def test_everything_is_counted(shop):
    report = check(shop)
    assert (report.items, report.users, report.events, report.pairs) == (6, 4, 5, 4)
    assert report.density == pytest.approx(4 / 24)
    assert (report.repeated_events, report.duplicate_events, report.events_without_time) == (1, 1, 1)
    assert report.cold_items == 3
    assert report.item_degree == {"0": 3, "1-2": 3, "3-5": 0, "6-20": 0, ">20": 0}
    assert report.user_degree == {"0": 1, "1-2": 3, "3-5": 0, "6-20": 0, ">20": 0}
    assert (report.first_event, report.last_event) == ("2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00")
    assert [tuple(site.model_dump().values()) for site in report.sites] == [("x", 2, 3, 4, 2), ("y", 4, 1, 1, 3)]
    assert report.shared_users == 1
    assert report.titles.items == 5
    assert report.attributes["color"].model_dump() == {"items": 5, "share": 5 / 6}
    assert report.own_vectors["sound"].items == 2
    assert report.unknown_vector_ids == {"sound": 1}
    (split,) = report.splits
    assert split.model_dump() == {
        "name": "valid", "pairs": 3, "users": 3, "items": 2, "cold_items": 1, "cold_pairs": 2, "new_users": 1, "candidates": None,  # noqa: E501
    }  # fmt: skip
    (row,) = report.set_aside
    assert (row.file, row.rows) == ("items.csv", 1)
    assert report.model_validate_json(report.model_dump_json()) == report


def test_picture_problems_are_reported_and_never_raised(shop):
    pictures = check(shop).pictures
    assert (pictures.named.items, pictures.usable.items) == (5, 2)
    assert [(p.item_id, p.path, p.problem) for p in pictures.examples] == [
        ("3", "images/3.jpg", "missing"),
        ("4", "images/4.jpg", "damaged or no picture"),
        ("5", "images/5.png", "too many pixels"),
    ]
    assert sum(pictures.problems.values()) == 3
    assert check(shop, verify_images=False).pictures.usable is None


def test_the_progress_counts_the_named_pictures(shop):
    seen = []

    def progress(steps, description, total=None):
        for step in steps:
            seen.append((description, step))
            yield step

    check(shop, progress=progress)
    assert seen == [("Looking at pictures", item) for item in range(5)]


def test_warnings_are_plain_sentences(shop):
    warnings = check(shop).warnings
    assert "67 % of the items have no usable picture (4)." in warnings
    assert "17 % of the items have no title (1)." in warnings
    assert "1 picture cannot be used: missing (such as images/3.jpg)." in warnings
    assert "67 % of the items have no own sound vector (4)." in warnings
    assert "1 event has no timestamp." in warnings
    assert "Split valid: 1 of 3 users have no training event." in warnings
    assert "1 problem in items.csv: see set_aside for rows and reasons." in warnings
    assert not any("There are no timestamps" in line for line in warnings)


def test_a_world_with_nothing_to_learn_from_says_so(tmp_path):
    (tmp_path / "items.csv").write_text("item_id\n1\n2\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id\na,1\nb,2\n")
    warnings = check(Dataset.load(tmp_path)).warnings
    assert "No item has a title." in warnings
    assert "No item has a usable picture." in warnings
    assert "There are no timestamps: a temporal split is not possible." in warnings
    assert "Every user has one item at most: there is nothing to learn from what people take together." in warnings
    (tmp_path / "dataset.yaml").write_text("interactions: []")
    report = check(Dataset.load(tmp_path))
    assert report.density == 0
    assert any("There are no interactions" in line for line in report.warnings)


def test_a_picture_is_judged_without_being_decoded(tmp_path, monkeypatch):
    (tmp_path / "bomb.png").write_bytes(png_header(2_000_000, 2_000_000))
    assert picture_problem(tmp_path / "bomb.png") == "too many pixels"
    (tmp_path / "large.png").write_bytes(png_header(11_000, 10_000))  # PIL itself would only warn
    assert picture_problem(tmp_path / "large.png") == "too many pixels"
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert picture_problem(tmp_path / "empty.jpg") == "damaged or no picture"
    assert picture_problem(tmp_path) == "missing"
    assert picture_problem(tmp_path / ("x" * 300)) is not None
    monkeypatch.setattr("graphrec.data.pictures.MAX_BYTES", 10)
    assert picture_problem(tmp_path / "bomb.png").startswith("larger than")


def test_set_aside_rows_are_written_whole_or_not_at_all(shop, tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    write_set_aside(shop.set_aside, path)
    pd.testing.assert_frame_equal(pd.read_csv(path, dtype={"value": str}), shop.set_aside.rows, check_dtype=False)
    before = path.read_bytes()

    names = set(tmp_path.iterdir())

    def fail(source, target):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(GraphRecError, match="cannot be written: the disk is full"):
        write_set_aside(SetAside(), path)
    assert path.read_bytes() == before
    assert set(tmp_path.iterdir()) == names
    with pytest.raises(GraphRecError, match="cannot be written"):
        write_set_aside(SetAside(), path / "below" / "a" / "file.csv")
