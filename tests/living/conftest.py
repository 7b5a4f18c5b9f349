import pytest
from living_worlds import world_of


@pytest.fixture(scope="session")
def make_world():
    """Makes each world once; see `living_worlds.fresh` for a recommender of it that a test may change."""
    made = {}

    def make(num_hops=1, target=False, raw_dim=4, fold_in_share=0.6):
        key = (num_hops, target, raw_dim, fold_in_share)
        if key not in made:
            made[key] = world_of(*key)
        return made[key]

    return make
