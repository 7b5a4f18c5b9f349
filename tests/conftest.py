"""A small sample store and a run trained on it once; tests that change a run work on a copy."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphrec import cli
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.dataset import Dataset
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs
from graphrec.data.sample_store import SampleStoreConfig, write_sample_store
from graphrec.recommender import Recommender
from graphrec.workflow import train_run

QUICK = ("model.encoder.dim=16", "model.training.max_epochs=2", "model.tuning.tries=8")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small arrays: more threads cost more than they bring, and a machine that is busy elsewhere stalls them."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_store(tmp_path_factory):
    """The folder of a store with 120 items, 26 of them cold in the run, and 150 users."""
    config = SampleStoreConfig(products_per_site=60, shared_products=25, num_users=150, seed=3)
    return write_sample_store(tmp_path_factory.mktemp("small") / "store", config)


@pytest.fixture(scope="session")
def dataset_of_sites():
    """Makes a dataset of sites without files.

    Item i belongs to site `site_I[i]` and has the id `<site>-<i>`; `pairs` are (user, item) events, `links` are
    (item, item, probability) that two are one product.
    """

    def make(site_I, pairs, links=(), target_site=None, num_users=None, own_vectors=None):
        user_E, item_E = np.asarray(list(pairs), dtype=np.int64).reshape(-1, 2).T
        num_users = int(user_E.max(initial=-1)) + 1 if num_users is None else num_users
        site_I = np.asarray(site_I, dtype=object)
        empty_I, ids = np.full(len(site_I), "", dtype=object), [f"{site}-{item}" for item, site in enumerate(site_I)]
        one_P, other_P, weight_P = zip(*links, strict=True) if links else ([], [], [])
        return Dataset(
            name="sites",
            catalogue=Catalogue(
                item_ids=np.array(ids, dtype=object), title=empty_I, text=empty_I, image=empty_I, image_root=None,
                site=site_I, attributes=Attributes(),
            ),
            user_ids=np.array([f"u{user}" for user in range(num_users)], dtype=object),
            site_names=tuple(dict.fromkeys(site_I.tolist())),
            interactions=Interactions.from_pairs(user_E, item_E, num_users, len(site_I)),
            own_vectors=own_vectors or {},
            same_as=SameAs.of(np.array(one_P), np.array(other_P), np.array(weight_P)),
        ).for_site(target_site)  # fmt: skip

    return make


@pytest.fixture(scope="session")
def without_history():
    """The id of a user who never did anything."""
    return "u-without-history"


@pytest.fixture(scope="session")
def small_dataset(small_store, without_history):
    """The store with one more user, `without_history`."""
    dataset = Dataset.load(small_store)
    interactions = replace(dataset.interactions, num_users=dataset.interactions.num_users + 1)
    return replace(
        dataset, user_ids=np.append(dataset.user_ids, without_history).astype(object), interactions=interactions
    )


@pytest.fixture(scope="session")
def quick_config():
    return GraphRecConfig.load(None, QUICK)


@pytest.fixture(scope="session")
def fitted_and_saved(small_dataset, quick_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "latest"
    return train_run(small_dataset, quick_config, folder, device="cpu"), folder


@pytest.fixture(scope="session")
def fitted(fitted_and_saved):
    """The recommender as it came out of `fit`."""
    return fitted_and_saved[0]


@pytest.fixture(scope="session")
def saved_run(fitted_and_saved):
    """The run folder that it wrote: to be read, never to be changed."""
    return fitted_and_saved[1]


@pytest.fixture(scope="session")
def loaded(saved_run):
    """The recommender as another process reads it."""
    return Recommender.load(saved_run, device="cpu")


@pytest.fixture
def run_copy(saved_run, tmp_path):
    """A copy of the run folder that a test may change, at runs/latest."""
    return shutil.copytree(saved_run, tmp_path / "runs" / "latest")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """No command runs in the repository."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def graphrec(monkeypatch, capsys):
    """Run a command line as the installed script would: (exit code, standard output, standard error)."""

    def run(*arguments: object):
        monkeypatch.setattr(sys, "argv", ["graphrec", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code or 0, *capsys.readouterr()

    return run
