"""NumPy's own files: a matrix of floats, never anything pickled."""

from pathlib import Path

import numpy as np

from graphrec.errors import GraphRecError


def load_npy(path: Path, file: str) -> np.ndarray:
    """The matrix (R, F) of any float type, as a memory map. Raises GraphRecError where the file holds none."""
    try:
        vectors_RF = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise GraphRecError(f"{file} does not exist under {path.parent}.") from None
    except (OSError, ValueError, EOFError) as error:
        raise GraphRecError(
            f"{file}: not a readable .npy array of numbers: {str(error).splitlines()[0].rstrip('.')}."
        ) from None
    if not isinstance(vectors_RF, np.ndarray) or vectors_RF.ndim != 2 or vectors_RF.dtype.kind != "f":
        shape, dtype = getattr(vectors_RF, "shape", "?"), getattr(vectors_RF, "dtype", "?")
        raise GraphRecError(f"{file}: expected floats of shape (rows, features), got {dtype} of shape {shape}.")
    return vectors_RF
