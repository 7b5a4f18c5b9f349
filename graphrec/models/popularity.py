"""The popularity term: one number per item that every arm gets alike, so that a lift cannot hide in it."""

from dataclasses import dataclass

import numpy as np
import torch

from graphrec.features.blocks import FeatureBlocks
from graphrec.models.kernel_ridge import KernelRidge
from graphrec.models.leave_one_out import TunedKernel, TuningItems

_NO_SPREAD = 1e-9
"""A smaller deviation of log-degrees is rounding: all items are equally popular."""
_STEPS = 25
_LEARNING_RATE = 0.15


@dataclass(frozen=True)
class Popularity:
    """log(1 + degree), standardised over the items with an edge: as observed, and as content alone predicts it.

    Both are float32 (I,); an item without an edge has the predicted value in both.
    """

    observed_I: np.ndarray
    predicted_I: np.ndarray
    left_out_R: np.ndarray
    """Of the tuning items, as predicted from all others: what each would get if it had no edge either."""

    @classmethod
    def fit(cls, blocks: FeatureBlocks, items: TuningItems, degree_I: np.ndarray, seed: int) -> "Popularity":
        """Predict by a kernel ridge whose kernel is tuned on its leave-one-item-out squared error, in closed form.

        The error of item i, predicted from all others, is [M⁻¹y]_i / [M⁻¹]_ii (Allen 1974); see `leave_one_out`.
        """
        warm = np.flatnonzero(degree_I)
        log_degree_I = np.log1p(degree_I.astype(np.float64))
        mean, spread = log_degree_I[warm].mean(), log_degree_I[warm].std()
        target_I = (log_degree_I - mean) / (spread if spread > _NO_SPREAD else 1.0)
        kernel, left_out_R = _tuned(items, torch.from_numpy(target_I[items.rows].astype(np.float32)))
        system = KernelRidge.of(blocks, warm, kernel.settings(), seed)
        predicted_I = system.predict(system.coefficients(target_I[warm, None]))[:, 0]
        return cls(np.where(degree_I > 0, target_I, predicted_I).astype(np.float32), predicted_I, left_out_R)


def _tuned(items: TuningItems, target_R: torch.Tensor) -> tuple[TunedKernel, np.ndarray]:
    """The kernel of the step with the smallest error, and what it predicts of each item from the others."""
    kernel = TunedKernel(items)
    optimizer = torch.optim.Adam(kernel.parameters(), lr=_LEARNING_RATE)
    best, best_error, best_state = target_R, torch.inf, kernel.state_dict()
    for _ in range(_STEPS):
        inverse_RR = kernel.inverse()
        error_R = (inverse_RR @ target_R) / inverse_RR.diagonal()
        mean_error = (error_R**2).mean()
        if mean_error.item() < best_error:
            best, best_error = (target_R - error_R).detach(), mean_error.item()
            best_state = {name: value.clone() for name, value in kernel.state_dict().items()}
        optimizer.zero_grad()
        mean_error.backward()
        optimizer.step()
    kernel.load_state_dict(best_state)
    return kernel, best.numpy()
