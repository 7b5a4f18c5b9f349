"""The small store's run behind the application."""

import shutil

import pytest
from in_process import Served


@pytest.fixture(scope="module")
def folder(saved_run, tmp_path_factory):
    """A copy of the run for the tests of one file: serving a run writes into its folder."""
    return shutil.copytree(saved_run, tmp_path_factory.mktemp("served") / "latest")


@pytest.fixture(scope="session")
def served(saved_run, tmp_path_factory):
    """Everybody may read; tests that write take `writable`."""
    with Served(shutil.copytree(saved_run, tmp_path_factory.mktemp("served") / "latest")) as one:
        yield one


@pytest.fixture
def writable(run_copy):
    """A copy of the run, to be changed."""
    with Served(run_copy) as one:
        yield one


@pytest.fixture(scope="session")
def client(served):
    return served.client


@pytest.fixture(scope="session")
def known_user(fitted):
    """Somebody with a history."""
    degree_U = fitted.train_.interactions.user_degree()
    return str(fitted.train_.user_ids[int(degree_U.argmax())])


@pytest.fixture(scope="session")
def picture(small_store):
    """The path of one of the store's pictures."""
    return sorted((small_store / "images").glob("*.png"))[0]
