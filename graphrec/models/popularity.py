"""The popularity term: one number per item that every arm gets alike, so that a lift cannot hide in it."""

from dataclasses import dataclass

import numpy as np
import torch

from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel_ridge import FittedHead, KernelRidge
from graphrec.models.leave_one_out import TunedKernel, TuningItems
from graphrec.models.ridge import HeadSettings

_NO_SPREAD = 1e-9
"""A smaller deviation of log-degrees is rounding: all items are equally popular."""
_STEPS = 25
_LEARNING_RATE = 0.15


@dataclass(frozen=True)
class DegreeScale:
    """From a degree to the popularity term: log(1 + degree), standardised over the items with an edge."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, degree_I: np.ndarray) -> "DegreeScale":
        """Of these degrees, zeros left out."""
        log_degree_R = np.log1p(degree_I[degree_I > 0].astype(np.float64))
        spread = float(log_degree_R.std())
        return cls(float(log_degree_R.mean()), spread if spread > _NO_SPREAD else 1.0)

    def terms(self, degree_I: np.ndarray) -> np.ndarray:
        """float64 (I,)."""
        return (np.log1p(degree_I.astype(np.float64)) - self.mean) / self.deviation


@dataclass(frozen=True)
class Popularity:
    """The popularity term as observed, and as content alone predicts it.

    Both are float32 (I,); an item without an edge has the predicted value in both.
    """

    observed_I: np.ndarray
    predicted_I: np.ndarray
    scale: DegreeScale
    head: FittedHead
    """What predicts it, (L, 1)."""

    @classmethod
    def fit(cls, blocks: FeatureBlocks, degree_I: np.ndarray, settings: HeadSettings, seed: int) -> "Popularity":
        """Predict by a kernel ridge of these settings (see `tune_popularity`) over the items with an edge."""
        warm = np.flatnonzero(degree_I)
        scale = DegreeScale.of(degree_I)
        target_I = scale.terms(degree_I)
        system = KernelRidge.of(blocks, warm, settings, seed)
        head = system.fitted(system.coefficients(target_I[warm, None]))
        predicted_I = head.predict(blocks.x_IF)[:, 0]
        return cls(np.where(degree_I > 0, target_I, predicted_I).astype(np.float32), predicted_I, scale, head)


def tune_popularity(items: TuningItems, degree_I: np.ndarray) -> tuple[HeadSettings, np.ndarray]:
    """The kernel with the smallest squared error where each of the items is predicted from all others, and what it
    predicts of each: float32 aligned with `items.rows`, what each would get if it had no edge either.

    The error of item i is [M⁻¹y]_i / [M⁻¹]_ii in closed form (Allen 1974); see `leave_one_out`.
    """
    target_R = torch.from_numpy(DegreeScale.of(degree_I).terms(degree_I)[items.rows].astype(np.float32))
    kernel = TunedKernel(items)
    optimizer = torch.optim.Adam(kernel.parameters(), lr=_LEARNING_RATE)
    best_R, best_error, best_settings = target_R, torch.inf, kernel.settings()
    for _ in range(_STEPS):
        inverse_RR = kernel.inverse()
        error_R = (inverse_RR @ target_R) / inverse_RR.diagonal()
        mean_error = (error_R**2).mean()
        if mean_error.item() < best_error:
            best_R, best_error = (target_R - error_R).detach(), mean_error.item()
            best_settings = kernel.settings()
        optimizer.zero_grad()
        mean_error.backward()
        optimizer.step()
    return best_settings, best_R.numpy()
