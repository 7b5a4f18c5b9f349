"""How alike two items are: a weighted sum of kernels over the feature blocks, their powers and their products.

A ridge on block inner products alone sees every feature for itself. Products say what no sum can ("a comedy *of that
time*"), a power of a number's bumps narrows or widens how near two numbers must be, and the exponential of an inner
product of unit rows is the Gaussian kernel of their distance. Each term is positive semi-definite: products and
non-negative power series of such kernels are (Shawe-Taylor and Cristianini 2004, proposition 3.22). The wide power of a
number's bumps is so but nearly: their inner product is close to a Gaussian, whose every positive power is one again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import ATTRIBUTE_PREFIX, SITE_PREFIX

CONSTANT = "constant"
_STEEPNESS = 3.0
_MOST_PRODUCTS = 16
_TILE_ROWS = 256
"""Rows worked on at once, so that what is added up stays in the processor's cache from term to term."""


def _gaussian(k: Tensor) -> Tensor:
    return k.sub(1).mul_(_STEEPNESS).exp_()


def _wide(k: Tensor) -> Tensor:
    # k^0.3, at a third of the price; below zero is rounding, for bumps are never negative.
    return k.clamp(min=0).log_().mul_(0.3).exp_()


def _narrow(k: Tensor) -> Tensor:
    return k.clamp(min=0).square_().square_().square_()


_POWERS = {"0.3": _wide, "8": _narrow}
"""Of a number's kernel: about twice as wide as its bumps, and a third."""


@dataclass(frozen=True)
class Term:
    """One kernel: a function of the inner products of one block, the product of two blocks', or the constant 1."""

    name: str
    blocks: tuple[str, ...]
    function: Callable[[Tensor], Tensor] | None = None
    """Inner products → the kernel's values, same shape, in memory of its own; None: as they are."""


def terms_of(blocks: FeatureBlocks) -> tuple[Term, ...]:
    """The terms for these blocks: each alone; numbers in powers, other blocks as a Gaussian; products; a constant.

    Products are of a number with any other block and of a text, a picture or another site's users with an attribute: at
    most 16 of them, those of the first blocks first, and as many with other sites' blocks. Kernels in the order in
    which they are listed; the order never changes for given blocks.
    """
    names = list(blocks.columns)
    terms = [Term(name, (name,)) for name in names]
    for name in names:
        if name in blocks.numeric:
            terms += [Term(f"{name}^{power}", (name,), function) for power, function in _POWERS.items()]
        else:
            terms.append(Term(f"exp({name})", (name,), _gaussian))
    pairs = [pair for pair in combinations(names, 2) if _is_product(*pair, blocks)]
    for is_of_site in (False, True):
        some = [pair for pair in pairs if any(name.startswith(SITE_PREFIX) for name in pair) == is_of_site]
        terms += [Term(f"{a}*{b}", (a, b)) for a, b in some[:_MOST_PRODUCTS]]
    return (*terms, Term(CONSTANT, ()))


@dataclass(frozen=True)
class Kernel:
    """k(i, j) = Σ_t w_t · term_t(i, j) for items given as rows of feature blocks."""

    columns: dict[str, slice]
    terms: tuple[Term, ...]
    weights: Mapping[str, float]

    def values(self, left_AF: np.ndarray, right_BF: np.ndarray) -> np.ndarray:
        """k of every row of one side with every row of the other, (A, B) float32; terms of weight 0 cost nothing.

        Beyond the answer this needs a few tiles of 256 × B numbers, at most 19 however many the blocks.
        """
        value_AB = np.zeros((len(left_AF), len(right_BF)), dtype=np.float32)
        terms = [term for term in self.terms if self.weights[term.name]]
        for tile, term, factors in _evaluate(terms, self.columns, left_AF, right_BF):
            _add(torch.from_numpy(value_AB[tile]), self.weights[term.name], factors)
        return value_AB


def term_values(terms: tuple[Term, ...], columns: dict[str, slice], x_NF: np.ndarray) -> Tensor:
    """Every term between all rows of one set of items, (T, N, N) float32."""
    value_TNN = torch.zeros(len(terms), len(x_NF), len(x_NF))
    value_of = dict(zip([term.name for term in terms], value_TNN, strict=True))
    for tile, term, factors in _evaluate(terms, columns, x_NF, x_NF):
        _add(value_of[term.name][tile], 1.0, factors)
    return value_TNN


def _evaluate(
    terms: Sequence[Term], columns: dict[str, slice], left_AF: np.ndarray, right_BF: np.ndarray
) -> Iterator[tuple[slice, Term, tuple[Tensor, ...]]]:
    """Tile by tile of the left rows, every term as the factors whose product it is: two, one, or none for a constant.

    A block's inner products are computed once a tile and dropped after the last term that needs them. Terms come in
    the order of their last block, so that beside the block at hand only first factors of products are kept.
    """
    order = {name: place for place, name in enumerate(columns)}
    by_last_block = sorted(terms, key=lambda term: max((order[name] for name in term.blocks), default=-1))
    last_term = {name: term for term in by_last_block for name in term.blocks}
    right = torch.from_numpy(right_BF)
    for start in range(0, len(left_AF), _TILE_ROWS):
        tile = slice(start, start + _TILE_ROWS)
        left = torch.from_numpy(left_AF[tile])
        inner: dict[str, Tensor] = {}
        for term in by_last_block:
            for name in term.blocks:
                if name not in inner:
                    inner[name] = left[:, columns[name]] @ right[:, columns[name]].T
            factors = tuple(inner[name] for name in term.blocks)
            yield tile, term, factors if term.function is None else (term.function(*factors),)
            for name in term.blocks:
                if last_term[name] is term:
                    del inner[name]


def _add(total: Tensor, weight: float, factors: tuple[Tensor, ...]) -> None:
    """Their product, times the weight, in place."""
    match factors:
        case ():
            total += weight
        case (k,):
            total.add_(k, alpha=weight)
        case (a, b):
            total.addcmul_(a, b, value=weight)


def _is_product(a: str, b: str, blocks: FeatureBlocks) -> bool:
    is_attribute = [name.startswith(ATTRIBUTE_PREFIX) for name in (a, b)]
    return bool({a, b} & blocks.numeric) or is_attribute[0] != is_attribute[1]
