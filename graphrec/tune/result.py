"""What a search found, and how much of it may be luck."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from graphrec.config import GraphRecConfig
from graphrec.evaluation.intervals import PairedInterval, Verdict, verdict
from graphrec.tune.journal import Trial

Stopped = Literal["trials", "minutes", "interrupted", "exhausted"]
STOPPED: dict[Stopped, str] = {
    "trials": "all trials done",
    "minutes": "the minutes are over",
    "interrupted": "interrupted: the best so far is kept",
    "exhausted": "every point of the space was tried",
}


@dataclass(frozen=True)
class Improvement:
    """Best minus start on one pool, over the same users."""

    pool: str
    plain: PairedInterval
    """As if the best had been named beforehand."""
    for_choice: PairedInterval
    """Wider, for the best of several trials: level 1 - 0.05 / trials against the start (Bonferroni)."""

    @property
    def verdict(self) -> Verdict:
        """By the wider interval."""
        return verdict(self.for_choice)


@dataclass(frozen=True)
class Tuning:
    """All trials, the best of them, and what it gained over the settings that the search started from."""

    trials: tuple[Trial, ...]
    start: Trial
    best: Trial
    """The highest score; the start where nothing beats it."""
    config: GraphRecConfig
    """The settings of the best."""
    improvements: tuple[Improvement, ...]
    """Empty where the start is the best."""
    num_items: int
    """Masked items."""
    stopped: Stopped

    @property
    def conclusion(self) -> str:
        """In words, the noise with it."""
        assert self.best.score is not None  # made of trials that did not fail
        assert self.start.score is not None
        if len(self.trials) == 1:
            return "nothing but the starting settings was tried: they are the answer"
        if not self.improvements:
            return f"none of {len(self.trials) - 1} other trials beats the starting settings: they are the answer"
        gain = f"NDCG@20 {self.start.score:.4f} -> {self.best.score:.4f} ({self.best.score - self.start.score:+.4f})"
        shown = {improvement.verdict for improvement in self.improvements}
        if shown == {Verdict.HELPS}:
            return f"trial {self.best.number} is better than the starting settings: {gain}"
        if Verdict.HURTS in shown:
            return f"trial {self.best.number} trades one pool for another: {gain}"
        return f"trial {self.best.number} reads better, but no difference beyond the noise was shown: {gain}"

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "conclusion": self.conclusion,
            "stopped": self.stopped,
            "masked_items": self.num_items,
            "start": self.start.number,
            "best": self.best.number,
            "improvements": [
                {**asdict(improvement), "verdict": improvement.verdict} for improvement in self.improvements
            ],
            "trials": [{**trial.model_dump(), "score": trial.score} for trial in self.trials],
            "config": self.config.model_dump(mode="json"),
        }
