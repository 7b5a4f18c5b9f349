import numpy as np
import pytest

from graphrec.identity.titles import Titles, normalized


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The Matrix", "matrix"),
        ("Matrix, The (1999)", "matrix"),
        ("MATRIX", "matrix"),
        ("Les Misérables", "miserables"),
        ("L'Avventura", "avventura"),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)",
         "city of lost children cite des enfants perdus"),
        ("Fast & Furious", "fast and furious"),
        ("Die Hard", "die hard"),
        ("The", "the"),
        ("Theatre", "theatre"),
        ("???", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_titles_lose_what_sites_write_differently(title, expected):
    assert normalized(title) == expected


def test_years_stand_in_brackets_and_numbers_may_be_roman():
    titles = Titles.of(
        ["Rocky II (1979)", "Rocky 2", "2001: A Space Odyssey [1968]", "1984", "Malcolm X", "Casino 007"]
    )
    assert titles.numbers_I.tolist() == ["2", "2", "2001", "1984", "10", "7"]
    np.testing.assert_array_equal(titles.year_I, [1979, np.nan, 1968, np.nan, np.nan, np.nan])


def test_a_title_of_thousands_of_digits_is_no_problem():
    assert Titles.of(["9" * 6000]).numbers_I[0] == "9" * 6000
