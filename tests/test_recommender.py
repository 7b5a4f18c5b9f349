"""What a recommender answers, and that GraphSAGE's output is what it answers with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec import Recommender
from graphrec.comparison import compare_with
from graphrec.config import GraphRecConfig
from graphrec.errors import GraphRecError
from graphrec.models.checkpoint import Checkpoint
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.workflow import export_run, run_split

COLUMNS = ["user_id", "rank", "item_id", "score", "title", "degree", "source"]


@pytest.fixture(scope="module")
def users(fitted):
    """Seven known users, not in the order of their indices."""
    return [str(one) for one in fitted.train_.user_ids[[90, 4, 17, 3, 56, 149, 0]]]


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def seen_ids(model, user_id):
    events = model.train_.interactions
    user = model.train_.user_id_index.get_loc(user_id)
    return set(model.train_.catalogue.item_ids[events.item_index_E[events.user_index_E == user]])


def lists_of(table):
    """User id → item ids, best first."""
    return {user: list(rows["item_id"]) for user, rows in table.groupby("user_id", sort=False)}


def numpy_list(query_D, vectors_ID, excluded, k):
    """What anybody with the two vectors can compute: the slow twin of the index."""
    scores = (query_D.astype(np.float64) @ vectors_ID.astype(np.float64).T).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isin(order, excluded)][:k]
    return order, scores[order]


def mean_of_inputs(encoder, graph, x_IF):
    """GraphSAGE with its convolutions taken out: a user is the mean of what their items come in with."""
    import torch

    with torch.no_grad():
        start_ID = encoder._start(torch.arange(len(x_IF)), torch.from_numpy(x_IF)).numpy()
    matrix = (graph.items_of_user.matrix() > 0).astype(np.float32)
    mean_UD = (matrix @ start_ID) / np.maximum(graph.user_degree, 1)[:, None]

    def unit(x_ND):
        return x_ND / np.maximum(np.linalg.norm(x_ND, axis=1, keepdims=True), 1e-12)

    return Encoded(
        unit(start_ID), unit(mean_UD).astype(np.float32), start_ID[None], np.ones(len(mean_UD), dtype=np.float32)
    )


def test_each_user_gets_a_ranked_list_with_titles_degrees_and_sources(fitted, users):
    table = fitted.recommend(users, k=7)
    assert list(table.columns) == COLUMNS
    assert list(dict.fromkeys(table["user_id"])) == users
    assert list(table["rank"]) == [1, 2, 3, 4, 5, 6, 7] * len(users)
    assert (table.groupby("user_id")["score"].diff().dropna() <= 0).all()
    items = fitted.train_.catalogue.id_index.get_indexer(table["item_id"])
    assert list(table["title"]) == list(fitted.train_.catalogue.title[items])
    assert list(table["degree"]) == list(fitted.train_.interactions.item_degree()[items])
    assert set(table["source"]) <= {"content", "blend", "graph"}


def test_seen_items_are_left_out_unless_asked_for(fitted, users):
    num_items = len(fitted.train_.catalogue)
    without, everything = fitted.recommend(users, num_items), fitted.recommend(users, num_items, exclude_seen=False)
    catalogue = set(fitted.train_.catalogue.item_ids)
    for user in users:
        assert set(lists_of(without)[user]) == catalogue - seen_ids(fitted, user)
        assert len(seen_ids(fitted, user)) > 0
        assert set(lists_of(everything)[user]) == catalogue


def test_only_new_gives_items_without_an_edge_and_nothing_else(fitted, users):
    table = fitted.recommend(users, k=1000, only_new=True)
    cold = set(fitted.train_.catalogue.item_ids[fitted.train_.interactions.item_degree() == 0])
    assert set(table["degree"]) == {0}
    assert set(table["source"]) == {"content"}
    assert all(set(items) == cold for items in lists_of(table).values())
    of_basket = fitted.recommend_from_items(sorted(seen_ids(fitted, users[0])), k=1000, only_new=True)
    assert set(of_basket["item_id"]) == cold
    whole = fitted.recommend(users, k=1000)
    assert list(table["item_id"]) == list(whole[whole["degree"] == 0]["item_id"])  # the same order as among all


def test_a_k_larger_than_the_catalogue_gives_every_eligible_item_once(fitted, users):
    items = lists_of(fitted.recommend(users[:1], k=10_000))[users[0]]
    assert len(items) == len(set(items)) == len(fitted.train_.catalogue) - len(seen_ids(fitted, users[0]))


def test_wrong_requests_are_told_in_one_line(fitted, users, without_history):
    assert "got 0" in error_of(lambda: fitted.recommend(users, k=0))
    assert "got -3" in error_of(lambda: fitted.recommend_from_items(["MW-10596"], k=-3))
    assert "Unknown user 'nobody'" in error_of(lambda: fitted.recommend([users[0], "nobody"]))
    assert f"User '{without_history}' has no interaction" in error_of(lambda: fitted.recommend([without_history]))
    assert f"write ['{users[0]}']" in error_of(lambda: fitted.recommend(users[0]))
    item = fitted.train_.catalogue.item_ids[0]
    assert "unknown item 'no-such'" in error_of(lambda: fitted.recommend_from_items([item, "no-such"]))
    assert "no item given" in error_of(lambda: fitted.recommend_from_items([]))
    assert f"write ['{item}']" in error_of(lambda: fitted.recommend_from_items(item))


def test_asking_for_nobody_gives_an_empty_table(fitted):
    table = fitted.recommend([])
    assert list(table.columns) == COLUMNS
    assert len(table) == 0


def test_a_visitor_gets_what_a_known_user_with_the_same_items_gets(fitted, users):
    model = fitted.model_
    for user_id in users:
        basket = sorted(seen_ids(fitted, user_id))
        items = fitted.train_.catalogue.id_index.get_indexer(basket)
        user = fitted.train_.user_id_index.get_loc(user_id)
        visitor_1D = model.encoder.encode_users(model.encoded.states_LID, [items])
        np.testing.assert_allclose(visitor_1D[0], model.encoded.q_UD[user], atol=1e-5)
        known, visitor = fitted.recommend([user_id]), fitted.recommend_from_items([*basket, basket[0]])
        assert list(visitor.columns) == COLUMNS[1:]
        assert list(visitor["item_id"]) == list(known["item_id"])
        np.testing.assert_allclose(visitor["score"], known["score"], rtol=1e-4)


def test_an_answer_does_not_depend_on_who_else_asks(fitted, users):
    together = fitted.recommend(users, k=9)
    alone = pd.concat([fitted.recommend([user], k=9) for user in users], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)


def test_a_saved_recommender_answers_bit_for_bit_alike(fitted, loaded, users):
    pd.testing.assert_frame_equal(loaded.recommend(users), fitted.recommend(users), check_exact=True)
    basket = sorted(seen_ids(fitted, users[0]))
    pd.testing.assert_frame_equal(
        loaded.recommend_from_items(basket), fitted.recommend_from_items(basket), check_exact=True
    )
    for kind in ("item", "user"):
        before, after = fitted.embeddings(kind), loaded.embeddings(kind)
        assert np.asarray(after.vectors).tobytes() == before.vectors.tobytes()
        assert [list(getattr(after, name)) for name in ("ids", "degree", "source")] == [
            list(getattr(before, name)) for name in ("ids", "degree", "source")
        ]
    assert loaded.version == fitted.version
    assert loaded.config == fitted.config
    assert loaded.model_.choices == fitted.model_.choices
    pools = ("cold", "warm", "full")
    assert (
        compare_with(loaded, run_split(loaded), pool=pools).to_json()
        == compare_with(fitted, run_split(fitted), pool=pools).to_json()
    )


def test_a_loaded_recommender_can_be_saved_in_its_own_place(loaded, run_copy, users):
    Recommender.load(run_copy).save(run_copy)
    pd.testing.assert_frame_equal(
        Recommender.load(run_copy).recommend(users), loaded.recommend(users), check_exact=True
    )


def test_the_same_settings_and_data_give_the_same_run(fitted, quick_config):
    again = Recommender(quick_config, device="cpu").fit(fitted.train_)
    assert again.version == fitted.version
    assert again.embeddings("user").vectors.tobytes() == fitted.embeddings("user").vectors.tobytes()


def test_an_item_without_an_edge_is_served_its_content_vector_bit_for_bit(fitted, loaded):
    for model in (fitted.model_, loaded.model_):
        is_new_I = model.degree_I == 0
        assert 0 < is_new_I.sum() < len(is_new_I)
        assert np.array_equal(model.degree_I, fitted.train_.interactions.item_degree())
        served, content = (np.ascontiguousarray(x[is_new_I]) for x in (model.served_ID, model.content_ID))
        assert served.tobytes() == content.tobytes()
        assert not np.array_equal(model.served_ID[~is_new_I], model.content_ID[~is_new_I])
    source = fitted.embeddings("item").source
    assert np.array_equal(source == "content", fitted.model_.degree_I == 0)


def test_users_without_history_are_marked_in_the_embeddings(fitted, without_history):
    embeddings = fitted.embeddings("user")
    row = list(embeddings.ids).index(without_history)
    assert np.array_equal(embeddings.source == "none", embeddings.degree == 0)
    assert embeddings.source[row] == "none"


@settings(max_examples=30, deadline=None)
@given(user=st.integers(0, 149), k=st.integers(1, 140), exclude_seen=st.booleans(), only_new=st.booleans())
def test_plain_inner_products_of_the_embeddings_give_the_same_lists(fitted, user, k, exclude_seen, only_new):
    items, users = fitted.embeddings("item"), fitted.embeddings("user")
    table = fitted.recommend([users.ids[user]], k, exclude_seen, only_new)
    excluded = fitted.seen[[user]].indices if exclude_seen else np.empty(0, dtype=np.int64)
    if only_new:
        excluded = np.union1d(excluded, np.flatnonzero(items.degree > 0))
    order, scores = numpy_list(users.vectors[user], items.vectors, excluded, k)
    assert list(table["item_id"]) == list(items.ids[order])
    assert table["score"].to_numpy().tobytes() == scores.tobytes()


def test_the_exported_parquet_gives_the_same_lists(loaded, tmp_path):
    export_run(loaded, "parquet", tmp_path / "vectors")
    items, users = (pd.read_parquet(tmp_path / "vectors" / f"{name}.parquet") for name in ("items", "users"))
    vectors_ID, query_UD = np.stack(items["vector"]), np.stack(users["vector"])
    known = users.index[users["degree"] > 0]
    lists = lists_of(loaded.recommend(list(users["id"][known]), k=20))
    for user in known:
        seen = items.index[items["id"].isin(seen_ids(loaded, users["id"][user]))]
        order, _ = numpy_list(query_UD[user], vectors_ID, seen, 20)
        assert list(items["id"][order]) == lists[users["id"][user]]


def test_the_query_is_what_graphsage_makes_of_the_users_items(loaded, saved_run):
    """The convolution by hand, from the run's files: W_l · mean of the items' inputs + b + W_r · the common start."""
    weights = safetensors.numpy.load_file(saved_run / "encoder.safetensors")
    (input_ID,) = np.load(saved_run / "item_states.npy")
    for user_id in loaded.train_.user_ids[[5, 60, 149]]:
        items = loaded.train_.catalogue.id_index.get_indexer(sorted(seen_ids(loaded, user_id)))
        out_D = weights["layers.0.user.lin_l.weight"] @ input_ID[items].mean(axis=0)
        out_D += weights["layers.0.user.lin_l.bias"] + weights["layers.0.user.lin_r.weight"] @ weights["user_start"]
        q_1D = (out_D / np.linalg.norm(out_D))[None]
        user = loaded.train_.user_id_index.get_loc(user_id)
        model, choices = loaded.model_, loaded.model_.choices
        raw_1R = model.graph_ID[items, q_1D.shape[1] : -1].sum(axis=0, keepdims=True)
        learned_1D = model.scale.query(q_1D, choices.mixture.popularity_weight)
        expected_1D = np.hstack(
            [
                (1 - choices.mixture.raw_share) * learned_1D[:, :-1],
                choices.mixture.raw_share * model.raw_scale.scaled(raw_1R),
                learned_1D[:, -1:],
            ]
        )
        np.testing.assert_allclose(loaded.queries(np.array([user])), expected_1D, rtol=1e-3, atol=1e-4)
        order, _ = numpy_list(expected_1D[0], loaded.embeddings("item").vectors, loaded.seen[[user]].indices, 5)
        assert list(loaded.recommend([user_id], 5)["item_id"]) == list(loaded.train_.catalogue.item_ids[order])


@pytest.fixture
def unchecked(monkeypatch):
    """Vectors that are not what training makes of the data would be refused as a leak."""
    monkeypatch.setattr("graphrec.comparison.side_by_side.check_leaks", lambda model, split: ())


def test_recall_and_eval_search_with_the_output_of_graphsage(fitted, users, unchecked):
    """With q replaced by GraphSAGE's input, and nothing else changed, both must answer differently."""
    replaced = mean_of_inputs(fitted.model_.encoder, fitted.graph, fitted.blocks.x_IF)
    split = run_split(fitted)
    pool = np.arange(len(fitted.train_.catalogue))
    everyone = np.flatnonzero(fitted.graph.user_degree)
    before = fitted.recommend(users), fitted.rank(everyone, pool, None, 20)
    metrics = compare_with(fitted, split, ["content", "graph"]).pools[0].arms
    other = Recommender(fitted.config, fitted.device)
    vars(other).update({name: value for name, value in vars(fitted).items() if name.endswith("_")})
    other.model_ = replace(fitted.model_, encoded=replace(fitted.model_.encoded, q_UD=replaced.q_UD))
    assert list(other.recommend(users)["item_id"]) != list(before[0]["item_id"])
    assert (other.rank(everyone, pool, None, 20).items_UK != before[1].items_UK).any(axis=1).mean() > 0.5
    content, graph = compare_with(other, split, ["content", "graph"]).pools[0].arms
    assert content == metrics[0]
    assert graph.metrics != metrics[1].metrics


def test_training_goes_through_graphsage_too(fitted, quick_config, users, monkeypatch, unchecked):
    """With `encode` handing out its inputs, the vectors, the lists and the metrics of a whole fit change."""
    monkeypatch.setattr(GraphSAGE, "encode", lambda self, graph, x_IF: mean_of_inputs(self, graph, x_IF))
    without = Recommender(quick_config, device="cpu").fit(fitted.train_, held_out=fitted.held_out_)
    assert without.version != fitted.version
    assert list(without.recommend(users)["item_id"]) != list(fitted.recommend(users)["item_id"])
    arms = ["content", "graph"]
    with_sage = compare_with(fitted, run_split(fitted), arms).pools[0].arms
    without_sage = compare_with(without, run_split(without), arms).pools[0].arms
    assert with_sage[0] == without_sage[0]
    assert with_sage[1].metrics != without_sage[1].metrics


def test_a_cuda_device_that_is_not_there_is_told_in_one_line(fitted):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    assert "No CUDA device" in error_of(lambda: Recommender(device="cuda").fit(fitted.train_))


def test_a_fit_with_a_checkpoint_keeps_it_until_the_model_is_saved(small_dataset, tmp_path):
    config = GraphRecConfig.load(None, ["model.encoder.dim=4", "model.training.max_epochs=1", "model.tuning.tries=1"])
    config = config.model_copy(update={"features": config.features.model_copy(update={"use": ("attributes",)})})
    path, said = tmp_path / "fit.checkpoint", []
    first = Recommender(config, "cpu").fit(small_dataset, checkpoint=path, say=said.append)
    assert path.exists()
    again = Recommender(config, "cpu").fit(small_dataset, checkpoint=path, say=said.append)
    assert said == [f"Resuming at the end of the training on everything ({path})."]
    assert again.version == first.version
    again.save(tmp_path / "run")
    assert [one.name for one in tmp_path.iterdir()] == ["run"]
    Checkpoint(path, "of another fit").keep("the search", 1, True, {})
    first.save(tmp_path / "run")
    assert path.exists()  # only its own is deleted
