"""From one state to the next: what arrived is placed, who did something is encoded anew, what they have is moved.

The cost is that of what changed: the features of arrived items, the histories of the users who did something, and one
small system for each of their items. Nothing is proportional to the catalogue.

With two hops an item's z follows what its users have, so all items of these users are encoded again, from all of their
users. With three and more, what is further away than that waits for the next training.
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from graphrec.data.patched import Patched
from graphrec.graph.patched_matrix import PatchedMatrix
from graphrec.living.arrival import Arrival, Pairs
from graphrec.living.live_state import LiveState
from graphrec.models.fallback import serve
from graphrec.models.parts import placed_vectors
from graphrec.models.raw_block import join_vectors
from graphrec.models.scoring import with_popularity

_NONE = np.empty(0, dtype=np.int64)


def with_arrival(state: LiveState, arrival: Arrival, x_NF: np.ndarray) -> LiveState:
    """With these items added, changed or back, `x_NF` being their rows of features as the model reads them.

    What people did with an item before stays with it. Users of an item that changed are encoded anew.
    """
    items = state.items.with_arrived(arrival.cards)
    rows = items.id_index.indices(arrival.cards.item_ids)
    model, choices, count = state.model, state.model.choices, len(state.items)
    placed = model.placement.place(x_NF)
    content_NW = np.float32(choices.stretch) * placed_vectors(placed, choices.mixture)
    new = np.arange(count, len(items))
    starts_ND = model.encoder.item_starts(x_NF, rows)
    dim = starts_ND.shape[1]
    is_new_N = rows >= count
    users = np.unique(np.concatenate([_NONE, *state.takers.columns(rows[~is_new_N])]))
    state = replace(
        state,
        items=items,
        degree=state.degree.with_rows(new, np.zeros(len(new))),
        degree_elsewhere=state.degree_elsewhere.with_rows(new, np.zeros(len(new))),
        moment=state.moment.with_rows(new, np.zeros((len(new), dim))),
        unseen=state.unseen.with_rows(rows, content_NW),
        raw=state.raw.with_rows(rows, placed.raw_IR),
        states=(
            state.states[0].with_rows(rows, starts_ND),
            *(one.with_rows(new, np.zeros((len(new), dim))) for one in state.states[1:]),
        ),
        z=state.z.with_rows(new, np.zeros((len(new), dim))),
        seen=state.seen.with_pairs(_NONE, _NONE, np.empty(0), len(state.users), len(items)),
        own=state.own.with_pairs(_NONE, _NONE, np.empty(0), len(state.users), len(items)),
        takers=state.takers.with_pairs(_NONE, _NONE, np.empty(0), len(items), len(state.users)),
        clip=None if state.clip is None else state.clip.with_rows(rows, arrival.vectors).without(items.removed),
        index=state.index.without(items.removed),
    )
    reached = _reached(state, users, rows)
    return _settled(_encoded(state, reached), state.own, users, reached)


def with_pairs(state: LiveState, pairs: Pairs) -> LiveState:
    """With what people did, some of whom may be new. Every item has to be known, removed or not."""
    users = state.users.with_new(pairs.user_ids)
    items_E = state.items.id_index.indices(pairs.item_ids)
    user_E = users.indices(pairs.user_ids)
    node_E = state.nodes(items_E)
    own_E = _is_own(state, items_E)
    num_users, num_items, dim = len(users), len(state.items), state.z.shape[1]
    before = state.own
    seen = state.seen.with_pairs(user_E, node_E, pairs.weight_E, num_users, num_items)
    own = seen
    if state.target_site is not None:
        own = before.with_pairs(user_E[own_E], items_E[own_E], pairs.weight_E[own_E], num_users, num_items)
    new_users = np.arange(len(state.users), num_users)
    state = replace(
        state,
        users=users,
        q=state.q.with_rows(new_users, np.zeros((len(new_users), dim))),
        seen=seen,
        own=own,
        takers=state.takers.with_pairs(node_E, user_E, pairs.weight_E, num_items, num_users),
        degree=_degrees(state, user_E[own_E], items_E[own_E]),
    )
    touched, changed_users = np.unique(np.concatenate([node_E, items_E])), np.unique(user_E)
    if len(state.states) > 1:
        touched = _reached(state, changed_users, touched)
        state = _encoded(state, touched)
    return _settled(state, before, changed_users, touched)


def _reached(state: LiveState, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The items whose z depends on these users or items: with one hop, on their own features alone."""
    if len(state.states) == 1:
        return items
    return np.unique(np.concatenate([items, *state.seen.columns(users)]))


def _is_own(state: LiveState, items: np.ndarray) -> np.ndarray:
    if state.target_site is None:
        return np.ones(len(items), dtype=bool)
    return np.asarray(state.items.site[items] == state.target_site, dtype=bool)


def _degrees(state: LiveState, user_E: np.ndarray, item_E: np.ndarray) -> Patched:
    """Distinct users of each item: one more for each pair that is new."""
    pairs = np.unique(np.stack([user_E, item_E]), axis=1)
    known = [item in state.own.row(int(user))[0] if user < state.own.num_rows else False for user, item in pairs.T]
    new = pairs[1][~np.array(known, dtype=bool)] if pairs.size else _NONE
    rows, count = np.unique(new, return_counts=True)
    return state.degree.with_rows(rows, state.degree[rows] + count)


def _encoded(state: LiveState, rows: np.ndarray) -> LiveState:
    """With z and the hidden states of these items from their features and their users as they are."""
    encoder = state.model.encoder
    histories, positions = [], [_NONE] * len(rows)
    if len(state.states) > 1:
        lists = state.takers.columns(rows)
        users = np.unique(np.concatenate([_NONE, *lists]))
        positions = [np.searchsorted(users, one) for one in lists]
        histories = state.seen.columns(users)
    num_layers, dim = len(state.states), state.z.shape[1]
    states_LVD = np.zeros((num_layers, 0, dim), dtype=np.float32)
    states_LVD = encoder.user_states(state.states, histories) if histories else states_LVD
    states_LND, z_ND = encoder.encode_items(state.states[0][rows], positions, states_LVD)
    hidden = (one.with_rows(rows, states_ND) for one, states_ND in zip(state.states[1:], states_LND[1:], strict=True))
    return replace(state, states=(state.states[0], *hidden), z=state.z.with_rows(rows, z_ND))


def _settled(state: LiveState, own_before: PatchedMatrix, users: np.ndarray, touched: np.ndarray) -> LiveState:
    """With these users encoded from what they have now, and the items that they have and the touched ones moved."""
    before_VD = state.q[users].astype(np.float64)
    if len(users):
        q_VD = state.model.encoder.encode_users(state.states, state.seen.columns(users))
        state = replace(state, q=state.q.with_rows(users, q_VD))
    if state.model.choices.mixture.fold_in_share and len(users):
        moved, change_MD = _moment_change(state, own_before, users, before_VD)
        state = replace(state, moment=state.moment.with_rows(moved, state.moment[moved] + change_MD))
        touched = np.union1d(touched, moved)
    return replace(state, index=state.index.with_rows(touched, _served(state, touched)))


def _moment_change(
    state: LiveState, own_before: PatchedMatrix, users: np.ndarray, before_VD: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Items of these users, and by how much what their users add up to has changed, float64."""
    now_VI = _normalised(state.own.take(users))
    is_known = users < own_before.num_rows
    then = own_before.take(users[is_known])
    then_VI = _normalised(then)
    moved = np.unique(np.concatenate([now_VI.indices, then_VI.indices]))
    change_MD = _of_columns(now_VI, moved).T @ state.q[users].astype(np.float64)
    return moved, change_MD - _of_columns(then_VI, moved).T @ before_VD[is_known]


def _normalised(matrix_VI: sp.csr_matrix) -> sp.csr_matrix:
    degree_V = np.diff(matrix_VI.indptr)
    weight_E = matrix_VI.data / np.repeat(np.sqrt(degree_V), degree_V)
    return sp.csr_matrix((weight_E, matrix_VI.indices, matrix_VI.indptr), matrix_VI.shape)


def _of_columns(matrix_VI: sp.csr_matrix, columns: np.ndarray) -> sp.csr_matrix:
    """Its columns, rising, which are all that it has: SciPy takes columns at a cost that is that of all."""
    place_E = np.searchsorted(columns, matrix_VI.indices)
    return sp.csr_matrix((matrix_VI.data, place_E, matrix_VI.indptr), (matrix_VI.shape[0], len(columns)))


def _served(state: LiveState, items: np.ndarray) -> np.ndarray:
    """v of these items, (N, W) float32."""
    model, choices = state.model, state.model.choices
    learned_ND, degree_N, unseen_NW = _where_the_graph_puts(state, items), state.degree[items], state.unseen[items]
    popularity_N = model.placement.degree_scale.terms(degree_N).astype(np.float32)
    is_young_N = _trained_degree(state, items) == 0
    learned_ND, popularity_N = _at_least_as_expected(learned_ND, popularity_N, unseen_NW, is_young_N)
    graph_NW = join_vectors(with_popularity(learned_ND, popularity_N), state.raw[items])
    return serve(graph_NW, unseen_NW, degree_N, choices.half_degree)


def _at_least_as_expected(
    learned_ND: np.ndarray, popularity_N: np.ndarray, unseen_NW: np.ndarray, is_young_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Young items as popular, and with vectors as long, as their content predicts, unless they are more so.

    Both grow with the number of users, and an item that nobody knew in training had less time than the others to be
    touched: what was seen of it is the least that will be. Taken as it is, its first users would make it sink.
    """
    length_N = np.linalg.norm(learned_ND, axis=1)
    expected_N = np.linalg.norm(unseen_NW[:, : learned_ND.shape[1]], axis=1)
    longer_N = np.where(is_young_N, np.maximum(1, expected_N / np.maximum(length_N, 1e-12)), 1).astype(np.float32)
    popularity_N = np.where(is_young_N, np.maximum(popularity_N, unseen_NW[:, -1]), popularity_N)
    return longer_N[:, None] * learned_ND, popularity_N


def _trained_degree(state: LiveState, items: np.ndarray) -> np.ndarray:
    degree_I = state.model.degree_I
    return np.where(items < len(degree_I), degree_I[np.minimum(items, len(degree_I) - 1)], 0)


def _where_the_graph_puts(state: LiveState, items: np.ndarray) -> np.ndarray:
    """z and fold-in as chosen, (N, D) float32: as trained, moved by what changed since."""
    model, placement = state.model, state.model.placement
    share = model.choices.mixture.fold_in_share
    z_ND = state.z[items].astype(np.float64)
    trained = np.flatnonzero(items < len(model.graph_ID))
    learned_ND = (1 - share) * z_ND / placement.z_deviation
    z_trained_ND = model.encoded.z_ID[items[trained]].astype(np.float64)
    dim = z_ND.shape[1]
    learned_ND[trained] += model.graph_ID[items[trained], :dim] - (1 - share) * z_trained_ND / placement.z_deviation
    if share:
        learned_ND += share * placement.fold_in(state.moment[items])
    return learned_ND.astype(np.float32)
