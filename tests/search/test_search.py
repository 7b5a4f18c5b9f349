"""Searching a fitted run by text, picture and items."""

import shutil
import struct
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from graphrec.data.description import DatasetDescription
from graphrec.data.filters import Filters
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.clip_loading import SMALL_FOLDER
from graphrec.features.modality import Modality
from graphrec.recommender import Recommender
from graphrec.retrieval.clip_space import ClipSpace, Part
from graphrec.retrieval.pair_weights import KINDS, PairWeights
from graphrec.run_folder import Run, read_run, write_run
from graphrec.search.clip_index import ClipIndex
from graphrec.search.query import SearchQuery
from graphrec.search.query_encoder import QueryEncoder
from graphrec.search.searcher import Searcher

COLUMNS = [
    "rank", "item_id", "score", "title", "degree", "source", "site", "matched", "from_image", "from_text",
]  # fmt: skip


def error_of(call):
    with pytest.raises(GraphRecError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def picture(fitted, small_store):
    """The path of the first item's picture that was encoded."""
    catalogue = fitted.train_.catalogue
    item = int(np.flatnonzero(fitted.clip_.space.route_I == "both")[0])
    return small_store / catalogue.image[item]


@pytest.fixture(scope="module")
def item_of(fitted):
    """Route → the id of one item on it."""
    route_I, ids = fitted.clip_.space.route_I, fitted.train_.catalogue.item_ids
    return {route: str(ids[np.flatnonzero(route_I == route)[0]]) for route in ("both", "image", "text")}


def test_a_text_gives_a_ranked_list_that_says_why(fitted):
    table = fitted.search("red dress", k=7)
    assert list(table.columns) == COLUMNS
    assert list(table["rank"]) == [1, 2, 3, 4, 5, 6, 7]
    assert (table["score"].diff().dropna() <= 0).all()
    np.testing.assert_allclose(table["from_image"] + table["from_text"], table["score"], atol=1e-5)
    catalogue = fitted.train_.catalogue
    items = catalogue.id_index.get_indexer(table["item_id"])
    assert list(table["site"]) == list(catalogue.site[items])
    assert list(table["matched"]) == list(fitted.clip_.space.route_I[items])


def test_a_text_is_searched_as_the_clip_encodes_it(fitted):
    space = fitted.clip_.space
    text_D = ClipEncoder(fitted.config.features.clip).encode_texts(["red dress"])[0]
    query_E = space.query([Part("text", text_D)], fitted.clip_.learned or PairWeights.default())
    scores = (space.vectors_IE.astype(np.float64) @ query_E.astype(np.float64)).astype(np.float32)
    scores[space.route_I == "neither"] = -np.inf
    table = fitted.search(text="red dress", k=9)
    best = np.argsort(-scores, kind="stable")[:9]
    assert list(table["item_id"]) == list(fitted.train_.catalogue.item_ids[best])
    np.testing.assert_array_equal(table["score"], scores[best])


def test_an_items_own_picture_finds_it_first(fitted, picture):
    table = fitted.search(image=picture, k=3)
    assert str(table["item_id"][0]) == picture.stem


def test_items_alone_need_no_model_and_are_left_out(loaded, item_of, monkeypatch):
    monkeypatch.setattr("graphrec.search.query_encoder.ClipEncoder", lambda *_: pytest.fail("loaded a CLIP"))
    model = Recommender(loaded.config, "cpu")._hold(_run_of(loaded))
    everything = model.search(items=list(item_of.values()), k=1000)
    assert not set(item_of.values()) & set(everything["item_id"])
    assert len(everything) == len(loaded.train_.catalogue) - 3


def test_the_clip_is_loaded_once(loaded, picture, monkeypatch):
    loads = []

    def count(config, device):
        loads.append(config)
        return ClipEncoder(config, device)

    monkeypatch.setattr("graphrec.search.query_encoder.ClipEncoder", count)
    model = Recommender(loaded.config, "cpu")._hold(_run_of(loaded))
    for _ in range(2):
        model.search(text="hat", image=picture, k=1)
    assert len(loads) == 1


def test_a_saved_run_gives_the_same_answers(fitted, loaded, picture, item_of):
    for asked in (
        {"text": "striped jumper"},
        {"image": picture},
        {"text": ["boots", "brown"], "image": [picture, picture], "items": item_of["text"], "weights": "learned"},
        {"items": item_of["image"], "but": "red", "without": ["blue"], "rerank": 30},
    ):
        before, after = fitted.search(**asked), loaded.search(**asked)
        pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_k_larger_than_the_catalogue_gives_every_item_once_and_those_without_content_last(fitted):
    degree = fitted.model_.degree_I
    no_text, no_image = np.arange(len(degree)) % 9 == 0, np.arange(len(degree)) % 6 == 0
    features = {
        kind: Modality(np.where(gone[:, None], 0, one.x_IF).astype(np.float32), one.present_I & ~gone)
        for kind, gone in (("image", no_image), ("text", no_text))
        for one in [fitted.features_.modalities[kind]]
    }
    space = ClipSpace.build(features, is_shared=True)
    clip = replace(fitted.clip_, space=space, index=type(fitted.index_).build(space.vectors_IE))
    found = searcher_of(fitted, clip).search(SearchQuery(("hat",)), 10_000)
    assert sorted(found.items_K) == list(range(len(degree)))
    neither = np.flatnonzero(space.route_I == "neither")
    assert found.items_K[-len(neither) :].tolist() == neither.tolist()
    assert set(found.route_K[-len(neither) :]) == {"neither"}
    assert np.isnan(found.scores_K[-len(neither) :]).all()
    assert np.isfinite(found.scores_K[: -len(neither)]).all()


@settings(max_examples=40, deadline=None)
@given(
    k=st.integers(1, 140),
    sites=st.lists(st.sampled_from(["harbour", "meadow"]), unique=True, max_size=2),
    categories=st.lists(st.sampled_from(["dress", "bag", "hat"]), unique=True, max_size=3),
    price=st.sampled_from([None, "20..80", "..60", "90.."]),
    only_new=st.booleans(),
    excluded=st.lists(st.integers(0, 119), max_size=30),
)
def test_k_items_come_back_while_k_are_eligible(fitted, k, sites, categories, price, only_new, excluded):
    catalogue, degree = fitted.train_.catalogue, fitted.model_.degree_I
    where = [f"category={'|'.join(categories)}"] * bool(categories) + [f"price={price}"] * bool(price)
    filters = Filters(tuple(sites), tuple(where), tuple(str(catalogue.item_ids[i]) for i in excluded), only_new)
    attributes = catalogue.attributes
    eligible = {
        str(catalogue.item_ids[item])
        for item in range(len(catalogue))
        if (not sites or catalogue.site[item] in sites)
        and (not categories or attributes.categorical["category"][item] in categories)
        and (not price or _is_within(attributes.numeric["price"][item], price))
        and (not only_new or degree[item] == 0)
        and item not in excluded
    }
    if not eligible:
        assert "leaves 0 of the" in error_of(lambda: fitted.search(text="something", k=k, filters=filters))
        return
    found = list(fitted.search(text="something blue", k=k, filters=filters)["item_id"])
    assert len(found) == len(set(found)) == min(k, len(eligible))
    assert set(found) <= eligible


def test_recommendations_can_be_filtered_alike(fitted, item_of):
    user = str(fitted.train_.user_ids[4])
    filters = Filters(site=("meadow",), where=("price=..70",))
    for table in (
        fitted.recommend([user], 1000, filters=filters),
        fitted.recommend_from_items([item_of["both"]], 1000, filters=filters),
    ):
        items = fitted.train_.catalogue.id_index.get_indexer(table["item_id"])
        assert len(items)
        assert set(fitted.train_.catalogue.site[items]) == {"meadow"}
        assert (fitted.train_.catalogue.attributes.numeric["price"][items] <= 70).all()
    assert set(fitted.recommend([user], 1000, only_new=True, filters=filters)["degree"]) == {0}


def test_weights_move_the_order_from_the_picture_to_the_text(fitted, picture):
    def order(**how: object):
        return list(fitted.search(text="yellow hat", image=picture, k=20, **how)["item_id"])

    text_alone, image_alone = (
        list(fitted.search(**one, k=20)["item_id"]) for one in ({"text": "yellow hat"}, {"image": picture})
    )
    # All items are candidates, so the second stage alone decides.
    assert order(weights="text=1,image=0", rerank=1000) == text_alone
    assert order(weights="text=0,image=1", rerank=1000) == image_alone
    assert order(weights={"text": 0.5, "image": 0.5}) == order(weights="equal") == order(weights="equal", rerank="none")
    assert order(weights="learned") == order()
    few = fitted.search(text="yellow hat", image=picture, k=3, weights="text=1,image=0", rerank=3)["item_id"]
    assert set(few) == set(order(weights="equal", rerank="none")[:3])  # the first stage's candidates only


def test_like_this_but_red_moves_towards_red(fitted, picture):
    catalogue = fitted.train_.catalogue
    colour = catalogue.attributes.categorical["colour"]

    def num_red(**asked: object):
        found = fitted.search(image=picture, k=8, **asked)["item_id"]
        return (colour[catalogue.id_index.get_indexer(found)] == "red").sum()

    assert num_red() == 0
    assert num_red(but="red") > 0


def test_wrong_requests_are_told_in_one_line(fitted, picture, tmp_path):
    assert error_of(fitted.search) == "Nothing is looked for: give a text, a picture or items."
    assert "give a text, a picture or items" in error_of(lambda: fitted.search(without="red"))
    assert "--but changes a picture or items" in error_of(lambda: fitted.search(text="hat", but="red"))
    assert "text is empty" in error_of(lambda: fitted.search(text="  "))
    assert "unknown item 'no-such'" in error_of(lambda: fitted.search(items=["no-such"]))
    assert "got 0" in error_of(lambda: fitted.search(text="hat", k=0))
    assert "Weights 'text=-1'" in error_of(lambda: fitted.search(text="hat", weights={"text": -1}))
    for rerank in (0, "some"):
        assert f"got {rerank!r}" in error_of(lambda rerank=rerank: fitted.search(text="hat", rerank=rerank))
    assert "Weights 'half'" in error_of(lambda: fitted.search(text="hat", weights="half"))
    assert "no attribute 'colr'; did you mean 'colour'?" in error_of(
        lambda: fitted.search(text="hat", filters=Filters(where=("colr=red",)))
    )


def test_a_picture_that_cannot_be_used_is_told_in_one_line(fitted, picture, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes(picture.read_bytes()[:900])
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    huge = tmp_path / "huge.png"
    chunks = (b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99))
    huge.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*one) for one in (*chunks, (b"IEND", b""))))
    for path, problem in (
        (tmp_path / "none.png", "missing"), (cut, "damaged"), (notes, "no picture"), (huge, "too many pixels"),
    ):  # fmt: skip
        message = error_of(lambda path=path: fitted.search(image=[picture, path]))
        assert message.startswith(f"Picture {path}: ")
        assert problem in message


def test_a_run_of_before_there_was_a_search_still_recommends_and_says_to_train_again(run_copy):
    write_run(replace(read_run(run_copy), clip=None), run_copy)
    old = Recommender.load(run_copy, "cpu")
    assert len(old.recommend([str(old.train_.user_ids[0])], 3)) == 3
    assert "train again" in error_of(lambda: old.search(text="hat"))


def test_a_run_without_pictures_and_texts_says_what_to_do(loaded):
    others = {name: one for name, one in loaded.features_.modalities.items() if name not in KINDS}
    run = replace(_run_of(loaded), clip=None, features=replace(loaded.features_, modalities=others))
    message = error_of(lambda: Recommender(loaded.config, "cpu")._hold(run).search(text="hat"))
    assert "no picture or text vectors" in message


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def searcher_of(fitted, clip):
    """Over the same items, with another clip index."""
    encoder = QueryEncoder(clip.clip, clip.dims, made_by=clip.made_by)
    return Searcher(clip, clip.index, fitted.live.state, fitted.config.search, encoder)


def own_vectors_index(fitted, vectors):
    """The clip index of the same items, their pictures and texts brought as own vectors."""
    encoders = replace(fitted.features_.encoders, clip_kinds=(), own={"image": 64, "text": 64})
    dataset = replace(fitted.train_, description=DatasetDescription.model_validate({"vectors": vectors}))
    return ClipIndex.build(dataset, replace(fitted.features_, encoders=encoders), fitted.config.index)


def test_own_vectors_are_searched_by_items_and_by_text_only_where_their_clip_is_named(fitted, picture, item_of):
    catalogue, config = fitted.train_.catalogue, fitted.config.search
    unnamed = own_vectors_index(fitted, {kind: {"file": f"{kind}.npy"} for kind in KINDS})
    assert not unnamed.space.is_shared
    searcher = searcher_of(fitted, unnamed)
    assert len(searcher.search(SearchQuery(items=(item_of["both"],)), 5).items_K) == 5
    encoder, rng, said = QueryEncoder(unnamed.clip, unnamed.dims), np.random.default_rng(0), []
    assert unnamed.with_learned(catalogue, encoder, config, rng).learned is None
    elsewhere = {kind: ClipConfig(model="local-dir:no-such") for kind in KINDS}
    no_weights = replace(fitted.clip_, clip=elsewhere, learned=None)
    encoder = QueryEncoder(elsewhere, no_weights.dims)
    assert no_weights.with_learned(catalogue, encoder, config, rng, say=said.append).learned is None
    assert said[0].startswith("No search weights were learned: ")
    assert "No CLIP is known" in error_of(lambda: searcher.search(SearchQuery(("hat",)), 5))
    named = own_vectors_index(fitted, {kind: {"file": f"{kind}.npy", "clip": "small"} for kind in KINDS})
    expected = searcher_of(fitted, replace(fitted.clip_, learned=None))
    query = SearchQuery(("hat",), (picture,))
    np.testing.assert_array_equal(
        searcher_of(fitted, named).search(query, 9).items_K, expected.search(query, 9).items_K
    )


def test_a_direction_on_own_pictures_without_a_named_clip_is_refused_in_one_line(fitted, item_of):
    encoders = replace(fitted.features_.encoders, clip_kinds=(), own={"image": 64})
    image = {"image": fitted.features_.modalities["image"]}
    features = replace(fitted.features_, encoders=encoders, modalities=image)
    dataset = replace(
        fitted.train_, description=DatasetDescription.model_validate({"vectors": {"image": {"file": "i.npy"}}})
    )
    index = ClipIndex.build(dataset, features, fitted.config.index)
    searcher = searcher_of(fitted, index)
    for change in ({"but": "red"}, {"without": "red"}):
        query = SearchQuery.of(items=item_of["both"], **change)
        assert "No CLIP is known" in error_of(lambda query=query: searcher.search(query, 5))


def test_other_weights_under_the_same_name_are_refused(fitted, tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(SMALL_FOLDER, folder)
    config = dict.fromkeys(KINDS, ClipConfig(model=f"local-dir:{folder}"))
    encoder, rng = QueryEncoder(config, fitted.clip_.dims), np.random.default_rng(0)
    index = replace(fitted.clip_, clip=config).with_learned(fitted.train_.catalogue, encoder, fitted.config.search, rng)
    assert index.made_by == fitted.clip_.made_by  # the same weights from another place are the same CLIP

    def search():
        return searcher_of(fitted, index).search(SearchQuery(("hat",)), 3)

    assert len(search().items_K) == 3
    weights = folder / "open_clip_model.safetensors"
    tensors = load_file(weights)
    tensors["logit_scale"] = tensors["logit_scale"] + 1
    save_file(tensors, weights)
    assert "is not the one that made this run's vectors" in error_of(search)


def test_weights_that_leave_nothing_for_what_is_asked_are_refused(fitted):
    message = error_of(lambda: fitted.search(text="hat", weights="image=1"))
    assert "leave nothing for the text" in message
    assert "\n" not in message


def test_one_clip_cannot_have_made_vectors_of_two_widths(fitted):
    features = fitted.features_
    narrow = Modality(features.modalities["text"].x_IF[:, :9].copy(), features.modalities["text"].present_I)
    changed = replace(features, modalities={**features.modalities, "text": narrow})
    assert "cannot have made both" in error_of(lambda: ClipIndex.build(fitted.train_, changed, fitted.config.index))


def _is_within(value, price):
    low, _, high = price.partition("..")
    return (not low or value >= float(low)) and (not high or value <= float(high))


def _run_of(model):
    return Run(model.config, model.train_, model.features_, model.model_, model.index_, model.held_out_, model.clip_)
