"""What places an item that arrives after training, and moves one that somebody touched: fitted once, left alone."""

from dataclasses import dataclass

import numpy as np

from graphrec.models.kernel_ridge import FittedHead
from graphrec.models.popularity import DegreeScale


@dataclass(frozen=True)
class Placed:
    """What the features of items say of them."""

    z_ID: np.ndarray
    folded_ID: np.ndarray
    raw_IR: np.ndarray
    popularity_I: np.ndarray


@dataclass(frozen=True)
class Placement:
    """The fitted parts of a model that do not grow with its catalogue. D dimensions of the encoder, R of the raw block.

    Items that arrive change none of it: which is why an item that is added gets the vector that it would have had, had
    it been there, untouched, when the heads were fitted.
    """

    taught: FittedHead
    """From features to z and the fold-in, scaled alike, (N, 2D)."""
    raw: FittedHead
    """From features to the raw vector, (N, R). May read other sites' blocks, which are zero for what arrives."""
    popularity: FittedHead
    degree_scale: DegreeScale
    z_deviation: float
    fold_deviation: float
    """What z and the fold-in are divided by, so that their scores vary alike."""
    fold_in_DD: np.ndarray
    """The system of the fold-in (see `models.fold_in.fold_in_system`), float64."""

    def place(self, x_NF: np.ndarray) -> Placed:
        """Items that nobody touched, by their feature rows; what an item gets does not depend on the others."""
        dim = self.fold_in_DD.shape[0]
        taught_NT = self.taught.predict(x_NF)
        width = self.raw.landmark_x_LF.shape[1]
        wide_NF = np.pad(x_NF, ((0, 0), (0, width - x_NF.shape[1])))
        return Placed(
            z_ID=taught_NT[:, :dim],
            folded_ID=taught_NT[:, dim:],
            raw_IR=self.raw.predict(wide_NF),
            popularity_I=self.popularity.predict(x_NF)[:, 0],
        )

    def fold_in(self, moment_ND: np.ndarray) -> np.ndarray:
        """Where users put items, scaled, from what their users add up to; float64 (N, D)."""
        return np.linalg.solve(self.fold_in_DD, moment_ND.T).T / self.fold_deviation
