"""Fitted recommenders of small worlds, with nothing searched for: choices are made up so that every part counts."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset, OwnVectors
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.graph.site_view import SiteView
from graphrec.models.choices import FittedChoices
from graphrec.models.graph_model import assemble
from graphrec.models.kernel import terms_of
from graphrec.models.other_sites import with_other_sites
from graphrec.models.parts import Mixture
from graphrec.models.ridge import HeadSettings
from graphrec.models.training import new_encoder
from graphrec.recommender import Recommender
from graphrec.retrieval.item_index import ItemIndex
from graphrec.run_folder import Run

NUM_USERS, NUM_ITEMS, STYLE = 50, 36, 5
HERE = 24
"""Items of the first site, where there are two; item HERE + i is item i there, for the first `LINKED`."""
LINKED = 8
HEAVY = 0
"""A user who touched nearly everything."""
COLD = (20, 21, 22, 23)
"""Items that nobody touched on their own site; the last two of the first site are sold nowhere else."""
WORDS = ("red", "green", "blue", "plain", "striped", "long", "short")


@dataclass(frozen=True)
class World:
    """A dataset of one site, or of two, and what a recommender was fitted to."""

    data: Dataset
    model: Recommender


def style_of(item_id):
    """Vectors that come with an item, by its id alone: the same wherever it turns up."""
    seed = sum(ord(letter) * (place + 1) for place, letter in enumerate(item_id))
    return np.random.default_rng(seed).normal(size=STYLE).astype(np.float32)


def record_of(item_id, seed=0):
    """What is known of an item, by its id and a seed alone."""
    rng = np.random.default_rng([seed, *map(ord, item_id)])
    return {
        "item_id": item_id,
        "title": " ".join(rng.choice(WORDS, 3)),
        "kind": str(rng.choice(["shoe", "hat", ""])),
        "tags": list(rng.choice(WORDS, int(rng.integers(0, 3)), replace=False)),
        "price": str(round(float(rng.uniform(1, 50)), 2)),
    }


def own_vectors(ids):
    """For `add_items` and `update_items`."""
    ids = list(ids)
    return {"style": OwnVectors(np.array(ids, dtype=object), np.stack([style_of(one) for one in ids]))}


def catalogue_of(records, more_categorical=()):
    """Of records as `record_of` makes them."""
    title = np.array([one["title"] for one in records], dtype=object)
    return Catalogue(
        item_ids=np.array([one["item_id"] for one in records], dtype=object), title=title, text=title,
        image=np.full(len(records), "", dtype=object), image_root=None,
        site=np.array([one.get("site", "") for one in records], dtype=object),
        attributes=Attributes(
            categorical={
                name: np.array([one.get(name, "") for one in records], dtype=object)
                for name in ("kind", *more_categorical)
            },
            multi_valued={"tags": [tuple(one["tags"]) for one in records]},
            numeric={"price": np.array([float(one["price"]) for one in records])},
        ),
    )  # fmt: skip


def dataset_of_two(target):
    """50 users and 36 items: of one site, or of two of which the first is the target."""
    rng = np.random.default_rng(5)
    site_I = np.array(["here"] * HERE + ["there"] * (NUM_ITEMS - HERE) if target else [""] * NUM_ITEMS, dtype=object)
    touched_UI = rng.random((NUM_USERS, NUM_ITEMS)) < 0.12
    touched_UI[HEAVY] = rng.random(NUM_ITEMS) < 0.9
    touched_UI[:, list(COLD)] = False
    touched_UI[-1] = False  # somebody who never did anything
    user, item = np.nonzero(touched_UI)
    user, item = (np.concatenate([one, one[:40]]) for one in (user, item))  # some did it twice
    weight = rng.integers(1, 4, len(user)).astype(np.float32)
    ids = np.array([f"i{item}" for item in range(NUM_ITEMS)], dtype=object)
    records = [record_of(one) | {"site": site} for one, site in zip(ids, site_I, strict=True)]
    links = np.arange(LINKED) if target else np.arange(0)
    data = Dataset(
        name="two",
        catalogue=catalogue_of(records),
        user_ids=np.array([f"u{user}" for user in range(NUM_USERS)], dtype=object),
        site_names=("here", "there") if target else (),
        interactions=Interactions(
            NUM_USERS, NUM_ITEMS, user, item, weight, np.full(len(user), np.nan), np.full(len(user), -1)
        ),
        own_vectors=own_vectors(ids),
        same_as=SameAs.of(links, HERE + links, np.ones(len(links))),
    )  # fmt: skip
    return data.for_site("here" if target else None)


def made_up_encoder(num_items, num_features, config, degree_I):
    """Like a trained one: no parameter is zero, and items that nobody touched have no residual."""
    encoder = new_encoder(num_items, num_features, config, 0, "cpu")
    encoder.start_from(np.zeros((num_items, num_features), np.float32), degree_I, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        encoder.residual.weight[torch.from_numpy(degree_I == 0)] = 0
    return encoder.eval()


def settings_of(blocks, penalty):
    """Every term of the kernel counts, no two alike."""
    return HeadSettings(
        weights={term.name: 0.2 + 0.05 * place for place, term in enumerate(terms_of(blocks))}, penalty=penalty
    )


def world_of(num_hops, target, raw_dim=4, fold_in_share=0.6, data=None, use="[style,attributes,words]", gate=False):
    """Of the dataset of two, or the one that is given."""
    data = dataset_of_two(target) if data is None else data
    fanouts = ",".join(["30"] * num_hops)
    config = GraphRecConfig.load(
        None,
        [
            f"features.use={use}", f"features.gate={str(gate).lower()}", "model.encoder.dim=6",
            f"model.encoder.fanouts=[{fanouts}]", f"model.raw_dim={raw_dim}",
        ],
    )  # fmt: skip
    view = SiteView.of(data)
    features = extract_features(data, view.degree_I > 0, config.features)
    blocks = item_blocks(features, view.degree_I > 0)
    wide = with_other_sites(blocks, view, config.model.site_dim, 0)
    choices = FittedChoices(
        epochs=1, ndcg_by_epoch=(0.1,), head=settings_of(blocks, 2.0), popularity_head=settings_of(blocks, 3.0),
        elsewhere_head=settings_of(wide, 2.0) if view.has_elsewhere else None,
        elsewhere_popularity_head=settings_of(wide, 3.0) if view.has_elsewhere else None,
        mixture=Mixture(fold_in_share=fold_in_share, raw_share=0.3, popularity_weight=0.2), half_degree=2.0,
        stretch=1.1,
    )  # fmt: skip
    encoder = made_up_encoder(len(data.catalogue), blocks.x_IF.shape[1], config.model.encoder, view.degree_I)
    model = assemble(encoder, choices, view, blocks, config.model, 0)
    run = Run(config, data, features, model, ItemIndex.build(model.served_ID, config.index))
    return World(data, Recommender(config, "cpu")._hold(run))


def fresh(world):
    """A recommender of the world that nothing has happened to."""
    run = replace(world.model._run)
    return Recommender(world.model.config, "cpu")._hold(run)
