import shutil
from dataclasses import replace

import numpy as np
import pytest

from graphrec.clip_fit.pairs import find_pairs, normalised
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError


def test_titles_that_differ_in_case_spaces_and_punctuation_are_one():
    assert normalised("  Red  DRESS, size-L ") == normalised("red dress (size L)") == "red dress size l"


def test_a_pair_needs_a_picture_and_a_text_and_what_lacks_one_is_counted(tmp_path, make_shop):
    folder = make_shop(tmp_path / "shop", 10)
    (folder / "images/2.png").unlink()
    (folder / "images/3.png").write_bytes(b"no picture")
    catalogue = (data := Dataset.load(folder)).catalogue
    text, image = catalogue.text.copy(), catalogue.image.copy()
    text[4], image[5] = " ", ""
    pairs = find_pairs([replace(data, catalogue=replace(catalogue, text=text, image=image))])
    assert [path.name for path in pairs.paths] == ["0.png", "1.png", "6.png", "7.png", "8.png", "9.png"]
    assert pairs.left_out == {"damaged or no picture": 1, "missing": 1, "no picture": 1, "no text": 1}
    assert [pairs.texts[row] for row in pairs.text_P[:2]] == [
        "red thing 0. It is red.", "green thing 1. It is green.",
    ]  # fmt: skip
    assert [pairs.texts[row] for row in pairs.title_P[:2]] == ["red thing 0", "green thing 1"]


def products_of(data):
    return find_pairs([data]).product_P


def test_the_same_picture_or_title_makes_one_product_also_in_a_chain(shop):
    catalogue = shop.catalogue
    title, image = catalogue.title.copy(), catalogue.image.copy()
    title[1] = "  RED thing, 0"  # the title of item 0
    image[2] = image[1]  # the picture of item 1: 0, 1 and 2 are one product
    title[3] = title[4] = ""  # no title is no common title
    product = products_of(replace(shop, catalogue=replace(catalogue, title=title, image=image)))
    assert product[0] == product[1] == product[2]
    assert len(set(product.tolist())) == len(product) - 2


def test_the_same_title_in_two_catalogues_is_not_one_product(shop, tmp_path, make_shop):
    other = Dataset.load(make_shop(tmp_path / "other", seed=1))
    pairs = find_pairs([shop, other])
    assert len(set(pairs.product_P.tolist())) == len(pairs) == 140


def test_a_picture_saved_under_two_names_is_one_picture(tmp_path, make_shop):
    folder = make_shop(tmp_path / "shop", 20)
    shutil.copy(folder / "images/3.png", folder / "images/11.png")
    pairs = find_pairs([Dataset.load(folder)])
    assert (len(pairs), len(pairs.paths)) == (20, 19)
    assert pairs.paths[pairs.picture_P[11]].name == "3.png"
    assert pairs.product_P[3] == pairs.product_P[11]
    assert len(set(pairs.product_P.tolist())) == 19


def test_no_product_is_on_both_sides_of_the_split(shop):
    catalogue = shop.catalogue
    rng = np.random.default_rng(4)
    title = np.array([f"name {number}" for number in rng.integers(25, size=70)], dtype=object)
    pairs = find_pairs([replace(shop, catalogue=replace(catalogue, title=title))])
    assert len(set(pairs.product_P.tolist())) < 26
    for seed in range(5):
        train, held = pairs.hold_out(0.3, seed)
        assert set(train.product_P.tolist()).isdisjoint(held.product_P.tolist())
        assert set(train.paths).isdisjoint(held.paths)
        assert len(train) + len(held) == 70
        assert 15 <= len(held) <= 21
        titles = [{side.texts[row] for row in side.title_P} for side in (train, held)]
        assert titles[0].isdisjoint(titles[1])
    assert not np.array_equal(pairs.hold_out(0.3, 0)[1].paths, pairs.hold_out(0.3, 1)[1].paths)


def test_what_is_excluded_goes_with_its_whole_product(shop):
    catalogue = shop.catalogue
    title = catalogue.title.copy()
    title[8] = title[50]
    changed = replace(shop, catalogue=replace(catalogue, title=title))
    pairs = find_pairs([changed], exclude=[(0, catalogue.item_ids[50])])
    names = {path.name for path in pairs.paths}
    assert len(pairs) == 68
    assert names.isdisjoint({"8.png", "50.png"})
    assert pairs.left_out == {"left out on request, with its whole product": 2}
    assert len(find_pairs([shop, shop], exclude=[(1, "i003"), (0, "no such item")])) == 138


def test_a_catalogue_without_pairs_or_products_to_split_is_refused(shop, tmp_path, make_shop):
    folder = make_shop(tmp_path / "shop", 5)
    shutil.rmtree(folder / "images")
    with pytest.raises(GraphRecError, match=r"No item of colours has both a picture and a text \(5 missing\)"):
        find_pairs([Dataset.load(folder)])
    catalogue = shop.catalogue
    one = replace(shop, catalogue=replace(catalogue, title=np.full(70, "same", dtype=object)))
    with pytest.raises(GraphRecError, match="of 1 products: at least one product is needed on each side"):
        find_pairs([one]).hold_out(0.2, 0)
