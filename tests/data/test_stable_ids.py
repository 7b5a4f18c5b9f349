"""Numbers that stay with their id."""

import subprocess
import sys

import numpy as np
import pytest

from graphrec.data import stable_ids as module
from graphrec.data.stable_ids import stable_ids
from graphrec.errors import GraphRecError


def test_a_number_is_that_of_the_published_digest():
    """SHA-256 of "" and "abc" begin e3b0c44298fc1c14 and ba7816bf8f01cfea (FIPS 180-2)."""
    numbers = stable_ids(["", "abc"])
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [0x63B0C44298FC1C14, 0x3A7816BF8F01CFEA]


def test_a_number_depends_on_its_id_alone():
    ids = [f"{i:06d}" for i in range(5000)] + ["été", "商品", "a b"]
    numbers = stable_ids(ids)
    assert (numbers >= 0).all()
    assert len(set(numbers.tolist())) == len(ids)
    np.testing.assert_array_equal(stable_ids(np.array(ids[::-1], dtype=object)), numbers[::-1])
    assert stable_ids([]).shape == (0,)


def test_another_process_finds_the_same_numbers():
    code = "from graphrec.data.stable_ids import stable_ids; print(stable_ids(['005166', 'été']).tolist())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == str(stable_ids(["005166", "été"]).tolist())


def test_two_ids_with_one_number_are_named(monkeypatch):
    monkeypatch.setattr(module, "_number", lambda one: len(one))
    with pytest.raises(GraphRecError) as caught:
        stable_ids(["aa", "b", "cc"])
    assert str(caught.value) == "Ids 'aa' and 'cc' have the same stable id: rename one of the two."
    assert stable_ids(["aa", "aa", "b"]).tolist() == [2, 2, 1]  # one id that stands twice is no collision
