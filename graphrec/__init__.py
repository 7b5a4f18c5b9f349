"""graphrec: candidate recall in catalogues where new items keep arriving."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Dataset": "graphrec.data.dataset",
    "Filters": "graphrec.data.filters",
    "Fusion": "graphrec.fusion",
    "GraphRecError": "graphrec.errors",
    "GraphRecConfig": "graphrec.recommender",
    "LiveRun": "graphrec.live_run",
    "Recommender": "graphrec.recommender",
    "compare": "graphrec.comparison",
    "compare_folds": "graphrec.comparison",
    "fuse": "graphrec.fusion",
    "learn_fusion": "graphrec.fusion",
}
__all__ = [
    "Dataset",
    "Filters",
    "Fusion",
    "GraphRecConfig",
    "GraphRecError",
    "LiveRun",
    "Recommender",
    "compare",
    "compare_folds",
    "fuse",
    "learn_fusion",
]

if TYPE_CHECKING:
    from graphrec.comparison import compare, compare_folds
    from graphrec.data.dataset import Dataset
    from graphrec.data.filters import Filters
    from graphrec.errors import GraphRecError
    from graphrec.fusion import Fusion, fuse, learn_fusion
    from graphrec.live_run import LiveRun
    from graphrec.recommender import GraphRecConfig, Recommender


def __getattr__(name: str) -> Any:
    # torch and faiss take seconds to import; `graphrec --help` must not wait for them.
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'graphrec' has no attribute {name!r}")
