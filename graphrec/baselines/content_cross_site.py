"""The content arm with what people of other sites do as further features: what they are worth without any graph."""

from dataclasses import replace

from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.content import Content
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.graph.site_view import SiteView
from graphrec.models.other_sites import with_other_sites
from graphrec.progress import Progress, silent

_SITE_DIM = 256
"""As the graph arm's default."""


class ContentCrossSite(Content):
    """`Content` on the features and other sites' blocks alike; see `models.other_sites`."""

    def check(self, train: Dataset, has_unseen_users: bool = False) -> None:
        """See `Baseline.check`."""
        super().check(train, has_unseen_users)
        if train.target_site is None or not SiteView.of(train).has_elsewhere:
            raise GraphRecError(
                "content-cross-site needs a target site (train --site) and other sites with the same products (same_as "
                "in dataset.yaml): leave it out."
            )

    def _fit(self, inputs: TrainingInput, progress: Progress = silent) -> None:
        blocks = with_other_sites(inputs.blocks, SiteView.of(inputs.train), _SITE_DIM, inputs.seed)
        super()._fit(replace(inputs, blocks=blocks), progress)
