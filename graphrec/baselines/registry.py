"""Every baseline by the name it has in a table."""

from collections.abc import Callable

from graphrec.baselines.arm import Baseline
from graphrec.baselines.content import Content, ContentUntrained
from graphrec.baselines.popularity import Popularity
from graphrec.baselines.random import Random

BASELINES: dict[str, Callable[[], Baseline]] = {
    "random": Random,
    "popularity": Popularity,
    "content-untrained": ContentUntrained,
    "content": Content,
}
