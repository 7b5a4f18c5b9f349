import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import GraphRecError
from graphrec.features import vector_cache
from graphrec.features.segments import KEY, segment_paths
from graphrec.features.vector_cache import VectorCache

DIM = 3


def key_of(number):
    return hashlib.sha256(str(number).encode()).digest()


def keys_of(numbers):
    return np.array([key_of(number) for number in numbers], dtype=KEY)


def vectors_of(numbers):
    """Known by its number: n, n + 1/2, n + 1/4."""
    return np.add.outer(np.array(list(numbers), dtype=np.float32), np.array([0, 0.5, 0.25], dtype=np.float32))


def fill(cache, numbers):
    numbers = list(numbers)
    cache.add(keys_of(numbers), vectors_of(numbers), np.array([number % 2 == 0 for number in numbers], dtype=bool))
    cache.flush()


def assert_holds(cache, numbers):
    row_N = cache.index().find(keys_of(numbers))
    assert (row_N >= 0).all()
    np.testing.assert_array_equal(cache.take(row_N), vectors_of(numbers))
    assert cache.are_cut(row_N).tolist() == [number % 2 == 0 for number in numbers]


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.lists(st.integers(0, 30), unique=True, max_size=6)),
            st.tuples(st.sampled_from(["flush", "merge", "reopen"]), st.just([])),
        ),
        max_size=12,
    ),
    on_disk=st.booleans(),
)
def test_it_holds_what_a_dictionary_would(tmp_path_factory, steps, on_disk):
    folder = tmp_path_factory.mktemp("cache") / "image-0" if on_disk else None
    cache, flushed, pending = VectorCache(folder, DIM), set(), set()
    for name, numbers in steps:
        if name == "add":
            is_cut_N = np.array([number % 2 == 0 for number in numbers], dtype=bool)
            cache.add(keys_of(numbers), vectors_of(numbers), is_cut_N)
            pending |= set(numbers)
        elif name == "reopen":
            cache, pending = (VectorCache(folder, DIM), set()) if on_disk else (cache, pending)
        else:
            getattr(cache, name)()
            flushed, pending = flushed | pending, set()
        expected = sorted(flushed | pending)
        assert_holds(cache, expected)
        missing = sorted(set(range(31)) - set(expected))
        assert (cache.index().find(keys_of(missing)) == -1).all()
        assert [key_of(number) in cache.index() for number in range(31)] == [n in expected for n in range(31)]


def test_keys_that_end_in_zero_bytes_are_kept_apart(tmp_path):
    cache = VectorCache(tmp_path, DIM)
    keys = [b"a" * 31 + b"\0", b"a" * 30 + b"\0\0", b"a" * 32]
    cache.add(np.array(keys, dtype=KEY), vectors_of([1, 2, 3]), np.zeros(3, dtype=bool))
    row_N = cache.index().find(np.array(keys, dtype=KEY))
    np.testing.assert_array_equal(cache.take(row_N), vectors_of([1, 2, 3]))


def test_what_is_added_reaches_the_disk_after_so_many_vectors_or_seconds(tmp_path, monkeypatch):
    cache = VectorCache(tmp_path, DIM)
    monkeypatch.setattr(vector_cache, "FLUSH_VECTORS", 5)
    for number in range(4):
        cache.add(keys_of([number]), vectors_of([number]), np.array([number % 2 == 0]))
    assert len(VectorCache(tmp_path, DIM)) == 0
    cache.add(keys_of([4]), vectors_of([4]), np.array([True]))
    assert_holds(VectorCache(tmp_path, DIM), range(5))
    monkeypatch.setattr(vector_cache, "FLUSH_SECONDS", 0.0)
    cache.add(keys_of([5]), vectors_of([5]), np.array([False]))
    assert_holds(VectorCache(tmp_path, DIM), range(6))


@pytest.mark.parametrize("harm", ["flipped", "cut", "emptied", "longer", "another's name", "no vectors"])
def test_a_damaged_segment_is_named_and_never_read_from(tmp_path, harm):
    cache = VectorCache(tmp_path, DIM)
    fill(cache, [1, 2])
    (good,) = segment_paths(tmp_path)
    fill(cache, [3, 4])
    (bad,) = set(segment_paths(tmp_path)) - {good}
    data = bad.read_bytes()
    if harm == "flipped":
        bad.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    elif harm == "cut":
        bad.write_bytes(data[:-20])
    elif harm == "emptied":
        bad.write_bytes(b"")
    elif harm == "longer":
        bad.write_bytes(data + b"\0")
    elif harm == "another's name":
        bad.write_bytes(good.read_bytes())
    else:  # whole by its name, but not what it should be
        bad.unlink()
        bad = tmp_path / f"{hashlib.sha256(b'nothing').hexdigest()}.npy"
        bad.write_bytes(b"nothing")
    again = VectorCache(tmp_path, DIM)
    assert len(again) == 2
    assert_holds(again, [1, 2])
    assert len(again.damaged) == 1
    assert bad.name in again.damaged[0]
    fill(again, [3, 4])
    again.merge()
    assert not bad.exists() or not VectorCache(tmp_path, DIM).damaged
    assert_holds(VectorCache(tmp_path, DIM), [1, 2, 3, 4])


def test_a_file_that_was_being_written_is_no_segment(tmp_path):
    fill(VectorCache(tmp_path, DIM), [1])
    (whole,) = segment_paths(tmp_path)
    unfinished = tmp_path / f".{whole.name}.writing-1234"
    unfinished.mkdir()
    (unfinished / whole.name).write_bytes(whole.read_bytes()[:50])
    again = VectorCache(tmp_path, DIM)
    assert (len(again), again.damaged) == (1, ())
    fill(again, [2])
    again.merge()
    assert [path.name for path in tmp_path.iterdir()] == [path.name for path in segment_paths(tmp_path)]


def test_merging_leaves_one_file_with_each_key_once(tmp_path):
    for numbers in ([1, 2, 3], [3, 4], [5], [1, 5]):
        fill(VectorCache(tmp_path, DIM), numbers)
    cache = VectorCache(tmp_path, DIM)
    assert len(cache) == 8
    cache.merge(at_least=5)
    assert len(segment_paths(tmp_path)) == 4
    cache.merge()
    assert len(segment_paths(tmp_path)) == 1
    for merged in (cache, VectorCache(tmp_path, DIM)):
        assert len(merged) == 5
        assert_holds(merged, [1, 2, 3, 4, 5])


def test_a_reader_goes_on_while_another_process_merges(tmp_path, monkeypatch):
    fill(VectorCache(tmp_path, DIM), [1])
    fill(VectorCache(tmp_path, DIM), [2])
    reader = VectorCache(tmp_path, DIM)
    listed = segment_paths(tmp_path)
    VectorCache(tmp_path, DIM).merge()
    assert_holds(reader, [1, 2])  # its files are gone by name only
    answers = iter([listed])
    monkeypatch.setattr(vector_cache, "segment_paths", lambda folder: next(answers, None) or segment_paths(folder))
    assert_holds(VectorCache(tmp_path, DIM), [1, 2])


def test_vectors_of_another_cache_are_taken_over_once(tmp_path):
    here, there = tmp_path / "here" / "image-7", tmp_path / "there" / "image-7"
    fill(VectorCache(here, DIM), [1, 2])
    fill(VectorCache(there, DIM), [2, 3, 4])
    cache = VectorCache(here, DIM)
    assert cache.take_over(tmp_path / "there") == 2
    assert cache.take_over(tmp_path / "there") == 0
    assert cache.take_over(tmp_path / "nowhere") == 0
    assert_holds(VectorCache(here, DIM), [1, 2, 3, 4])


def test_a_key_that_stands_in_several_segments_of_another_cache_is_taken_over_once(tmp_path):
    for numbers in ([1, 2], [2, 3], [3]):
        fill(VectorCache(tmp_path / "there" / "image-7", DIM), numbers)
    cache = VectorCache(tmp_path / "here" / "image-7", DIM)
    assert cache.has_counterpart_in(tmp_path / "there")
    assert not cache.has_counterpart_in(tmp_path / "here")
    assert cache.take_over(tmp_path / "there") == len(cache) == 3
    assert_holds(cache, [1, 2, 3])


def test_nothing_new_makes_no_file(tmp_path):
    here, there = tmp_path / "here" / "image-7", tmp_path / "there" / "image-7"
    for folder in (here, there):
        fill(VectorCache(folder, DIM), [1, 2])
    cache = VectorCache(here, DIM)
    assert cache.take_over(tmp_path / "there") == 0
    fill(cache, [])
    assert len(segment_paths(here)) == 1


def merged_away_at(monkeypatch, folder, call):
    """Another process merges the folder just after this one has written a segment for the `call`-th time."""
    write, calls = vector_cache.write_segment, []

    def write_and_merge(to, parts):
        path = write(to, parts)
        calls.append(path)
        if len(calls) == call:
            VectorCache(folder, DIM).merge()
        return path

    monkeypatch.setattr(vector_cache, "write_segment", write_and_merge)
    return calls


def test_rows_that_another_process_merges_away_at_once_stay_in_memory(tmp_path, monkeypatch):
    fill(VectorCache(tmp_path, DIM), [1])
    cache = VectorCache(tmp_path, DIM)
    written = merged_away_at(monkeypatch, tmp_path, 1)
    fill(cache, [2, 3])
    assert not written[0].exists()
    for one in (cache, VectorCache(tmp_path, DIM)):
        assert len(one) == 3
        assert_holds(one, [1, 2, 3])
    cache.merge(at_least=1)
    assert_holds(VectorCache(tmp_path, DIM), [1, 2, 3])


def test_a_merged_file_that_another_process_merges_away_at_once_is_read_again(tmp_path, monkeypatch):
    for numbers in ([1, 2], [2, 3]):
        fill(VectorCache(tmp_path, DIM), numbers)
    cache = VectorCache(tmp_path, DIM)
    fill(VectorCache(tmp_path, DIM), [4])
    (tmp_path / f"{hashlib.sha256(b'nothing').hexdigest()}.npy").write_bytes(b"harmed")
    damaged = VectorCache(tmp_path, DIM)
    cache.damaged, cache._damaged_paths = damaged.damaged, damaged._damaged_paths
    written = merged_away_at(monkeypatch, tmp_path, 1)
    cache.merge()
    assert not written[0].exists()
    assert len(segment_paths(tmp_path)) == 1
    assert len(cache) == 4
    assert_holds(cache, [1, 2, 3, 4])
    assert cache.damaged == damaged.damaged


_PROCESS = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_vector_cache import DIM, VectorCache, fill
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 40):
    cache = VectorCache(Path(sys.argv[1]), DIM)
    fill(cache, [number, 1000])
    if number % 7 == 0:
        cache.merge()
"""


def test_processes_write_and_merge_one_folder_at_once(tmp_path, request):
    code = _PROCESS.format(tests=str(request.path.parent))
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(100 * one)]) for one in range(3)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    cache = VectorCache(tmp_path, DIM)
    assert cache.damaged == ()
    assert_holds(cache, [1000, *(100 * one + number for one in range(3) for number in range(40))])


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GraphRecError, match=r"^The vector cache .*file/image-0 cannot be (read|written) \(Not a dir"):
        VectorCache(tmp_path / "file" / "image-0", DIM).require_writable()


_FULL_DISK = """
import resource, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from graphrec.errors import GraphRecError
from test_vector_cache import DIM, VectorCache, fill
cache = VectorCache(Path(sys.argv[1]), DIM)
fill(cache, [1, 2])
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
try:
    fill(cache, range(10, 60))
except GraphRecError as error:
    print(error)
"""


def test_a_full_disk_is_told_in_one_line_and_harms_nothing(tmp_path, request):
    code = _FULL_DISK.format(tests=str(request.path.parent))
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "cannot be written (File too large): choose another folder with --cache" in done.stdout
    again = VectorCache(tmp_path, DIM)
    assert (len(again), again.damaged) == (2, ())
    assert [path.name for path in tmp_path.iterdir()] == [path.name for path in segment_paths(tmp_path)]
