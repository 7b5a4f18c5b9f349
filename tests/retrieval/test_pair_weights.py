import pytest

from graphrec.errors import GraphRecError
from graphrec.retrieval.pair_weights import PAIRS, PairWeights, parse_shares

SOME = PairWeights(dict(zip(PAIRS, (0.3, 0.1, 0.0, 0.6), strict=True)))


def test_shares_move_the_kinds_and_keep_the_blocks_of_a_kind_in_their_ratio():
    moved = SOME.with_shares({"text": 3, "image": 1}).to_json()
    assert moved == pytest.approx({"image-image": 0.75, "image-text": 0.25, "text-image": 0.0, "text-text": 3.0})
    assert SOME.balanced().to_json() == pytest.approx(SOME.with_shares({"text": 1, "image": 1}).to_json())


def test_a_kind_without_any_weight_is_split_evenly_when_it_gets_one():
    none = PairWeights(dict(zip(PAIRS, (1.0, 1.0, 0.0, 0.0), strict=True)))
    assert none.with_shares({"text": 1}).to_json() == {
        "image-image": 0.0, "image-text": 0.0, "text-image": 0.5, "text-text": 0.5,
    }  # fmt: skip


def test_weights_come_back_from_json():
    assert PairWeights.from_json(SOME.to_json()) == SOME


@pytest.mark.parametrize("bad", [dict.fromkeys(PAIRS, 0.0), {**dict.fromkeys(PAIRS, 1.0), PAIRS[0]: -1.0}, {}])
def test_weights_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match="Expected"):
        PairWeights(bad)


def test_shares_are_read_as_they_are_typed():
    assert parse_shares("text=0.9,image=0.1") == {"text": 0.9, "image": 0.1}
    assert parse_shares(" text = 2 ") == {"text": 2.0}


@pytest.mark.parametrize(
    "text",
    [
        "", "text", "text=", "text=x", "text=-1", "text=1,text=2", "words=1", "text=0,image=0", "text=nan", "text=inf",
    ],
)  # fmt: skip
def test_shares_that_cannot_be_are_told_in_one_line(text):
    with pytest.raises(GraphRecError, match="Weights") as caught:
        parse_shares(text)
    assert "\n" not in str(caught.value)
