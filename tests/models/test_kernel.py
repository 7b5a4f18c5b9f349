import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphrec.features.attributes import BumpEncoder
from graphrec.features.blocks import FeatureBlocks
from graphrec.models import kernel as kernel_module
from graphrec.models.kernel import CONSTANT, Kernel, term_values, terms_of

YEAR, GENRE = "attribute:year", "attribute:genre"


def unit(x_IF):
    norm_I1 = np.linalg.norm(x_IF, axis=1, keepdims=True)
    return np.where(norm_I1 > 0, x_IF / np.where(norm_I1 > 0, norm_I1, 1), 0)


def blocks_of(parts, numeric=()):
    """Blocks side by side, in the order of the dictionary."""
    edges = np.cumsum([0, *(part.shape[1] for part in parts.values())])
    columns = {name: slice(edges[i], edges[i + 1]) for i, name in enumerate(parts)}
    return FeatureBlocks(np.hstack(list(parts.values())).astype(np.float32), columns, frozenset(numeric))


def nothing(num_blocks, prefix, numeric=()):
    return blocks_of({f"{prefix}{number}": np.zeros((1, 2)) for number in range(num_blocks)}, numeric)


def names(blocks):
    return [term.name for term in terms_of(blocks)]


@pytest.fixture
def shop():
    """40 items; the first three have no text, items 2 to 5 no year, item 2 has a genre alone."""
    rng = np.random.default_rng(0)
    text_IF, genre_IF = unit(rng.normal(size=(40, 8))), unit((rng.random((40, 5)) < 0.4).astype(float))
    year_I = rng.uniform(1980, 2000, size=40)
    text_IF[:3] = 0
    year_I[2:6] = np.nan
    year_IF = unit(BumpEncoder(1980, 2000, 12).encode(year_I).x_IF)
    return blocks_of({"text": text_IF, GENRE: genre_IF, YEAR: year_IF}, {YEAR})


def naive(name, left, right, columns):
    """One term for one pair of items, from the definition."""

    def inner(block):
        return float(np.dot(left[columns[block]].astype(np.float64), right[columns[block]].astype(np.float64)))

    if name == CONSTANT:
        return 1.0
    if name.startswith("exp("):
        return np.exp(3 * (inner(name[4:-1]) - 1))
    if "*" in name:
        one, other = name.split("*")
        return inner(one) * inner(other)
    if "^" in name:
        block, power = name.split("^")
        return max(0.0, inner(block)) ** float(power)
    return inner(name)


def test_the_terms_of_a_text_a_category_and_a_number(shop):
    assert names(shop) == [
        "text", GENRE, YEAR,
        "exp(text)", f"exp({GENRE})", f"{YEAR}^0.3", f"{YEAR}^8",
        f"text*{GENRE}", f"text*{YEAR}", f"{GENRE}*{YEAR}",
        "constant",
    ]  # fmt: skip


def test_two_pictures_or_two_categories_make_no_product_two_numbers_do():
    assert names(nothing(2, "clip")) == ["clip0", "clip1", "exp(clip0)", "exp(clip1)", "constant"]
    assert not any("*" in name for name in names(nothing(2, "attribute:a")))
    assert "attribute:a0*attribute:a1" in names(nothing(2, "attribute:a", {"attribute:a0"}))


def test_of_many_products_the_first_sixteen_are_taken():
    seven = nothing(7, "attribute:a", {f"attribute:a{number}" for number in range(7)})  # 21 pairs
    products = [name for name in names(seven) if "*" in name]
    assert len(products) == 16
    assert products[:6] == [f"attribute:a0*attribute:a{number}" for number in range(1, 7)]
    assert products[-1] == "attribute:a3*attribute:a4"
    assert len(names(seven)) == 7 + 2 * 7 + 16 + 1


def test_values_by_hand():
    """Two items: text at 60 degrees, the same genre, years whose bumps overlap by 0.36."""
    x_IF = np.array([[1, 0, 1, 0.6, 0.8], [0.5, np.sqrt(0.75), 1, -0.6 + 1.2, 0]])  # 0.6·0.6 = 0.36
    blocks = FeatureBlocks(
        x_IF.astype(np.float32), {"text": slice(0, 2), GENRE: slice(2, 3), YEAR: slice(3, 5)}, frozenset({YEAR})
    )
    expected = {
        "text": 0.5, GENRE: 1, YEAR: 0.36, "exp(text)": np.exp(-1.5), f"exp({GENRE})": 1, f"{YEAR}^0.3": 0.36**0.3,
        f"{YEAR}^8": 0.36**8, f"text*{GENRE}": 0.5, f"text*{YEAR}": 0.18, f"{GENRE}*{YEAR}": 0.36, CONSTANT: 1,
    }  # fmt: skip
    terms = terms_of(blocks)
    value_TNN = term_values(terms, blocks.columns, blocks.x_IF)
    assert value_TNN.shape == (11, 2, 2)
    got = {term.name: float(value_NN[0, 1]) for term, value_NN in zip(terms, value_TNN, strict=True)}
    assert got == pytest.approx(expected, rel=1e-5)
    weights = dict(zip(expected, range(1, 12), strict=True))
    both = Kernel(blocks.columns, terms, weights).values(blocks.x_IF[:1], blocks.x_IF[1:])
    assert both.shape == (1, 1)
    assert both[0, 0] == pytest.approx(sum(weights[name] * value for name, value in expected.items()), rel=1e-5)


@pytest.mark.parametrize("tile_rows", [256, 3])
def test_values_are_the_weighted_sum_of_the_terms_of_every_pair(shop, tile_rows, monkeypatch):
    monkeypatch.setattr(kernel_module, "_TILE_ROWS", tile_rows)
    terms = terms_of(shop)
    weights = {term.name: weight for term, weight in zip(terms, np.linspace(0.1, 2, len(terms)), strict=True)}
    left_AF, right_BF = shop.x_IF[:7], shop.x_IF[3:]
    expected_AB = [
        [sum(weights[term.name] * naive(term.name, left, right, shop.columns) for term in terms) for right in right_BF]
        for left in left_AF
    ]
    value_AB = Kernel(shop.columns, terms, weights).values(left_AF, right_BF)
    assert value_AB.dtype == np.float32
    np.testing.assert_allclose(value_AB, expected_AB, rtol=1e-5, atol=1e-6)
    value_TNN = term_values(terms, shop.columns, shop.x_IF)
    for term, value_NN in zip(terms, value_TNN, strict=True):
        expected_NN = [[naive(term.name, left, right, shop.columns) for right in shop.x_IF] for left in shop.x_IF]
        np.testing.assert_allclose(value_NN, expected_NN, rtol=1e-4, atol=1e-6, err_msg=term.name)


def test_an_items_values_do_not_depend_on_how_many_others_are_asked_for(shop):
    x_IF = np.tile(shop.x_IF, (16, 1))  # 640 rows: three tiles
    terms = terms_of(shop)
    kernel = Kernel(shop.columns, terms, {term.name: 0.3 for term in terms})
    np.testing.assert_array_equal(kernel.values(x_IF, shop.x_IF)[:512], kernel.values(x_IF[:512], shop.x_IF))


@pytest.mark.parametrize("num_blocks", [3, 40])
def test_however_many_blocks_no_more_inner_products_are_kept_than_there_are_products(num_blocks):
    """Counted at every block: that block's, and those of the first factors of at most 16 products."""
    numbers = {f"attribute:a{number}" for number in range(num_blocks)}
    rng = np.random.default_rng(0)
    blocks = blocks_of({name: unit(rng.random((19, 2))) for name in sorted(numbers)}, numbers)
    seen, num_alive = {}, []

    def counted(k):
        seen[id(k)] = weakref.ref(k)
        num_alive.append(sum(one() is not None for one in seen.values()))
        return k.clone()

    terms = [replace(term, function=counted) if len(term.blocks) == 1 else term for term in terms_of(blocks)]
    Kernel(blocks.columns, tuple(terms), {term.name: 1.0 for term in terms}).values(blocks.x_IF[:17], blocks.x_IF)
    assert len(num_alive) == 3 * num_blocks
    assert max(num_alive) <= 16 + 1


@pytest.mark.parametrize("seed", range(5))
def test_every_term_is_positive_semi_definite_or_nearly_so(seed):
    """Unit rows, categories and bumps, a third of each absent; the wide power of bumps alone is off by a hair."""
    rng = np.random.default_rng(seed)
    is_absent_I = rng.random((3, 150)) < 1 / 3
    text_IF, genre_IF = unit(rng.normal(size=(150, 4))), unit((rng.random((150, 6)) < 0.3).astype(float))
    year_IF = unit(BumpEncoder(0, 1, 20).encode(np.where(is_absent_I[2], np.nan, rng.random(150))).x_IF)
    text_IF[is_absent_I[0]] = 0
    genre_IF[is_absent_I[1]] = 0
    blocks = blocks_of({"text": text_IF, GENRE: genre_IF, YEAR: year_IF}, {YEAR})
    terms = terms_of(blocks)
    for term, value_NN in zip(terms, term_values(terms, blocks.columns, blocks.x_IF), strict=True):
        value_NN = value_NN.numpy().astype(np.float64)
        np.testing.assert_allclose(value_NN, value_NN.T, atol=1e-6, err_msg=term.name)
        eigenvalues = np.linalg.eigvalsh(value_NN)
        tolerance = 1e-3 if term.name == f"{YEAR}^0.3" else 1e-6
        assert eigenvalues[0] >= -tolerance * eigenvalues[-1], term.name


def test_an_absent_block_is_like_nothing(shop):
    """Item 2 has a genre alone: no inner product, power or product with anything; the Gaussian says "far away"."""
    terms = terms_of(shop)
    value_TNN = term_values(terms, shop.columns, shop.x_IF)
    for term, value_NN in zip(terms, value_TNN, strict=True):
        if {"text", YEAR} & set(term.blocks):
            expected = np.exp(-3) if term.name == "exp(text)" else 0
            np.testing.assert_allclose(value_NN[2], expected, rtol=1e-6, err_msg=term.name)


def test_a_term_of_weight_zero_plays_no_part_and_is_not_computed(shop):
    terms = terms_of(shop)
    weights = {term.name: 0.0 if YEAR in term.blocks else 0.7 for term in terms}
    kernel = Kernel(shop.columns, terms, weights)
    changed_IF = shop.x_IF.copy()
    changed_IF[:, shop.columns[YEAR]] = np.nan  # nan · 0 would show
    np.testing.assert_array_equal(kernel.values(changed_IF, changed_IF), kernel.values(shop.x_IF, shop.x_IF))
    changed_IF[0, shop.columns[GENRE]] += 1  # the check can fail
    assert not np.array_equal(kernel.values(changed_IF, changed_IF), kernel.values(shop.x_IF, shop.x_IF))


def test_a_kernel_without_weights_is_zero(shop):
    terms = terms_of(shop)
    value_AB = Kernel(shop.columns, terms, dict.fromkeys(names(shop), 0.0)).values(shop.x_IF[:2], shop.x_IF[:3])
    np.testing.assert_array_equal(value_AB, np.zeros((2, 3)))
    assert torch.is_tensor(term_values(terms, shop.columns, shop.x_IF))
