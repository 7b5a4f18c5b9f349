"""A gate for pictures and texts: how far those of each item can be trusted, learned from the catalogue alone.

Nobody labels bad pictures, so the gate makes some: it gives warm items the pictures of others and learns to tell them
from the real ones by what quality signals say and by how well a picture agrees with what the item's other features
predict of it. How many of the real ones are bad is then estimated as the share that looks like the made ones: where
(nearly) all are good that share is near zero, and the gate stays open whatever it learned.

The share is a mixture proportion estimated from tails (Blanchard et al. 2010, "Semi-supervised novelty detection").
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from graphrec.features.blocks import FeatureBlocks, standardise
from graphrec.features.extract import ItemFeatures
from graphrec.progress import Say, unsaid

GATED = {"image": ("image",), "text": ("text", "words")}
"""Gate → the feature blocks that it opens and closes together."""
_PENALTY = 10.0
"""Of the ridge that predicts a modality from the others."""
_FEWEST_ITEMS = 50
"""Fewer warm items with the modality teach nothing: the gate stays open."""
_TAILS = np.linspace(0.1, 0.9, 17)
"""Shares of the made ones that a tail may hold; a smaller tail is noise."""


@dataclass(frozen=True)
class ModalityGate:
    """What was learned about one modality: O other features, F own ones, S signals and the agreement last."""

    predictor_OF: np.ndarray
    """From the item's other blocks to what this one should be."""
    centre_S: np.ndarray
    spread_S: np.ndarray
    slope_S: np.ndarray
    """Of the log-odds that a modality is another item's, in standardised signals."""
    intercept: float
    bad_share: float
    """Estimated share of warm items whose modality is as bad as another item's."""

    @classmethod
    def fit(cls, own_RF: np.ndarray, other_RO: np.ndarray, signal_RS: np.ndarray, rng: np.random.Generator) -> Self:
        """From warm items that have the modality, row by row."""
        predictor_OF, predicted_RF = _cross_fitted(other_RO, own_RF, rng)
        other = rng.permutation(len(own_RF))
        real_RS = _with_agreement(signal_RS, own_RF, predicted_RF)
        made_RS = _with_agreement(signal_RS[other], own_RF[other], predicted_RF)
        known_S = np.maximum(1, np.isfinite(real_RS).sum(axis=0))
        centre_S = np.nansum(real_RS, axis=0) / known_S
        spread_S = np.sqrt(np.nansum((real_RS - centre_S) ** 2, axis=0) / known_S)
        spread_S = np.where(spread_S > 1e-9, spread_S, 1.0)
        real_RS, made_RS = (_standardised(one, centre_S, spread_S) for one in (real_RS, made_RS))
        is_made = np.repeat([False, True], len(own_RF))
        learned = LogisticRegression().fit(np.concatenate([real_RS, made_RS]), is_made)
        real_R, made_R = learned.decision_function(real_RS), learned.decision_function(made_RS)
        return cls(
            predictor_OF, centre_S, spread_S, learned.coef_[0], float(learned.intercept_[0]), _share(real_R, made_R)
        )

    def suspicion(self, own_IF: np.ndarray, other_IO: np.ndarray, signal_IS: np.ndarray) -> np.ndarray:
        """Log-odds that the modality is another item's, before it is asked how many are; float64 (I,)."""
        signal_IS = _with_agreement(signal_IS, own_IF, other_IO @ self.predictor_OF)
        return _standardised(signal_IS, self.centre_S, self.spread_S) @ self.slope_S + self.intercept

    def trust(self, suspicion_I: np.ndarray) -> np.ndarray:
        """1 - P(bad) in [0, 1], float32: the odds times the estimated share, for real ones are partly bad as well."""
        odds_I = np.exp(np.minimum(suspicion_I, 50.0))
        return (1 - np.minimum(1.0, self.bad_share * odds_I)).astype(np.float32)


@dataclass(frozen=True)
class FeatureGate:
    """Gates by name, and which feature blocks each of them opens and closes together."""

    blocks: dict[str, tuple[str, ...]]
    gates: dict[str, ModalityGate]

    @classmethod
    def fit(
        cls,
        features: FeatureBlocks,
        rows: np.ndarray,
        signals: Mapping[str, np.ndarray],
        gated: Mapping[str, tuple[str, ...]],
        seed: int = 0,
    ) -> Self:
        """Learn from the warm items `rows`. `gated` names the blocks of each gate, such as text: (text, words).

        `signals` brings numbers per item for each gate, (I, S), nan where one is not known. A gate whose blocks are not
        there, or that has nothing beside them to compare with, or too few items, is left out: it stays open.
        """
        blocks, gates = {}, {}
        for name, wanted in gated.items():
            own, other = _columns(features, wanted)
            kept = rows[features.x_IF[np.ix_(rows, own)].any(axis=1)] if len(own) else rows[:0]
            if len(kept) < _FEWEST_ITEMS or not len(other):
                continue
            blocks[name] = tuple(block for block in wanted if block in features.columns)
            gates[name] = ModalityGate.fit(
                features.x_IF[np.ix_(kept, own)],
                features.x_IF[np.ix_(kept, other)],
                signals[name][kept],
                np.random.default_rng(seed),
            )
        return cls(blocks, gates)

    def trust(self, features: FeatureBlocks, signals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gate → how far each item's modality is trusted, float32 (I,) in [0, 1]; 0 where the item has none.

        For any items, those of the fit or others: an item's answer depends on nobody else.
        """
        answer = {}
        for name, gate in self.gates.items():
            own, other = _columns(features, self.blocks[name])
            own_IF = features.x_IF[:, own]
            trust_I = gate.trust(gate.suspicion(own_IF, features.x_IF[:, other], signals[name]))
            answer[name] = np.where(own_IF.any(axis=1), trust_I, np.float32(0))
        return answer

    def apply(self, features: FeatureBlocks, signals: Mapping[str, np.ndarray]) -> FeatureBlocks:
        """Each gated block mixed with what the item's other blocks predict of it, by how far it is trusted.

        Full trust leaves a block as it is, bit for bit; an absent one becomes the prediction alone, and an item that
        has nothing at all stays zero, which is the average item.
        """
        x_IF = features.x_IF.copy()
        for name, trust_I in self.trust(features, signals).items():
            own, other = _columns(features, self.blocks[name])
            doubted = np.flatnonzero(trust_I < 1)
            trust_D1 = trust_I[doubted, None]
            predicted_DF = features.x_IF[np.ix_(doubted, other)] @ self.gates[name].predictor_OF
            own_DF = features.x_IF[np.ix_(doubted, own)]
            x_IF[np.ix_(doubted, own)] = trust_D1 * own_DF + (1 - trust_D1) * predicted_DF
        return replace(features, x_IF=x_IF)


def item_blocks(features: ItemFeatures, is_warm_I: np.ndarray, say: Say = unsaid) -> FeatureBlocks:
    """The features as every arm sees them: standardised, and gated where they bring quality signals.

    Standardiser and gate are fitted on the warm items each time: the same features give the same blocks. `say` gets a
    line about what the gate found.
    """
    blocks = standardise(features, is_warm_I)
    if not features.signals:
        return blocks
    gate = FeatureGate.fit(blocks, np.flatnonzero(is_warm_I), features.signals, GATED)
    for name, one in gate.gates.items():
        say(f"Gate: about {one.bad_share:.0%} of the items' {name} features look like another item's.")
    return gate.apply(blocks, features.signals)


def _columns(features: FeatureBlocks, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The columns of these blocks, and all others."""
    everything = np.arange(features.x_IF.shape[1])
    parts = [everything[features.columns[name]] for name in names if name in features.columns]
    own = np.concatenate(parts) if parts else everything[:0]
    return own, np.setdiff1d(everything, own)


def _cross_fitted(other_RO: np.ndarray, own_RF: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ridge coefficients from all rows, and predictions of each half by the other: no row helps to predict itself."""
    predicted_RF = np.empty_like(own_RF)
    is_first_R = rng.permutation(len(own_RF)) < len(own_RF) // 2
    for half_R in (is_first_R, ~is_first_R):
        predicted_RF[half_R] = other_RO[half_R] @ _ridge(other_RO[~half_R], own_RF[~half_R])
    return _ridge(other_RO, own_RF), predicted_RF


def _ridge(x_RO: np.ndarray, y_RF: np.ndarray) -> np.ndarray:
    system_OO = (x_RO.T @ x_RO).astype(np.float64)
    system_OO[np.diag_indices_from(system_OO)] += _PENALTY
    return np.linalg.solve(system_OO, (x_RO.T @ y_RF).astype(np.float64)).astype(np.float32)


def _with_agreement(signal_IS: np.ndarray, own_IF: np.ndarray, predicted_IF: np.ndarray) -> np.ndarray:
    length_I = np.linalg.norm(own_IF, axis=1) * np.linalg.norm(predicted_IF, axis=1)
    agreement_I = np.einsum("if,if->i", own_IF, predicted_IF) / np.where(length_I > 1e-9, length_I, 1.0)
    return np.column_stack([signal_IS, agreement_I]).astype(np.float64)


def _standardised(signal_IS: np.ndarray, centre_S: np.ndarray, spread_S: np.ndarray) -> np.ndarray:
    return np.nan_to_num((signal_IS - centre_S) / spread_S)  # an unknown signal is an average one


def _share(real_R: np.ndarray, made_R: np.ndarray) -> float:
    """The largest share of bad ones among the real that the tails allow."""
    thresholds = np.quantile(made_R, _TAILS)
    return float(min(1.0, min((real_R >= t).mean() / (made_R >= t).mean() for t in thresholds)))
