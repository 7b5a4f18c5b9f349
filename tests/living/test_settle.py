"""A state that moves with changes, against a rebuild of everything from the whole log and the whole catalogue."""

import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from living_worlds import COLD, HEAVY, HERE, NUM_ITEMS, NUM_USERS, catalogue_of, fresh, own_vectors, record_of, style_of

from graphrec.data.catalogue import stacked
from graphrec.data.dataset import OwnVectors
from graphrec.data.filters import Filters
from graphrec.data.interactions import Interactions
from graphrec.errors import GraphRecError
from graphrec.features.blocks import Standardiser
from graphrec.features.extract import extract_features
from graphrec.features.gate import item_blocks
from graphrec.graph.site_view import SiteView
from graphrec.models.fold_in import user_moments
from graphrec.models.graph_model import assemble
from graphrec.recommender import Recommender
from graphrec.retrieval.item_index import ItemIndex
from graphrec.run_folder import Run

WORLDS = [(1, False), (1, True), (2, False), (2, True)]
SEEDS = st.integers(0, 2**32 - 1)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@dataclass
class Ledger:
    """What happened, in plain lists: nothing of it is ever placed, encoded or patched."""

    model: object
    sites: bool
    records: dict = field(default_factory=dict)
    """Item id → its record as it is now, of items that came or changed."""
    vectors: dict = field(default_factory=dict)
    order: list = field(default_factory=list)
    """Ids of items that were not there in training."""
    removed: set = field(default_factory=set)
    events: list = field(default_factory=list)

    def known(self):
        return [*self.model.train_.catalogue.item_ids, *self.order]

    def add(self, rng):
        """New items, and some that were removed."""
        ids = [f"n{len(self.order) + place}" for place in range(int(rng.integers(1, 4)))]
        back = [one for one in sorted(self.removed) if rng.random() < 0.5]
        records = [record_of(one, int(rng.integers(99))) for one in [*ids, *back]]
        for record in records:
            if self.sites:
                record["site"] = str(rng.choice(["here", "there"]))
        for record in records[len(ids) :] if self.sites else ():
            record["site"] = self.record(record["item_id"])["site"]
        with_vector = [one["item_id"] for one in records if rng.random() < 0.8] or [records[0]["item_id"]]
        self.model.add_items(records, own_vectors(with_vector))
        self.order += ids
        self.removed -= set(back)
        for record in records:
            self.records[record["item_id"]] = record
            self.vectors[record["item_id"]] = None
        self.vectors |= {one: style_of(one) for one in with_vector}

    def update(self, rng):
        there = [one for one in self.known() if one not in self.removed]
        ids = [str(one) for one in rng.choice(there, min(3, len(there)), replace=False)]
        if rng.random() < 0.5:  # the price alone
            changes = [{"item_id": one, "price": str(float(rng.integers(1, 60)))} for one in ids]
        else:
            changes = [record_of(one, int(rng.integers(99))) for one in ids]
        vectors = {}
        if rng.random() < 0.5:
            seen = ids[:1]
            vectors = {"style": OwnVectors(np.array(seen, object), rng.normal(size=(1, 5)).astype(np.float32))}
        self.model.update_items(changes, vectors)
        for one, change in zip(ids, changes, strict=True):
            self.records[one] = {**self.record(one), **change}
            self.vectors.setdefault(one, style_of(one))
        if vectors:
            self.vectors[ids[0]] = vectors["style"].x_RF[0]

    def remove(self, rng):
        there = [one for one in self.known() if one not in self.removed]
        ids = [str(one) for one in rng.choice(there, 2, replace=False)]
        self.model.remove_items(ids)
        self.removed |= set(ids)

    def touch(self, rng):
        count = int(rng.integers(1, 6))
        names = [f"u{HEAVY}", "u49", *(f"v{place}" for place in range(4)), *(f"u{place}" for place in range(1, 12))]
        users = [str(one) for one in rng.choice(names, count)]
        items = [str(one) for one in rng.choice([*self.known()[-6:], *self.known()[:4]], count)]
        weights = rng.integers(1, 4, count).tolist()
        events = list(zip(users, items, weights, strict=True))
        records = [dict(zip(("user_id", "item_id", "weight"), one, strict=True)) for one in events]
        if rng.random() < 0.5:  # with times every one counts, also of a person with an item that they had before
            records = [record | {"timestamp": 1e9 + place} for place, record in enumerate(records)]
            self.events += events
        else:
            seen = set()
            self.events += [one for one in events if not (one[:2] in seen or seen.add(one[:2]))]
        self.model.add_events(records)

    def record(self, item_id):
        catalogue = self.model.train_.catalogue
        if item_id in self.records:
            return self.records[item_id]
        row, attributes = catalogue.id_index.get_loc(item_id), catalogue.attributes
        return {
            "item_id": item_id, "title": catalogue.title[row], "tags": list(attributes.multi_valued["tags"][row]),
            "site": catalogue.site[row], "price": str(attributes.numeric["price"][row]),
            **{name: values[row] for name, values in attributes.categorical.items()},
        }  # fmt: skip

    def users(self):
        names = [*self.model.train_.user_ids, *(user for user, _, _ in self.events)]
        return np.array(list(dict.fromkeys(names)), dtype=object)


def after(world, seed, num_steps):
    """A recommender that much happened to, and the ledger of it."""
    rng = np.random.default_rng(seed)
    ledger = Ledger(fresh(world), world.data.target_site is not None)
    steps = [ledger.add, ledger.touch, ledger.touch, ledger.update, ledger.remove]
    for _ in range(num_steps):
        steps[rng.integers(len(steps))](rng)
    return ledger


@dataclass(frozen=True)
class Rebuilt:
    served_IW: np.ndarray
    q_UD: np.ndarray
    has_history_U: np.ndarray
    degree_I: np.ndarray
    z_ID: np.ndarray
    moment_ID: np.ndarray


def extended(ledger):
    """The dataset that would hold all of it."""
    train, ids = ledger.model.train_, np.array(ledger.known(), dtype=object)
    records = [ledger.record(one) for one in ids]
    catalogue = catalogue_of(records, [one for one in train.catalogue.attributes.categorical if one != "kind"])
    users, inter = ledger.users(), train.interactions
    place = {one: row for row, one in enumerate(users)}
    row = {one: place for place, one in enumerate(ids)}
    events = ledger.events
    interactions = Interactions(
        len(users), len(ids),
        np.concatenate([inter.user_index_E, np.array([place[user] for user, _, _ in events], dtype=np.int64)]),
        np.concatenate([inter.item_index_E, np.array([row[item] for _, item, _ in events], dtype=np.int64)]),
        np.concatenate([inter.weight_E, np.array([weight for _, _, weight in events], dtype=np.float32)]),
        np.full(len(inter) + len(events), np.nan), np.full(len(inter) + len(events), -1),
    )  # fmt: skip
    return replace(train, catalogue=catalogue, user_ids=users, interactions=interactions)


def rebuilt(ledger):
    """Everything anew, with the parts as they were fitted."""
    recommender, data = ledger.model, extended(ledger)
    model, train = recommender.model_, recommender.train_
    placement, choices = model.placement, model.choices
    vectors = {one: ledger.vectors.get(one, style_of(one)) for one in data.catalogue.item_ids}
    present = [one for one, vector in vectors.items() if vector is not None]
    own = {"style": OwnVectors(np.array(present, dtype=object), np.stack([vectors[one] for one in present]))}
    encoders = recommender.features_.encoders
    x_IF = Standardiser.fit(recommender.features_, model.degree_I > 0).apply(encoders.encode(data.catalogue, own)).x_IF
    encoder = copy.deepcopy(model.encoder)
    residual_ID = torch.zeros(len(x_IF), model.encoder.residual.embedding_dim)
    residual_ID[:NUM_ITEMS] = model.encoder.residual.weight
    encoder.residual = torch.nn.Embedding.from_pretrained(residual_ID)
    view = SiteView.of(data)
    encoded = encoder.encode(view.graph, x_IF)
    share, half = choices.mixture.fold_in_share, choices.half_degree
    moment_ID = user_moments(encoded.q_UD, view.own_UI)
    folded_ID = np.linalg.solve(placement.fold_in_DD, moment_ID.T).T / placement.fold_deviation
    learned_ID = (1 - share) * encoded.z_ID / placement.z_deviation + share * folded_ID
    placed = placement.place(x_IF)
    content_ID = (1 - share) * placed.z_ID + share * placed.folded_ID
    content_IW = choices.stretch * np.column_stack([content_ID, placed.raw_IR, placed.popularity_I])
    raw_IR = placed.raw_IR.copy()
    for item, item_id in enumerate(data.catalogue.item_ids):
        if item < NUM_ITEMS and item_id not in ledger.records:  # as trained: others may know it, from elsewhere
            content_IW[item], raw_IR[item] = model.unseen_ID[item], model.graph_ID[item, learned_ID.shape[1] : -1]
    served_IW = content_IW.copy()
    for item, degree in enumerate(view.degree_I):
        if degree == 0:
            continue
        learned_D = learned_ID[item]
        popularity = (np.log1p(degree) - placement.degree_scale.mean) / placement.degree_scale.deviation
        if item >= NUM_ITEMS or model.degree_I[item] == 0:
            expected = np.linalg.norm(content_IW[item, : len(learned_D)])
            learned_D = learned_D * max(1, expected / np.linalg.norm(learned_D))
            popularity = max(popularity, content_IW[item, -1])
        g = degree / (degree + half)
        served_IW[item] = g * np.concatenate([learned_D, raw_IR[item], [popularity]]) + (1 - g) * content_IW[item]
    trained_ID = user_moments(model.encoded.q_UD, SiteView.of(train).own_UI)
    grown_ID = np.zeros_like(moment_ID)
    grown_ID[:NUM_ITEMS] = trained_ID
    has_history_U = np.diff(view.matrix_UI.indptr) > 0
    return Rebuilt(served_IW, encoded.q_UD, has_history_U, view.degree_I, encoded.z_ID, moment_ID - grown_ID)


def assert_like_a_rebuild(ledger):
    state, twin = ledger.model.live.state, rebuilt(ledger)
    assert state.items.item_ids.full().tolist() == ledger.known()
    assert state.users.names.full().tolist() == ledger.users().tolist()
    assert {state.items.item_ids[one] for one in state.items.removed} == ledger.removed
    np.testing.assert_array_equal(state.degree.full(), twin.degree_I)
    np.testing.assert_allclose(state.q.full()[twin.has_history_U], twin.q_UD[twin.has_history_U], **CLOSE)
    np.testing.assert_allclose(state.z.full(), twin.z_ID, **CLOSE)
    np.testing.assert_allclose(state.moment.full(), twin.moment_ID, **CLOSE)
    np.testing.assert_allclose(state.index.vectors_ID.full(), twin.served_IW, **CLOSE)


@pytest.mark.parametrize(("num_hops", "target"), WORLDS)
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, num_steps=st.integers(0, 10))
def test_a_state_is_that_of_a_rebuild_on_everything(make_world, num_hops, target, seed, num_steps):
    assert_like_a_rebuild(after(make_world(num_hops, target), seed, num_steps))


def everything_of(live):
    """What answers, as plain arrays."""
    state = live.state
    users = np.arange(len(state.users))
    return {
        "items": state.items.item_ids.full(), "users": state.users.names.full(), "removed": state.items.removed,
        "index removed": state.index.removed, "titles": state.items.title.full(), "degree": state.degree.full(),
        "degree elsewhere": state.degree_elsewhere.full(), "q": state.q.full(), "z": state.z.full(),
        "moment": state.moment.full(), "served": state.index.vectors_ID.full(), "raw": state.raw.full(),
        "unseen": state.unseen.full(), "states": np.stack([one.full() for one in state.states]),
        "seen": state.seen.take(users).toarray(), "own": state.own.take(users).toarray(),
        "takers": state.takers.take(np.arange(len(state.items))).toarray(), "queries": state.queries(users[:-1]),
        "style": live.vectors.x["style"].full(), "events": np.array(live.events), "drift": np.array(str(live.drift)),
        "prices": state.items.catalogue.attributes.numeric["price"],
    }  # fmt: skip


def assert_same(one, other):
    left, right = everything_of(one), everything_of(other)
    for name, array in left.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(right[name], array, err_msg=name, **CLOSE)
        else:
            np.testing.assert_array_equal(right[name], array, err_msg=name)


@pytest.mark.parametrize(("num_hops", "target"), WORLDS)
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, num_steps=st.integers(1, 10), cuts=st.sets(st.integers(1, 9)))
def test_changes_one_by_one_are_changes_at_once_in_any_groups(make_world, num_hops, target, seed, num_steps, cuts):
    world = make_world(num_hops, target)
    model = after(world, seed, num_steps).model
    entries = [stored.entry for stored in model.changes_.stored]
    assert_same(model.live, fresh(world).live.taking(entries))
    grouped, edges = fresh(world).live, [0, *sorted(cut for cut in cuts if cut < len(entries)), len(entries)]
    for start, stop in pairwise(edges):
        grouped = grouped.taking(entries[start:stop])
    assert_same(model.live, grouped)


@pytest.mark.parametrize("num_hops", [1, 2])
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_who_reads_a_state_sees_nothing_of_what_comes_after(make_world, num_hops, seed):
    ledger = after(make_world(num_hops, False), seed, 4)
    live = ledger.model.live
    before = everything_of(live)
    rng = np.random.default_rng(seed)
    for step in (ledger.add, ledger.touch, ledger.update, ledger.remove):
        step(rng)
    after_all = everything_of(live)
    for name, array in before.items():
        np.testing.assert_array_equal(after_all[name], array, err_msg=name)


def bits(patched):
    return [row.tobytes() for row in patched.full()]


def moved(before, now):
    """Rows whose bits differ, and those that were not there."""
    old, new = bits(before), bits(now)
    return {row for row, value in enumerate(new) if row >= len(old) or old[row] != value}


@pytest.mark.parametrize("num_hops", [1, 2])
def test_events_move_what_these_people_have_and_nothing_else(make_world, num_hops):
    model = fresh(make_world(num_hops, False))
    before = model.live.state
    user = 7
    mine = set(before.seen.row(user)[0].tolist()) | {COLD[0]}
    model.add_events([{"user_id": f"u{user}", "item_id": f"i{COLD[0]}"}])
    now = model.live.state
    assert moved(before.q, now.q) == {user}
    assert moved(before.index.vectors_ID, now.index.vectors_ID) == mine
    assert moved(before.degree, now.degree) == {COLD[0]}
    assert moved(before.unseen, now.unseen) == set()
    assert set(now.index.vectors_ID.rows.tolist()) <= mine  # nothing else was even looked at
    assert moved(before.z, now.z) <= (mine if num_hops == 2 else set())


@pytest.mark.parametrize("num_hops", [1, 2])
def test_without_a_fold_in_one_event_moves_one_item(make_world, num_hops):
    model = fresh(make_world(num_hops, False, fold_in_share=0.0))
    before = model.live.state
    model.add_events([{"user_id": "u7", "item_id": "i3"}])
    now = model.live.state
    reached = set(now.seen.row(7)[0].tolist()) if num_hops == 2 else {3}
    assert moved(before.index.vectors_ID, now.index.vectors_ID) <= reached
    assert set(now.index.vectors_ID.rows.tolist()) <= reached


def test_items_that_nobody_touched_leave_everything_else_alone(make_world):
    model = fresh(make_world(2, False))
    before = model.live.state
    model.add_items([record_of("n0"), record_of("n1")], own_vectors(["n0"]))
    model.update_items([{"item_id": f"i{COLD[1]}", "price": "7"}])
    model.remove_items(["n1"])
    now = model.live.state
    assert moved(before.index.vectors_ID, now.index.vectors_ID) == {COLD[1], NUM_ITEMS, NUM_ITEMS + 1}
    assert moved(before.q, now.q) == set()
    assert len(now.q.rows) == 0


@pytest.mark.parametrize(("num_hops", "target"), WORLDS)
def test_an_item_without_an_edge_is_its_content_bit_for_bit(make_world, num_hops, target):
    model = after(make_world(num_hops, target), 11, 12).model
    model.add_items([record_of("last")], own_vectors(["last"]))
    state = model.live.state
    untouched = np.flatnonzero(state.degree.full() == 0)
    assert untouched[-1] == len(state.items) - 1
    assert state.index.vectors_ID[untouched].tobytes() == state.unseen[untouched].tobytes()


@pytest.mark.parametrize(("num_hops", "target"), WORLDS)
def test_an_added_item_has_the_vector_of_its_cold_twin_in_training(make_world, num_hops, target):
    world = make_world(num_hops, target)
    model, old = fresh(world), f"i{COLD[-1]}"
    catalogue = world.data.catalogue
    row = catalogue.id_index.get_loc(old)
    record = record_of(old) | {"item_id": "twin", "site": catalogue.site[row]}
    record |= {name: values[row] for name, values in catalogue.attributes.categorical.items()}
    model.add_items([record], {"style": OwnVectors(np.array(["twin"], object), style_of(old)[None])})
    vectors = model.live.state.index.vectors_ID
    np.testing.assert_allclose(vectors[NUM_ITEMS], vectors[COLD[-1]], rtol=1e-5, atol=1e-5)
    users = [f"u{user}" for user in range(NUM_USERS - 1)]
    ranks = model.recommend(users, k=NUM_ITEMS + 1).set_index(["user_id", "item_id"])["rank"].unstack()
    assert ranks[old].notna().all()
    assert (abs(ranks["twin"] - ranks[old]) == 1).all()


def refitted_with(world, record, style_D):
    """The same encoder and choices over a catalogue that had the item from the start."""
    data, recommender = world.data, world.model
    catalogue = data.catalogue
    one = catalogue_of([record], [name for name in catalogue.attributes.categorical if name != "kind"])
    inter, own = data.interactions, data.own_vectors["style"]
    data = replace(
        data,
        catalogue=stacked([catalogue, one], np.arange(NUM_ITEMS + 1)),
        interactions=replace(inter, num_items=NUM_ITEMS + 1),
        own_vectors={
            "style": OwnVectors(np.append(own.ids, record["item_id"]).astype(object), np.vstack([own.x_RF, style_D]))
        },
    )
    view, config = SiteView.of(data), recommender.config
    features = extract_features(data, view.degree_I > 0, config.features)
    blocks = item_blocks(features, view.degree_I > 0)
    encoder = copy.deepcopy(recommender.model_.encoder)
    residual_ID = torch.vstack([encoder.residual.weight.detach(), torch.zeros(1, encoder.residual.embedding_dim)])
    encoder.residual = torch.nn.Embedding.from_pretrained(residual_ID)
    model = assemble(encoder, recommender.model_.choices, view, blocks, config.model, 0)
    run = Run(config, data, features, model, ItemIndex.build(model.served_ID, config.index))
    return Recommender(config, "cpu")._hold(run)


@pytest.mark.parametrize(("num_hops", "target"), WORLDS)
def test_an_added_item_is_ranked_as_if_it_had_been_there_when_all_was_fitted(make_world, num_hops, target):
    world = make_world(num_hops, target)
    record = record_of("late", 3) | {"site": "here" if target else ""}
    model = fresh(world)
    model.add_items([record], own_vectors(["late"]))
    full = refitted_with(world, record, style_of("late"))
    np.testing.assert_allclose(model.live.state.index.vectors_ID.full(), full.model_.served_ID, rtol=1e-5, atol=1e-5)
    users = [f"u{user}" for user in range(NUM_USERS - 1)]
    added, there = (one.recommend(users, k=NUM_ITEMS + 1) for one in (model, full))
    assert (added["item_id"] == "late").sum() == NUM_USERS - 1
    assert added["item_id"].tolist() == there["item_id"].tolist()
    np.testing.assert_allclose(added["score"], there["score"], rtol=1e-4, atol=1e-5)


def test_an_item_goes_from_content_to_blend_to_graph_as_people_come(make_world):
    model = fresh(make_world(1, False))
    model.add_items([record_of("late")], own_vectors(["late"]))
    half = model.model_.choices.half_degree
    placed, distances = model.live.state.index.vectors_ID[NUM_ITEMS], []
    for number in range(25):
        item = model.live.state.items.id_index.indices(["late"])
        degree, g = int(model.live.state.degree[item][0]), number / (number + half)
        assert degree == number
        expected = "content" if number == 0 else "graph" if g >= 0.9 else "blend"
        assert model.live.state.source(item).tolist() == [expected]
        distances.append(float(np.linalg.norm(model.live.state.index.vectors_ID[NUM_ITEMS] - placed)))
        model.add_events([{"user_id": f"u{number}", "item_id": "late"}])
        model.add_events([{"user_id": f"u{number}", "item_id": "late"}])  # the same person again is no new user
    assert distances[0] == 0
    assert min(distances[1:]) > 0


def test_events_elsewhere_tell_of_people_and_do_not_count_as_own(make_world):
    model = fresh(make_world(1, True))
    before = model.live.state
    there = f"i{HERE + 1}"  # what item 1 here is called there
    model.add_events([{"user_id": "stranger", "item_id": there}])
    now = model.live.state
    assert now.degree.full().tolist() == before.degree.full().tolist()
    stranger = now.users.indices(["stranger"])
    assert now.seen.take(stranger).indices.tolist() == [1]
    assert now.own.take(stranger).nnz == 0
    found = model.recommend(["stranger"], k=50)
    assert set(model.live.state.items.site[model.live.state.items.indices(found["item_id"], "")]) == {"here"}
    assert "i1" not in set(found["item_id"])  # it is what they have
    model.add_items([record_of("far") | {"site": "there"}], own_vectors(["far"]))
    assert "far" not in set(model.recommend(["u3"], k=50)["item_id"])


def test_only_new_follows_events_at_once(make_world):
    model, cold = fresh(make_world(1, False)), f"i{COLD[0]}"
    assert cold in set(model.recommend(["u3"], only_new=True)["item_id"])
    model.add_events([{"user_id": "u9", "item_id": cold}])
    assert cold not in set(model.recommend(["u3"], only_new=True)["item_id"])
    assert cold in set(model.recommend(["u3"], k=99)["item_id"])


def test_filters_read_what_an_update_says(make_world):
    model = fresh(make_world(1, False))
    where = Filters(where=("price=1000..",))
    with pytest.raises(GraphRecError, match="leaves 0 of the"):
        model.recommend(["u3"], filters=where)
    model.update_items([{"item_id": "i20", "price": "1234"}])
    assert model.recommend(["u3"], filters=where)["item_id"].tolist() == ["i20"]
    model.update_items([{"item_id": "i20", "price": "4"}])
    with pytest.raises(GraphRecError, match="leaves 0 of the"):
        model.recommend(["u3"], filters=where)
