"""`compare`: fit the arms on one split, rank the same pools with each, and say how sure the differences are."""

from graphrec.comparison.folds import FoldComparison, compare_folds
from graphrec.comparison.question import ARM_NAMES, DEFAULT_ARMS, DEFAULT_METRICS, MAX_K, pool_names
from graphrec.comparison.results import ArmResult, Comparison, Difference, PoolResult, Stratum
from graphrec.comparison.side_by_side import compare, compare_with, merge_seeds
from graphrec.comparison.text import describe_difference

__all__ = [
    "ARM_NAMES",
    "DEFAULT_ARMS",
    "DEFAULT_METRICS",
    "MAX_K",
    "ArmResult",
    "Comparison",
    "Difference",
    "FoldComparison",
    "PoolResult",
    "Stratum",
    "compare",
    "compare_folds",
    "compare_with",
    "describe_difference",
    "merge_seeds",
    "pool_names",
]
