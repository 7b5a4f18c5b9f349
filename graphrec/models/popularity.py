"""The popularity term: one number per item that every arm gets alike, so that a lift cannot hide in it."""

from dataclasses import dataclass

import numpy as np

from graphrec.models.ridge import HeadSettings, RidgeSystem

_PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_NO_SPREAD = 1e-9
"""A smaller deviation of log-degrees is rounding: all items are equally popular."""


@dataclass(frozen=True)
class Popularity:
    """log(1 + degree), standardised over the items with an edge: as observed, and as content alone predicts it.

    Both are float32 (I,); an item without an edge has the predicted value in both.
    """

    observed_I: np.ndarray
    predicted_I: np.ndarray

    @classmethod
    def fit(cls, system: RidgeSystem, degree_I: np.ndarray) -> "Popularity":
        """Predict by a ridge on all feature blocks alike, learned from the items `system.rows`.

        Its penalty is chosen by the leave-one-item-out error in closed form, e_i / (1 - h_ii) (Allen 1974).
        """
        log_degree_I = np.log1p(degree_I.astype(np.float64))
        mean, spread = log_degree_I[system.rows].mean(), log_degree_I[system.rows].std()
        target_I = (log_degree_I - mean) / (spread if spread > _NO_SPREAD else 1.0)
        even = dict.fromkeys(system.columns, 1.0)
        choices = [HeadSettings(weights=even, penalty=penalty) for penalty in _PENALTIES]
        best = min(choices, key=lambda settings: _left_out_error(system, target_I[system.rows], settings))
        predicted_I = system.predict(system.coefficients(target_I[system.rows, None], best))[:, 0]
        return cls(np.where(degree_I > 0, target_I, predicted_I).astype(np.float32), predicted_I)


def _left_out_error(system: RidgeSystem, target_R: np.ndarray, settings: HeadSettings) -> float:
    x_RF = system.design_RF.astype(np.float64)
    inverse_FF = system.inverse_times(np.eye(x_RF.shape[1]), settings)
    leverage_R = np.einsum("rf,rf->r", x_RF @ inverse_FF, x_RF)
    residual_R = target_R - x_RF @ (inverse_FF @ (x_RF.T @ target_R))
    return float(np.mean((residual_R / (1 - leverage_R)) ** 2))
