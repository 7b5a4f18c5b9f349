"""`graphrec train` on a folder as its publisher lays it out, without a line of description."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("elsewhere")

TINY = ("model.encoder.dim=4", "model.training.max_epochs=1", "model.tuning.tries=1", "features.use=[attributes]")


def ml_1m(folder: Path) -> Path:
    """Films of two genres and years, and people who like one genre each, in the layout of MovieLens-1M."""
    folder.mkdir()
    films = [f"{film}::Film {film} ({1980 + film})::{('Comedy', 'Horror')[film % 2]}" for film in range(1, 31)]
    ratings = [
        f"{user}::{film}::{5 if film % 2 == user % 2 else 1}::{978300000 + user * 100 + film}"
        for user in range(1, 41)
        for film in range(1, 31)
        if (user + film // 2) % 3
    ]
    (folder / "movies.dat").write_bytes("\n".join([*films, ""]).encode("latin-1"))
    (folder / "ratings.dat").write_text("\n".join([*ratings, ""]))
    return folder


def test_train_and_recall_on_the_original_layout_of_movielens(graphrec):
    folder = ml_1m(Path("ml-1m"))
    settings = [word for setting in TINY for word in ("--set", setting)]
    code, _, err = graphrec("train", folder, "--device", "cpu", *settings)
    assert code == 0, err
    code, out, err = graphrec("recall", "--user", "1", "--json")
    assert code == 0, err
    assert "Film" in out
