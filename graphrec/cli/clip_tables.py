"""Tables of `graphrec clip fit`."""

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from graphrec.clip_effect import ColdRecallEffect
from graphrec.clip_fit.fit import ClipFitReport, Quality
from graphrec.clip_fit.retrieval_quality import KS
from graphrec.evaluation.intervals import verdict
from graphrec.screen import plain_table

_WAYS = (("picture → text", "image_to_text"), ("text → picture", "text_to_image"))
_READS = {"text": "whole text", "title": "title alone"}


def fit_parts(report: ClipFitReport) -> list[RenderableType]:
    """What was trained, R@k before and after on held-out products, and what it says."""
    done = report.summary
    parts: list[RenderableType] = [
        f"Trained from {escape(report.start)} on {report.train_pairs:,} pairs: {done.epochs:.1f} passes, "
        f"{done.steps:,} steps, {done.seconds / 60:.1f} minutes. Written to {escape(str(report.out))}"
    ]
    parts += [f"[dim]no pair: {count:,} items, {escape(reason)}[/]" for reason, count in report.left_out.items()]
    if report.before is None or report.after is None:
        return [*parts, "Nothing was held out, so nothing was measured (--held-out)."]
    parts.append(_quality_table(report.before, report.after, report.held_out_pairs))
    return [*parts, _conclusion(report.before, report.after)]


def _quality_table(before: Quality, after: Quality, num_pairs: int) -> Table:
    shown = plain_table(f"R@k on {num_pairs:,} held-out pairs of products that the fit did not see")
    shown.add_column("matching", no_wrap=True)
    for name in ("k", "before", "after", "chance", "bound", "pool"):
        shown.add_column(name, justify="right", no_wrap=True)
    for reads, title in _READS.items():
        for name, way in _WAYS:
            one, other = getattr(before[reads], way), getattr(after[reads], way)
            for k in KS:
                label = f"{name}, {title}" if k == KS[0] else ""
                values = (one.recall[k], other.recall[k], other.chance[k], other.bound[k])
                shown.add_row(label, str(k), *(f"{value:.3f}" for value in values), f"{other.pool:,}")
    return shown


def _conclusion(before: Quality, after: Quality) -> str:
    """One sentence on R@k of whole texts, averaged over both directions and every k."""
    one, other, pairs = _mean_recall(before), _mean_recall(after), after["text"].pairs
    share = (one + other) / 2
    noise = 1.96 * (2 * share * (1 - share) / pairs) ** 0.5  # as if the same pairs were not measured twice: cautious
    moved = f"mean R@k of whole texts {one:.3f} → {other:.3f}"
    if abs(other - one) <= noise:
        return f"[yellow]No difference shown[/]: {moved}, within what {pairs:,} pairs can vary by (±{noise:.3f})."
    if other > one:
        return f"[green]The fit helped[/]: {moved} on products that it did not see."
    return (
        f"[red]The fit hurt[/]: {moved} on products that it did not see. Keep the model that it started from, or give "
        "more pairs or a lower --learning-rate."
    )


def _mean_recall(quality: Quality) -> float:
    both = quality["text"]
    values = [*both.image_to_text.recall.values(), *both.text_to_image.recall.values()]
    return sum(values) / len(values)


def cold_recall_table(effect: ColdRecallEffect) -> Table:
    """Content arms on image and text, with the CLIP before and after."""
    measured_on = f"{effect.dataset}, image and text alone: {effect.pool}; {effect.coverage}"
    shown = plain_table(f"Cold recall of {escape(measured_on)}")
    shown.add_column("arm", no_wrap=True)
    for name in ("metric", "before", "after", "difference", "95 % interval", "verdict"):
        shown.add_column(name, justify="right", no_wrap=True)
    for arm in effect.arms:
        for metric, interval in arm.difference.items():
            shown.add_row(
                arm.arm,
                metric,
                f"{arm.before[metric]:.4f}",
                f"{arm.after[metric]:.4f}",
                f"{interval.difference:+.4f}",
                f"{interval.low:+.4f} … {interval.high:+.4f}",
                str(verdict(interval)),
            )
    return shown
