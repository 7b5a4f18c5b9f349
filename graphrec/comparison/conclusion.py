"""Whether the graph helped, in one sentence."""

from graphrec.comparison.results import Difference, PoolResult
from graphrec.evaluation.intervals import Verdict


def conclude(result: PoolResult) -> str:
    """What the intervals of graph - content say; an interval over items that says less is named too."""
    if result.num_users < 2:
        return "one user says nothing about a difference: evaluate more of them"
    headline = result.headline
    if not headline:
        return "graph and content were not both compared"
    helped, hurt = _metrics(headline, Verdict.HELPS, True), _metrics(headline, Verdict.HURTS, True)
    if helped and hurt:
        return f"mixed: the graph helps {', '.join(helped)} and hurts {', '.join(hurt)}"
    if hurt:
        return f"the graph hurts ({', '.join(hurt)}): content alone is better"
    if not helped:
        return "the graph does not help: no difference from content was shown"
    personal = [metric for metric in helped if metric in _metrics(headline, Verdict.HELPS, False)]
    if not personal:
        # What the average user would be shown is popularity, whoever learned it: no lift of the graph's own.
        return f"the lift ({', '.join(helped)}) is popularity's: with popularity off the graph is not shown to help"
    unsure = [d.metric for d in headline if d.popularity and d.metric in personal and d.holds_over_items is False]
    but = f"; with other held-out items it might not ({', '.join(unsure)})" if unsure else ""
    return f"the graph helps ({', '.join(personal)}), with popularity on and off{but}"


def _metrics(differences: list[Difference], wanted: Verdict, popularity: bool) -> list[str]:
    return [d.metric for d in differences if d.popularity == popularity and d.verdict == wanted]
