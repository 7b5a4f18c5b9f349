"""What the model makes of another site's log, and what it must not."""

from dataclasses import replace

import numpy as np
import pytest

from graphrec.baselines.arm import TrainingInput
from graphrec.baselines.registry import BASELINES
from graphrec.errors import GraphRecError
from graphrec.graph.site_view import SiteView
from graphrec.models.graph_model import assemble
from graphrec.models.other_sites import is_present, with_other_sites

DIM = 8


def share_in_order(score_UI, likes_UI):
    """How often an item of the user's kind scores above one of another kind; 0.5 by chance."""
    shares = [
        (score_I[likes_I][:, None] > score_I[~likes_I]).mean()
        for score_I, likes_I in zip(score_UI, likes_UI, strict=True)
        if likes_I.any() and not likes_I.all()
    ]
    return np.mean(shares)


def in_order(model, shops, users, items):
    score_UI = model.queries(users) @ model.model_.served_ID[items].T
    return share_in_order(score_UI, shops.likes_UI[np.ix_(users, items)])


@pytest.fixture
def customers():
    return np.arange(120)


def test_there_are_cold_items_of_both_sorts(two_shops):
    assert len(two_shops.cold_known) >= 8
    assert len(two_shops.cold_unknown) >= 4


def test_what_others_did_finds_who_likes_an_item_that_is_new_here(two_shops, cross_model, lonely_model, customers):
    """The features know nothing of it: with them alone it is guessing."""
    known = two_shops.cold_known
    assert in_order(cross_model, two_shops, customers, known) > 0.9
    assert in_order(lonely_model, two_shops, customers, known) < 0.7
    assert in_order(cross_model, two_shops, customers, two_shops.cold_unknown) < 0.7  # nobody knows these


def test_somebody_of_whom_only_the_other_site_knows_is_served_by_taste(two_shops, cross_model):
    warm = np.flatnonzero(cross_model.model_.degree_I)
    assert in_order(cross_model, two_shops, two_shops.visitors, warm) > 0.75
    assert in_order(cross_model, two_shops, two_shops.visitors, two_shops.cold_known) > 0.75


def test_an_item_nobody_touched_anywhere_is_served_its_content_bit_for_bit(two_shops, cross_model):
    model = cross_model.model_
    served_ID, content_ID = (np.asarray(array).view(np.uint32) for array in (model.served_ID, model.content_ID))
    is_content_I = (served_ID == content_ID).all(axis=1)
    assert is_content_I[two_shops.cold_unknown].all()
    touched_anywhere_I = (model.degree_I > 0) | (model.degree_elsewhere_I > 0)
    np.testing.assert_array_equal(is_content_I, ~touched_anywhere_I)


def test_degrees_are_counted_here_and_there(two_shops, cross_model):
    inter = two_shops.split.train.interactions
    degree_I = inter.item_degree()
    np.testing.assert_array_equal(cross_model.model_.degree_I[:90], degree_I[:90])
    assert not cross_model.model_.degree_I[90:].any()
    np.testing.assert_array_equal(cross_model.model_.degree_elsewhere_I[:60], degree_I[90:150])
    assert not cross_model.model_.degree_elsewhere_I[60:].any()


@pytest.fixture
def assembled(two_shops, cross_model):
    """The trained encoder and its choices, on another view, and with the heads that read other sites or without."""
    fitted, config = cross_model.model_, cross_model.config

    def make(view=None, elsewhere=True, blocks=cross_model.blocks):
        choices = fitted.choices
        if not elsewhere:
            choices = choices.model_copy(update={"elsewhere_head": None, "elsewhere_popularity_head": None})
        view = SiteView.of(two_shops.split.train) if view is None else view
        return assemble(fitted.encoder, choices, view, blocks, config.model, config.seed)

    return make


def learned_and_popularity(model):
    return np.delete(model.content_ID, np.s_[DIM:-1], axis=1)


def test_the_head_of_features_alone_is_the_one_there_would_be_without_other_sites(assembled, cross_model):
    """Given where the graph puts the warm items: learned part and popularity, up to rounding of wider products."""
    both, alone = assembled(), assembled(elsewhere=False)
    np.testing.assert_allclose(both.content_ID, cross_model.model_.content_ID, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(learned_and_popularity(both), learned_and_popularity(alone), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(alone.served_ID[alone.degree_I == 0], alone.content_ID[alone.degree_I == 0])


def test_what_others_do_with_other_items_moves_no_content_vector(two_shops, assembled):
    """The blocks of half the items are taken away: learned part and popularity of c stay, bit for bit, as does what an
    item that nobody touched is served of them; the raw block, a ridge over all blocks, moves for everything."""
    view = SiteView.of(two_shops.split.train)
    fewer_UI = view.elsewhere["there"].tolil()
    fewer_UI[:, ::2] = 0
    fewer_UI = fewer_UI.tocsr()
    fewer_UI.eliminate_zeros()
    one, other = assembled(view), assembled(replace(view, elsewhere={"there": fewer_UI}))
    np.testing.assert_array_equal(learned_and_popularity(one), learned_and_popularity(other))
    unknown = two_shops.cold_unknown
    for model in (one, other):
        np.testing.assert_array_equal(model.served_ID[unknown], model.content_ID[unknown])
    known = two_shops.cold_known
    assert not np.array_equal(one.served_ID[known], other.served_ID[known])  # the check can fail
    odd, even = known[known % 2 == 1], known[known % 2 == 0]
    np.testing.assert_array_equal(other.served_ID[even], other.content_ID[even])
    assert (other.served_ID[odd] != other.content_ID[odd]).any(axis=1).all()


def test_features_of_an_item_nobody_touched_move_its_own_vector_and_no_other(two_shops, cross_model, assembled):
    """The encoder sees features too, but a new item is nobody's neighbour."""
    blocks, item = cross_model.blocks, two_shops.cold_unknown[0]
    x_IF = blocks.x_IF.copy()
    x_IF[item] *= -1
    one, other = assembled(), assembled(blocks=replace(blocks, x_IF=x_IF))
    rest = np.arange(len(x_IF)) != item
    for name in ("content_ID", "served_ID"):
        np.testing.assert_array_equal(getattr(one, name)[rest], getattr(other, name)[rest], err_msg=name)
        assert not np.array_equal(getattr(one, name)[item], getattr(other, name)[item])


def test_a_cold_items_block_is_the_one_of_the_whole_log(two_shops, cross_model):
    """What was held out here takes no part in it."""
    views = [SiteView.of(data) for data in (two_shops.split.train, two_shops.dataset)]
    blocks = [with_other_sites(cross_model.blocks, view, 256, 0) for view in views]
    np.testing.assert_array_equal(blocks[0].x_IF, blocks[1].x_IF)
    np.testing.assert_array_equal(np.flatnonzero(is_present(blocks[0])), np.arange(60))


def test_the_choices_say_which_blocks_the_heads_read(cross_model, lonely_model):
    choices = cross_model.model_.choices
    assert choices.elsewhere_head is not None
    assert {name for name in choices.elsewhere_head.weights if "site:" in name}
    assert not {name for name in choices.head.weights if "site:" in name}
    assert lonely_model.model_.choices.elsewhere_head is None


@pytest.mark.parametrize(("name", "low", "high"), [("content", 0.3, 0.7), ("content-cross-site", 0.9, 1.0)])
def test_the_content_arm_finds_them_with_other_sites_blocks_and_not_without(
    two_shops, cross_model, customers, name, low, high
):
    known, train = two_shops.cold_known, two_shops.split.train
    inputs = TrainingInput(train, cross_model.blocks, cross_model.config.model.tuning)
    arm = BASELINES[name]().fit(inputs)
    lists = arm.rank(customers, known, None, len(known))
    score_UI = np.full((len(customers), len(two_shops.likes_UI[0])), np.nan)
    np.put_along_axis(score_UI, lists.items_UK, lists.scores_UK, axis=1)
    assert low < share_in_order(score_UI[:, known], two_shops.likes_UI[np.ix_(customers, known)]) <= high


def test_the_arm_of_other_sites_is_refused_where_there_are_none(two_shops):
    with pytest.raises(GraphRecError, match="content-cross-site needs a target site"):
        BASELINES["content-cross-site"]().check(two_shops.split.train.for_site(None))
