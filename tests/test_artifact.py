import errno
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from graphrec import artifact
from graphrec.artifact import FORMAT_VERSION, read_manifest, write_artifact
from graphrec.atomic_file import replacing
from graphrec.disk import delete_leftovers, scratch_folder
from graphrec.errors import GraphRecError


class Killed(BaseException):
    """Stands for a kill: nothing catches it, and nothing is cleaned up after it."""


def filled_with(text):
    def write(folder):
        (folder / "sub").mkdir()
        (folder / "a.txt").write_text(text)
        (folder / "sub" / "b.txt").write_text(text * 3)

    return write


def text_of(folder):
    """The one text of a whole artifact; fails where it is mixed or damaged."""
    read_manifest(folder)
    text = (folder / "a.txt").read_text()
    assert (folder / "sub" / "b.txt").read_text() == text * 3
    return text


def names_beside(folder):
    return sorted(path.name for path in folder.parent.iterdir())


def test_a_manifest_says_what_the_folder_holds(tmp_path):
    written = write_artifact(tmp_path / "runs" / "latest", filled_with("new"), {"counts": {"items": 3}})
    manifest = read_manifest(tmp_path / "runs" / "latest")
    assert manifest == written
    assert manifest.about == {"counts": {"items": 3}}
    assert manifest.format_version == artifact.FORMAT_VERSION
    assert set(manifest.files) == {"a.txt", "sub/b.txt"}
    assert manifest.files["a.txt"].size == 3
    assert manifest.files["a.txt"].sha256 == "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"
    assert {"torch", "torch-geometric", "numpy"} <= set(manifest.packages)


def test_a_new_artifact_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    folder = tmp_path / "latest"
    folder.mkdir()
    for text in ("old", "new"):
        write_artifact(folder, filled_with(text), {})
        assert text_of(folder) == text
        assert names_beside(folder) == ["latest"]


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    def write(folder):
        filled_with("new")(folder)
        (folder / "sub" / "b.txt").chmod(0o600)  # as safetensors leaves its files

    write_artifact(tmp_path / "latest", write, {})
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "b.txt").touch()
    assert (tmp_path / "latest").stat().st_mode == (tmp_path / "plain").stat().st_mode
    plain = (tmp_path / "plain" / "b.txt").stat().st_mode
    assert {(tmp_path / "latest" / name).stat().st_mode for name in ("a.txt", "sub/b.txt", "manifest.json")} == {plain}


def test_a_link_to_a_run_stays_a_link(tmp_path):
    write_artifact(tmp_path / "first", filled_with("old"), {})
    (tmp_path / "latest").symlink_to("first")
    write_artifact(tmp_path / "latest", filled_with("new"), {})
    assert (tmp_path / "latest").is_symlink()
    assert text_of(tmp_path / "first") == "new"


STEPS = [("fsync", n) for n in range(6)] + [("rename", n) for n in range(3)] + [("rmtree", n) for n in range(1)]


@pytest.mark.parametrize(("step", "number"), STEPS)
@pytest.mark.parametrize("had_old", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_one_whole(tmp_path, monkeypatch, step, number, had_old, when):
    folder = tmp_path / "latest"
    if had_old:
        write_artifact(folder, filled_with("old"), {})

    killed = []

    def killing(owner, name):
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any):
            if killed:  # a dead process takes no further steps
                raise Killed
            if name == step:
                calls.append(name)
                if len(calls) == number + 1:
                    if when == "after":
                        real(*args, **kwargs)
                    killed.append(True)
                    raise Killed
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    calls = []
    killing(os, "fsync")
    killing(Path, "rename")
    killing(shutil, "rmtree")
    with suppress(Killed):
        write_artifact(folder, filled_with("new"), {})
    monkeypatch.undo()

    if had_old:
        assert text_of(folder) in {"old", "new"}
    elif folder.exists():
        assert text_of(folder) == "new"
    write_artifact(folder, filled_with("newer"), {})
    assert text_of(folder) == "newer"
    assert names_beside(folder) == ["latest"]


def kill_between_renames(folder):
    real = Path.rename

    def rename(self, target):
        if ".writing-" in self.name:
            os._exit(9)
        return real(self, target)

    Path.rename = rename
    write_artifact(folder, filled_with("new"), {})


def test_a_process_that_really_dies_between_the_renames_is_recovered_from(tmp_path):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("old"), {})
    process = multiprocessing.get_context("fork").Process(target=kill_between_renames, args=(folder,))
    process.start()
    process.join(20)
    assert process.exitcode == 9
    assert not folder.exists()
    assert text_of(folder) == "old"
    write_artifact(folder, filled_with("newer"), {})
    assert text_of(folder) == "newer"
    assert names_beside(folder) == ["latest"]


def test_a_failure_while_writing_comes_through_and_leaves_the_old_one(tmp_path):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("old"), {})

    def fail(folder):
        (folder / "a.txt").write_text("half")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_artifact(folder, fail, {})
    assert text_of(folder) == "old"
    assert names_beside(folder) == ["latest"]


def test_a_full_disk_is_told_in_one_line_and_leaves_the_old_one(tmp_path):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("old"), {})

    def fail(folder):
        (folder / "a.txt").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    advice = "Nothing was changed; make room, or choose another --out."
    with pytest.raises(GraphRecError, match=f"latest cannot be written: No space left on device. {advice}$"):
        write_artifact(folder, fail, {})
    assert text_of(folder) == "old"
    assert names_beside(folder) == ["latest"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [(code, "make room, or choose another --out") for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
    + [(code, "choose another --out") for code in (errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTDIR)],
)
def test_room_is_asked_for_only_where_it_lacks(tmp_path, code, advice):
    def fail(folder):
        raise OSError(code, os.strerror(code))

    with pytest.raises(GraphRecError) as caught:
        write_artifact(tmp_path / "latest", fail, {})
    reason = f"{tmp_path / 'latest'} cannot be written: {os.strerror(code)}. Nothing was changed; {advice}."
    assert str(caught.value) == reason


def test_a_half_deleted_earlier_one_never_comes_back(tmp_path, monkeypatch):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("old"), {})

    def rmtree(path, **_: Any):
        (path / "a.txt").unlink(missing_ok=True)
        raise Killed

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with suppress(Killed):
        write_artifact(folder, filled_with("new"), {})
    monkeypatch.undo()
    assert text_of(folder) == "new"
    shutil.rmtree(folder)  # by the user
    with pytest.raises(GraphRecError, match="There is no run"):
        read_manifest(folder)
    write_artifact(folder, filled_with("newer"), {})
    assert names_beside(folder) == ["latest"]


def test_a_file_may_be_replaced_within_an_artifact_that_is_being_written(tmp_path):
    def write(folder):
        with replacing(folder / "a.txt") as scratch:
            scratch.write_text("new")

    assert set(write_artifact(tmp_path / "latest", write, {}).files) == {"a.txt"}


def test_scratch_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    mkdir, made = Path.mkdir, []

    def seen_by_another_process(self, *args: Any, **kwargs: Any):
        mkdir(self, *args, **kwargs)
        if self.name.startswith(".latest.writing-"):
            made.append(self)
            if len(made) == 1:
                delete_leftovers(tmp_path / "latest")

    monkeypatch.setattr(Path, "mkdir", seen_by_another_process)
    with scratch_folder(tmp_path / "latest") as scratch:
        assert scratch == made[1]
        delete_leftovers(tmp_path / "latest")  # not this one: it is locked
        assert scratch.exists()
    assert list(tmp_path.iterdir()) == []


def test_writers_at_the_same_moment_never_mix_files(tmp_path):
    folder = tmp_path / "latest"

    def write(number):
        write_artifact(folder, filled_with(f"<{number}>"), {"number": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert text_of(folder) == f"<{read_manifest(folder).about['number']}>"
    assert names_beside(folder) == ["latest"]


def test_a_folder_that_another_writer_is_filling_is_left_alone(tmp_path):
    folder = tmp_path / "latest"

    def write_while_another_finishes(writing):
        write_artifact(folder, filled_with("first"), {})
        filled_with("second")(writing)

    write_artifact(folder, write_while_another_finishes, {})
    assert text_of(folder) == "second"


@pytest.mark.parametrize("content", ["notes.txt", "manifest.json"])
def test_a_folder_that_is_no_artifact_is_not_replaced(tmp_path, content):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / content).write_text("{}")
    with pytest.raises(GraphRecError, match="photos"):
        write_artifact(folder, filled_with("new"), {})
    assert [path.name for path in folder.iterdir()] == [content]
    assert names_beside(folder) == ["photos"]


def test_a_file_or_another_kind_of_artifact_is_not_replaced(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GraphRecError, match="is a file, not a folder: choose another --out"):
        write_artifact(tmp_path / "file", filled_with("new"), {})
    write_artifact(tmp_path / "run", filled_with("run"), {})
    with pytest.raises(GraphRecError, match="is not a graphrec export: choose another --out"):
        write_artifact(tmp_path / "run", filled_with("new"), {}, kind="export")
    with pytest.raises(GraphRecError, match=r"Expected a graphrec export at .*run, found a graphrec run"):
        read_manifest(tmp_path / "run", kind="export")
    assert text_of(tmp_path / "run") == "run"


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GraphRecError, match="cannot be written"):
        write_artifact(tmp_path / "file" / "run", filled_with("new"), {})


def test_a_missing_run_says_how_to_make_one(tmp_path):
    with pytest.raises(GraphRecError, match=r"There is no run at .*latest: make one with `graphrec train`"):
        read_manifest(tmp_path / "latest")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GraphRecError, match=r"There is no run at .*empty"):
        read_manifest(tmp_path / "empty")


@pytest.mark.parametrize("name", ["a.txt", "sub/b.txt"])
def test_a_flipped_bit_is_refused_by_name(tmp_path, name):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("text"), {})
    raw = bytearray((folder / name).read_bytes())
    raw[2] ^= 1
    (folder / name).write_bytes(raw)
    with pytest.raises(GraphRecError, match=f"{name} was changed after it was written"):
        read_manifest(folder)
    assert set(read_manifest(folder, verify=False).files) == {"a.txt", "sub/b.txt"}


def test_a_missing_file_is_named_and_an_extra_one_does_no_harm(tmp_path):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("text"), {})
    (folder / "notes.txt").write_text("mine")
    read_manifest(folder)
    (folder / "a.txt").unlink()
    with pytest.raises(GraphRecError, match=r"a\.txt is missing"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format_version": 999},
            f"has format version 999, this graphrec reads up to {FORMAT_VERSION}: upgrade graphrec",
        ),
        ({"format_version": 999, "files": "another form"}, "upgrade graphrec"),
        ({"format_version": 2}, "latest was trained by an earlier graphrec: train again."),
        ({"files": {"../secret": {"size": 1, "sha256": "0"}}}, "names a file outside its folder"),
        ({"files": 3}, "was not written by graphrec, or was changed since"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused_in_one_line(tmp_path, change, message):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("text"), {})
    path = folder / artifact.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(GraphRecError, match=message) as refused:
        read_manifest(folder)
    assert "\n" not in str(refused.value)


def test_a_cut_off_manifest_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("text"), {})
    path = folder / artifact.MANIFEST
    path.write_text(path.read_text()[:40])
    with pytest.raises(GraphRecError, match=r"manifest\.json was not written by graphrec"):
        read_manifest(folder)


def test_what_a_kill_left_aside_is_not_replaced_by_another_kind(tmp_path):
    folder = tmp_path / "latest"
    write_artifact(folder, filled_with("old"), {})
    folder.rename(tmp_path / ".latest.previous")
    with pytest.raises(GraphRecError, match="is not a graphrec export"):
        write_artifact(folder, lambda _: pytest.fail("written before it was checked"), {}, kind="export")
    assert text_of(folder) == "old"
