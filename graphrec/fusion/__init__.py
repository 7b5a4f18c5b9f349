"""Late fusion: the lists of a recommender that somebody already runs, with graphrec's beside them."""

from graphrec.fusion.fusing import fuse
from graphrec.fusion.learning import learn_fusion
from graphrec.fusion.settings import Fusion, Learned

__all__ = ["Fusion", "Learned", "fuse", "learn_fusion"]
