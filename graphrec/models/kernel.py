"""How alike two items are: a weighted sum of kernels over the feature blocks, their powers and their products.

A ridge on block inner products alone sees every feature for itself. Products say what no sum can ("a comedy *of that
time*"), a power of a number's bumps narrows or widens how near two numbers must be, and the exponential of an inner
product of unit rows is the Gaussian kernel of their distance. Each term is positive semi-definite: products and
non-negative power series of such kernels are (Shawe-Taylor and Cristianini 2004, proposition 3.22). The wide power of a
number's bumps is so but nearly: their inner product is close to a Gaussian, whose every positive power is one again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import ATTRIBUTE_PREFIX

CONSTANT = "constant"
_POWERS = (0.3, 8.0)
"""Of a number's kernel: about twice as wide as its bumps, and a third."""
_STEEPNESS = 3.0
_MOST_PRODUCTS = 16


@dataclass(frozen=True)
class Term:
    """One kernel: a function of the inner products of one block, or of two."""

    name: str
    blocks: tuple[str, ...]
    value: Callable[..., Tensor]
    """Inner products of each block, as many as `blocks`, all of one shape → the kernel's values, same shape."""


def terms_of(blocks: FeatureBlocks) -> tuple[Term, ...]:
    """The terms for these blocks: each alone; numbers in powers, other blocks as a Gaussian; products; a constant.

    Products are of a number with any other block and of a text or picture with an attribute, at most 16 of them, those
    of the first blocks first. Kernels in the order in which they are listed; the order never changes for given blocks.
    """
    names = list(blocks.columns)
    terms = [Term(name, (name,), _itself) for name in names]
    for name in names:
        if name in blocks.numeric:
            terms += [Term(f"{name}^{power:g}", (name,), _power(power)) for power in _POWERS]
        else:
            terms.append(Term(f"exp({name})", (name,), _gaussian))
    pairs = [pair for pair in combinations(names, 2) if _is_product(*pair, blocks)]
    terms += [Term(f"{a}*{b}", (a, b), _product) for a, b in pairs[:_MOST_PRODUCTS]]
    return (*terms, Term(CONSTANT, (), _nothing))


@dataclass(frozen=True)
class Kernel:
    """k(i, j) = Σ_t w_t · term_t(i, j) for items given as rows of feature blocks."""

    columns: dict[str, slice]
    terms: tuple[Term, ...]
    weights: Mapping[str, float]

    def values(self, left_AF: np.ndarray, right_BF: np.ndarray) -> np.ndarray:
        """k of every row of one side with every row of the other, (A, B) float32; terms of weight 0 cost nothing."""
        left, right = torch.from_numpy(left_AF), torch.from_numpy(right_BF)
        total_AB = torch.zeros(len(left), len(right))
        inner: dict[str, Tensor] = {}
        for term in self.terms:
            weight = self.weights[term.name]
            if weight:
                total_AB += weight * _evaluate(term, inner, left, right, self.columns)
        return total_AB.numpy()


def term_values(terms: tuple[Term, ...], columns: dict[str, slice], x_NF: np.ndarray) -> Tensor:
    """Every term between all rows of one set of items, (T, N, N) float32."""
    x = torch.from_numpy(x_NF)
    inner: dict[str, Tensor] = {}
    return torch.stack([_evaluate(term, inner, x, x, columns) for term in terms])


def _evaluate(term: Term, inner: dict[str, Tensor], left: Tensor, right: Tensor, columns: dict[str, slice]) -> Tensor:
    for name in term.blocks:
        if name not in inner:
            inner[name] = left[:, columns[name]] @ right[:, columns[name]].T
    if not term.blocks:
        return term.value().expand(len(left), len(right))
    return term.value(*(inner[name] for name in term.blocks))


def _is_product(a: str, b: str, blocks: FeatureBlocks) -> bool:
    is_attribute = [name.startswith(ATTRIBUTE_PREFIX) for name in (a, b)]
    return bool({a, b} & blocks.numeric) or is_attribute[0] != is_attribute[1]


def _itself(k: Tensor) -> Tensor:
    return k


def _nothing() -> Tensor:
    return torch.ones(())


def _gaussian(k: Tensor) -> Tensor:
    return torch.exp(_STEEPNESS * (k - 1))


def _product(a: Tensor, b: Tensor) -> Tensor:
    return a * b


def _power(power: float) -> Callable[[Tensor], Tensor]:
    # Below zero is rounding: bumps are never negative.
    return lambda k: k.clamp(min=0) ** power
