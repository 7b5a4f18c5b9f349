"""A run of any size without training on it: the encoder and the choices of a small training, heads fitted at full size.

Everything behind the trained weights is what `Recommender.fit` makes of the data: features, encodings, heads seen
through a few landmarks, served vectors, indexes, run folder. Only the vectors of texts are those of a few hundred
phrases, each encoded once.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors
from graphrec.data.interactions import Interactions
from graphrec.features.content_encoder import ContentEncoder
from graphrec.features.extract import ItemFeatures
from graphrec.features.gate import item_blocks
from graphrec.features.modality import Modality
from graphrec.graph.site_view import SiteView
from graphrec.living.journal import JOURNAL
from graphrec.models import kernel_ridge
from graphrec.models.graph_model import GraphModel, assemble
from graphrec.models.graphsage import GraphSAGE
from graphrec.models.parts import Mixture
from graphrec.recommender import Recommender
from graphrec.retrieval.item_index import IndexConfig, ItemIndex
from graphrec.run_folder import Run, write_run
from graphrec.search.clip_index import ClipIndex

DIM, RAW_DIM, OWN_DIM = 64, 64, 64
"""A served vector has DIM + RAW_DIM + 1 numbers."""
LANDMARKS = 256
CLUSTERS, CATEGORIES = 200, 50
EDGES_PER_USER, ITEMS_PER_USER = 25, 5
"""Users and edges grow with the items, so that an item has 5 edges on average at any size."""
COLD_SHARE = 0.1
SMALL = 3_000
ADJECTIVES = ("red", "blue", "green", "black", "white", "long", "short", "warm", "light", "striped")
NOUNS = ("dress", "shirt", "coat", "boots", "scarf", "bag", "hat", "skirt", "jacket", "socks")
PHRASES = np.array(
    [f"{adjective} {noun} {number}" for number in range(5) for adjective in ADJECTIVES for noun in NOUNS]
)
CONFIG = GraphRecConfig.load(
    None,
    (f"model.encoder.dim={DIM}", f"model.raw_dim={RAW_DIM}", "model.training.max_epochs=3", "index.build_threads=2"),
)


@dataclass(frozen=True)
class World:
    """Clusters in a plane of tastes: what an item looks like and who takes it both follow from its cluster."""

    num_items: int
    seed: int = 0

    def dataset(self) -> Dataset:
        rng = np.random.default_rng(self.seed)
        cluster_I = rng.integers(0, CLUSTERS, self.num_items)
        attributes = Attributes(
            categorical={
                "category": np.array([f"c{one}" for one in range(CATEGORIES)], object)[cluster_I % CATEGORIES]
            },
            numeric={"price": np.round(np.exp(rng.normal(3 + (cluster_I % 7) / 7, 0.5)), 2)},
        )
        title_I = PHRASES.astype(object)[self.phrase_I(cluster_I, rng)]
        ids = np.array([f"i{item:07}" for item in range(self.num_items)], dtype=object)
        nothing_I = np.full(self.num_items, "", dtype=object)
        catalogue = Catalogue(ids, title_I, title_I, nothing_I, None, nothing_I, attributes)
        num_users = self.num_items // ITEMS_PER_USER
        user_ids = np.array([f"u{user:07}" for user in range(num_users)], dtype=object)
        interactions = self.interactions(cluster_I, num_users, rng)
        return Dataset(
            "synthetic", catalogue, user_ids, (), interactions, own_vectors={"look": self.looks(ids, cluster_I, rng)}
        )

    @staticmethod
    def phrase_I(cluster_I: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (cluster_I * 2 + rng.integers(0, 2, len(cluster_I))) % len(PHRASES)

    @staticmethod
    def looks(ids: np.ndarray, cluster_I: np.ndarray, rng: np.random.Generator) -> OwnVectors:
        centre_CF = np.random.default_rng(7).normal(size=(CLUSTERS, OWN_DIM)).astype(np.float32)
        noise_IF = rng.standard_normal((len(cluster_I), OWN_DIM), dtype=np.float32)
        return OwnVectors(ids, centre_CF[cluster_I] + 0.7 * noise_IF)

    def interactions(self, cluster_I: np.ndarray, num_users: int, rng: np.random.Generator) -> Interactions:
        """Users like three clusters and take from each what is popular there; a tenth of the items is new."""
        order = rng.permutation(np.flatnonzero(rng.random(self.num_items) > COLD_SHARE))
        by_cluster = order[np.argsort(cluster_I[order], kind="stable")]
        size_C = np.bincount(cluster_I[order], minlength=CLUSTERS)
        start_C = np.cumsum(size_C) - size_C
        user_E = np.repeat(np.arange(num_users), EDGES_PER_USER)
        liked_U3 = rng.integers(0, CLUSTERS, (num_users, 3))
        cluster_E = liked_U3[user_E, rng.integers(0, 3, len(user_E))]
        place_E = (size_C[cluster_E] * rng.random(len(user_E)) ** 1.5).astype(np.int64)
        return Interactions.from_pairs(user_E, by_cluster[start_C[cluster_E] + place_E], num_users, self.num_items)


def synthetic_run(num_items: int, with_clip: bool, index: IndexConfig | None = None) -> Run:
    """The run of a world of so many items. `with_clip`: texts by the small CLIP in place of vectors of one's own."""
    config = CONFIG.model_copy(
        update={
            "features": CONFIG.features.model_copy(
                update={"use": ("text", "attributes") if with_clip else ("look", "attributes")}
            ),
            "index": index or CONFIG.index,
        }
    )
    small = Recommender(config, device="cpu").fit(World(SMALL).dataset())
    train = World(num_items, seed=1).dataset()
    features = _features(small, train)
    model = _model(small, train, features)
    clip = ClipIndex.build(train, features, config.index)
    if clip is not None:
        assert small.clip_ is not None
        clip = replace(clip, made_by=small.clip_.made_by)
    own = replace(train, own_vectors={})  # a run keeps the features, not the vectors as read
    return Run(config, own, features, model, ItemIndex.build(model.served_ID, config.index), {}, clip)


def _features(small: Recommender, train: Dataset) -> ItemFeatures:
    encoders = small.features_.encoders
    if not encoders.clip_kinds:
        return encoders.encode(train.catalogue, train.own_vectors)
    nothing = np.full(len(PHRASES), "", dtype=object)
    phrases = Catalogue(
        PHRASES.astype(object), PHRASES.astype(object), PHRASES.astype(object), nothing, None, nothing, Attributes()
    )
    vectors, _ = encoders.encode_vectors(phrases, {}, ContentEncoder(encoders.clip, "cpu", None))
    place_of = {phrase: place for place, phrase in enumerate(PHRASES.tolist())}
    phrase_I = np.array([place_of[title] for title in train.catalogue.title.tolist()])
    text = Modality.from_rows(vectors["text"].x_IF, phrase_I)
    return encoders.with_cards(train.catalogue, {"text": text})


def _model(small: Recommender, train: Dataset, features: ItemFeatures) -> GraphModel:
    view, model = SiteView.of(train), small.model_
    blocks = item_blocks(features, view.degree_I > 0)
    encoder = GraphSAGE(len(train.catalogue), blocks.x_IF.shape[1], small.config.model.encoder)
    trained = {name: one for name, one in model.encoder.state_dict().items() if not name.startswith("residual")}
    encoder.load_state_dict(trained, strict=False)
    assert encoder.residual is not None
    with torch.no_grad():
        encoder.residual.weight[torch.from_numpy(view.degree_I > 0)] = 0.01
    mixture = Mixture.model_validate(
        {**model.choices.mixture.model_dump(), "fold_in_share": 0.5, "raw_share": 0.3, "popularity_weight": 0.3}
    )
    choices = model.choices.model_copy(update={"mixture": mixture, "half_degree": 5.0})
    with _few_landmarks():
        return assemble(encoder.eval(), choices, view, blocks, small.config.model, seed=0)


@contextmanager
def _few_landmarks() -> Iterator[None]:
    before, kernel_ridge.MAX_LANDMARKS = kernel_ridge.MAX_LANDMARKS, LANDMARKS
    try:
        yield
    finally:
        kernel_ridge.MAX_LANDMARKS = before


def run_folder(scratch: Path, num_items: int, with_clip: bool = False, index: IndexConfig | None = None) -> Path:
    """The folder of such a run, made where it is not there yet; what changed in it since is let go of."""
    factory = "" if index is None else f"-{index.factory}"
    folder = scratch / f"synthetic-{num_items}{'-clip' if with_clip else ''}{factory}" / "run"
    if not folder.is_dir():
        started = time.monotonic()
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_run(synthetic_run(num_items, with_clip, index), folder)
        print(f"made {folder.parent.name} in {time.monotonic() - started:.0f} s", flush=True)
    for left in folder.glob(f"{JOURNAL}*"):
        left.unlink()
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--clip", action="store_true")
    parser.add_argument("--factory", help="FAISS factory; the default is that of the size")
    arguments = parser.parse_args()
    factory = IndexConfig(factory=arguments.factory, build_threads=2) if arguments.factory else None
    print(run_folder(arguments.scratch, arguments.items, arguments.clip, factory))
