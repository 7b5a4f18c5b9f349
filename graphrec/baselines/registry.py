"""Every baseline by the name it has in a table.

One tuning budget for all: an arm with settings scores a starting point and at most `tuning.tries` others on the same
masked split, by NDCG@20 on the masked items where it sees features (ease-content, the two-tower arms, mf-content), on
masked pairs of warm items where it does not (item-knn, als, ease, lightgcn). Arms whose try is a whole
training take fewer: mf-content 20, the two-tower arms 6, lightgcn 4 (`MOST_TRIES` in their files).
Content takes `tuning.steps` gradient steps instead, as the graph arm's head does.
"""

from collections.abc import Callable

from graphrec.baselines.als import ALS
from graphrec.baselines.arm import Baseline
from graphrec.baselines.content import Content, ContentUntrained
from graphrec.baselines.content_cross_site import ContentCrossSite
from graphrec.baselines.ease import EASE
from graphrec.baselines.ease_content import EASEContent
from graphrec.baselines.item_knn import ItemKNN
from graphrec.baselines.lightgcn import LightGCN
from graphrec.baselines.mf_content import MFContent
from graphrec.baselines.popularity import Popularity
from graphrec.baselines.random import Random
from graphrec.baselines.two_tower import TwoTower
from graphrec.baselines.two_tower_bce import TwoTowerBCE

BASELINES: dict[str, Callable[[], Baseline]] = {
    "random": Random,
    "popularity": Popularity,
    "content-untrained": ContentUntrained,
    "content": Content,
    "content-cross-site": ContentCrossSite,
    "item-knn": ItemKNN,
    "als": ALS,
    "ease": EASE,
    "ease-content": EASEContent,
    "two-tower-bce": TwoTowerBCE,
    "two-tower": TwoTower,
    "mf-content": MFContent,
    "lightgcn": LightGCN,
}
