from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.features.quality import picture_signals, sharpness, text_signals


@pytest.fixture
def catalogue(tmp_path):
    """Pictures: sharp, the same blurred, half its size, missing, not a picture, none, outside the folder."""
    rng = np.random.default_rng(0)
    sharp = Image.fromarray(rng.integers(0, 255, (200, 120), dtype=np.uint8))
    folder = tmp_path / "images"
    folder.mkdir()
    sharp.save(folder / "sharp.png")
    sharp.filter(ImageFilter.GaussianBlur(3)).save(folder / "blurred.png")
    sharp.resize((60, 100)).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    sharp.save(tmp_path / "outside.png")
    image = ["sharp.png", "blurred.png", "small.png", "missing.png", "broken.png", "", "../outside.png"]
    empty = np.full(len(image), "", dtype=object)
    return Catalogue(
        item_ids=np.array([f"i{number}" for number in range(len(image))], dtype=object),
        title=empty, text=empty, image=np.array(image, dtype=object), image_root=folder, site=empty,
        attributes=Attributes(),
    )  # fmt: skip


def test_the_laplacian_by_hand():
    grey_HW = np.zeros((4, 4))
    grey_HW[1, 1] = 1.0  # inner pixels: -4 at itself, 1 beside it, 0 across
    assert sharpness(grey_HW) == pytest.approx(np.var([-4.0, 1.0, 1.0, 0.0]))
    assert sharpness(np.ones((2, 9))) == 0.0


def test_blur_and_size_show_and_what_cannot_be_read_is_unknown(catalogue):
    signals = picture_signals(catalogue)
    assert signals.shape == (7, 3)
    np.testing.assert_allclose(signals[:3, 0], np.log2([120, 120, 60]), atol=1e-6)
    assert signals[1, 1] < signals[0, 1] - 2
    assert np.isnan(signals[3:]).all()


def test_a_catalogue_without_a_picture_folder_has_no_signals(catalogue):
    assert np.isnan(picture_signals(replace(catalogue, image_root=None))).all()


def test_text_signals_by_hand():
    signals = text_signals(["ab", ""], ["ab 12", ""])
    np.testing.assert_allclose(signals, [[np.log(3), np.log(3), 0.4], [0, 0, 0]], atol=1e-6)
