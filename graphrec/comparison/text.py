"""A comparison as plain text."""

from graphrec.comparison.results import Comparison, Difference, PoolResult


def as_text(comparison: Comparison) -> str:
    """A table per pool, every difference on a line, and the conclusion."""
    parts = ["\n".join(_pool_lines(one, comparison.metrics)) for one in comparison.pools]
    return "\n\n".join(
        [*parts, *([f"{len(comparison.leak_checks)} leak checks passed"] if comparison.leak_checks else [])]
    )


def describe_difference(difference: Difference) -> str:
    """One line: arms, metric, difference, intervals, smallest detectable difference, verdict."""
    interval, items = difference.interval, difference.items
    over_items = "" if items is None else f", over items [{items.low:+.4f}, {items.high:+.4f}]"
    return (
        f"{difference.arm} - {difference.reference}, {difference.metric}, "
        f"popularity {'on' if difference.popularity else 'off'}: "
        f"{interval.difference:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]{over_items}, "
        f"smallest detectable {interval.smallest_detectable:.4f}: {difference.verdict}"
    )


def _pool_lines(result: PoolResult, metrics: tuple[str, ...]) -> list[str]:
    lines = [f"{result.pool} pool: {result.description}; {result.coverage}"]
    lines += [f"{'arm':<20}" + "".join(f"{name:>14}" for name in metrics)]
    lines += [f"{one.arm:<20}" + "".join(f"{one.metrics[name]:>14.4f}" for name in metrics) for one in result.arms]
    lines += [describe_difference(d) for d in result.differences]
    for stratum in result.strata:
        about = f"{stratum.num_users:,} users, {stratum.num_items:,} items, {stratum.num_pairs:,} pairs"
        lines += [f"{stratum.by} {stratum.label}: {about}{'; too few to say' if stratum.too_few else ''}"]
        lines += [f"  {describe_difference(d)}" for d in stratum.differences]
    return [*lines, result.conclusion]
