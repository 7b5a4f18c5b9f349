"""A comparison as one long table."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from graphrec.comparison.results import ArmResult, Comparison, Difference, PoolResult, Stratum

COLUMNS = (
    "pool", "by", "stratum", "num_users", "num_items", "num_pairs", "arm", "popularity", "metric", "value", "spread",
    "reference", "difference", "low", "high", "low_items", "high_items", "smallest_detectable", "p_value", "p_holm",
    "verdict",
)  # fmt: skip


def to_frame(comparison: Comparison) -> pd.DataFrame:
    """Columns `COLUMNS`: one row for each pool, stratum, arm, popularity and metric, with what it differs from.

    `by` and `stratum` are empty for the whole pool, whose `num_items` are all that compete. An arm that is held against
    two others has a row for each; one that is held against none has nan from `reference` on.
    """
    return pd.DataFrame(list(_rows(comparison)), columns=list(COLUMNS))


def _rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for pool in comparison.pools:
        parts: list[PoolResult | Stratum] = [pool, *pool.strata]
        for part in parts:
            about = {
                "pool": pool.pool,
                "by": getattr(part, "by", ""),
                "stratum": getattr(part, "label", ""),
                "num_users": part.num_users,
                "num_items": part.num_items,
                "num_pairs": part.num_pairs,
            }
            for arm in part.arms:
                for row in _arm_rows(arm, part.differences):
                    yield about | row


def _arm_rows(arm: ArmResult, differences: list[Difference]) -> Iterator[dict[str, Any]]:
    shown = (
        (True, arm.metrics, arm.spread),
        (False, arm.metrics_without_popularity or {}, arm.spread_without_popularity),
    )
    for popularity, metrics, spread in shown:
        for metric, value in metrics.items():
            row: dict[str, Any] = {"arm": arm.arm, "popularity": popularity, "metric": metric, "value": value}
            if spread is not None:
                row["spread"] = spread[metric]
            mine = [d for d in differences if (d.arm, d.metric, d.popularity) == (arm.arm, metric, popularity)]
            yield from ((row | _columns_of(one) for one in mine) if mine else (row,))


def _columns_of(one: Difference) -> dict[str, Any]:
    items = {} if one.items is None else {"low_items": one.items.low, "high_items": one.items.high}
    return items | {
        "reference": one.reference,
        "difference": one.interval.difference,
        "low": one.interval.low,
        "high": one.interval.high,
        "smallest_detectable": one.interval.smallest_detectable,
        "p_value": one.interval.p_value,
        "p_holm": one.p_holm,
        "verdict": str(one.verdict),
    }
