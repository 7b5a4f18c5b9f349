"""Who shops when, what they like, and which items they therefore meet.

When people come and what they do with an item (browse, wishlist, purchase) is drawn before and apart from what they
choose, so that stores of different `signal` have the same users, visits and event counts.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from graphrec.data.sample_store.products import NUM_DAYS, NUM_SCENES, Listings, Products, thousandths
from graphrec.data.sample_store.vocabulary import SITES, TRAITS
from graphrec.progress import Progress

EVENTS = ("browse", "wishlist", "purchase")

_DAY = 86_400
_MINUTE = 60
_BOTH_SITES_SHARE = 0.25
_MOST_VISITS = 80
_NEW_SESSION_SHARE = 0.4
_KIND_SHARE = {"browse": 0.93, "wishlist": 0.27, "purchase": 0.24}
_RATED_SHARE = 0.6
_SECOND_SCENE_SHARE = 0.6
_WANDER_SHARE = 0.15


@dataclass(frozen=True)
class Visits:
    """One user meets one item on one site (V times in all), ordered by user and time; the item is not chosen yet."""

    user_ids: np.ndarray
    user_V: np.ndarray
    site_V: np.ndarray
    second_V: np.ndarray
    """Seconds since the start of day 0."""
    does_VK: np.ndarray
    """Which of `EVENTS` the visit leaves in the log; at least one."""
    delay_VK: np.ndarray
    """Seconds from the visit to each event."""
    is_rated_V: np.ndarray
    mood_V: np.ndarray
    """How kindly the user rates that day, in thousandths of a standard deviation."""


@dataclass(frozen=True)
class Tastes:
    """What draws each user to each item, in thousandths of a logit; an item's appeal is the sum of the three parts."""

    liking_UV: np.ndarray
    """Users × trait values; the last column is zero and stands for a missing value (code -1)."""
    scene_pull_US: np.ndarray
    """Users × scenes; the last column is zero and stands for no scene (-1)."""
    popularity_I: np.ndarray
    wander_share: float
    """Share of visits that follow popularity alone."""


@dataclass(frozen=True)
class Events:
    """The log without its flaws, E rows ordered by time. `rating_E` is 0 where nobody rated."""

    user_E: np.ndarray
    listing_E: np.ndarray
    second_E: np.ndarray
    kind_E: np.ndarray
    rating_E: np.ndarray
    site_E: np.ndarray

    def __len__(self) -> int:
        return len(self.user_E)


def make_visits(rng: np.random.Generator, num_users: int, most_visits: int) -> Visits:
    """Draw users, their windows of activity and the sessions in them; a quarter of the users shop on both sites."""
    count_U = 3 + np.floor(np.exp(2.05 + 0.75 * rng.standard_normal(num_users))).astype(np.int64)
    user_V = np.repeat(np.arange(num_users), np.minimum(count_U, min(_MOST_VISITS, most_visits)))
    first_day_U = rng.integers(NUM_DAYS - 14, size=num_users)
    num_days_U = np.minimum(rng.integers(20, 300, size=num_users), NUM_DAYS - first_day_U)

    size = len(user_V)
    is_first_V = np.diff(user_V, prepend=-1) > 0
    starts_session_V = is_first_V | (rng.random(size) < _NEW_SESSION_SHARE)
    start_V = np.maximum.accumulate(np.where(starts_session_V, np.arange(size), 0))
    day_V = (first_day_U[user_V] + np.floor(rng.random(size) * num_days_U[user_V]).astype(np.int64))[start_V]
    clock_V = rng.integers(7 * 3600, 22 * 3600, size=size)[start_V]
    minutes_V = (np.arange(size) - start_V) * 3 + rng.integers(3, size=size)
    second_V = day_V * _DAY + clock_V + minutes_V * _MINUTE
    site_V = _session_sites(rng, num_users, user_V, start_V)

    does_VK = rng.random((size, len(EVENTS))) < np.array([_KIND_SHARE[kind] for kind in EVENTS])
    does_VK[~does_VK.any(axis=1), EVENTS.index("browse")] = True
    hours_V = rng.integers(48, size=size) * rng.integers(2, size=size)
    delay_VK = np.stack(
        [
            np.zeros(size, dtype=np.int64),
            rng.integers(20, 170, size=size),
            rng.integers(180, 1200, size=size) + 3600 * hours_V,
        ],
        axis=1,
    )
    order = np.lexsort((second_V, user_V))
    return Visits(
        user_ids=_user_ids(rng, num_users),
        user_V=user_V[order],
        site_V=site_V[order],
        second_V=second_V[order],
        does_VK=does_VK,
        delay_VK=delay_VK,
        is_rated_V=rng.random(size) < _RATED_SHARE,
        mood_V=thousandths(rng, 1.0, size),
    )


def scene_tastes(rng: np.random.Generator, num_users: int, listings: Listings) -> Tastes:
    """Each user follows one or two scenes, has some personal likings, and sees what everybody sees."""
    row_U = np.arange(num_users)
    first_U = rng.integers(NUM_SCENES, size=num_users)
    second_U = (first_U + rng.integers(1, NUM_SCENES, size=num_users)) % NUM_SCENES
    pull_US = np.zeros((num_users, NUM_SCENES + 1), dtype=np.int64)
    pull_US[row_U, first_U] = 2800
    pull_US[row_U, second_U] = np.where(rng.random(num_users) < _SECOND_SCENE_SHARE, 2200, 0)
    return Tastes(_likings(rng, num_users, 0.3), pull_US, listings.popularity_I, _WANDER_SHARE)


def independent_tastes(rng: np.random.Generator, num_users: int, listings: Listings) -> Tastes:
    """Each user has strong likings of their own for visible trait values and nothing that any two users share."""
    no_pull_US = np.zeros((num_users, NUM_SCENES + 1), dtype=np.int64)
    return Tastes(_likings(rng, num_users, 0.7), no_pull_US, np.zeros_like(listings.popularity_I), wander_share=0.0)


def choose_items(
    rng: np.random.Generator, visits: Visits, tastes: Tastes, products: Products, listings: Listings, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Which listing each visit meets, and how much the user likes it (thousandths): two arrays of shape (V,).

    A choice is drawn in proportion to exp(appeal) among the site's items that have arrived and are new to the user.
    """
    size = len(visits.user_V)
    draw_V, wanders_V = rng.random(size), rng.random(size) < tastes.wander_share
    sharpness_V = np.where(visits.does_VK[:, EVENTS.index("purchase")], 1.25, 1.0)
    value_IC = _value_columns(products)[listings.product_I]
    scene_I = products.scene_P[listings.product_I]
    on_site = [np.flatnonzero(listings.site_I == site) for site in range(len(SITES))]
    chosen_V = np.empty(size, dtype=np.int64)
    taste_V = np.empty(size, dtype=np.int64)
    first_V = np.append(np.flatnonzero(np.diff(visits.user_V, prepend=-1)), size)
    for begin, end in progress(pairwise(first_V.tolist()), "Letting people shop", len(first_V) - 1):
        user = visits.user_V[begin]
        taste_I = tastes.liking_UV[user][value_IC].sum(axis=1) + tastes.scene_pull_US[user, scene_I]
        is_met_I = np.zeros(len(listings), dtype=bool)
        for visit in range(begin, end):
            here = on_site[visits.site_V[visit]]
            is_open = (listings.arrival_day_I[here] <= visits.second_V[visit] // _DAY) & ~is_met_I[here]
            appeal = tastes.popularity_I[here] + (0 if wanders_V[visit] else taste_I[here])
            chosen = here[_draw_one(draw_V[visit], sharpness_V[visit] * appeal, is_open)]
            is_met_I[chosen] = True
            chosen_V[visit], taste_V[visit] = chosen, taste_I[chosen]
    return chosen_V, taste_V


def make_events(visits: Visits, chosen_V: np.ndarray, liking_V: np.ndarray) -> Events:
    """The log of the visits in order of time; `liking_V` (thousandths) moves the stars of rated purchases."""
    visit_E, kind_E = np.nonzero(visits.does_VK)
    second_E = visits.second_V[visit_E] + visits.delay_VK[visit_E, kind_E]
    stars_V = np.clip((3300 + liking_V // 4 + visits.mood_V + 500) // 1000, 1, 5)
    is_rated_E = visits.is_rated_V[visit_E] & (kind_E == EVENTS.index("purchase"))
    order = np.lexsort((kind_E, visit_E, second_E))
    visit_E, kind_E = visit_E[order], kind_E[order]
    return Events(
        user_E=visits.user_V[visit_E],
        listing_E=chosen_V[visit_E],
        second_E=second_E[order],
        kind_E=kind_E,
        rating_E=np.where(is_rated_E[order], stars_V[visit_E], 0),
        site_E=visits.site_V[visit_E],
    )


def permute_items(rng: np.random.Generator, events: Events) -> Events:
    """The log with its items dealt out anew within each site: degrees stay, everything else goes."""
    listing_E = events.listing_E.copy()
    for site in range(len(SITES)):
        rows = np.flatnonzero(events.site_E == site)
        listing_E[rows] = listing_E[rng.permutation(rows)]
    return replace(events, listing_E=listing_E)


def _draw_one(draw: float, appeal_N: np.ndarray, is_open_N: np.ndarray) -> int:
    """One position, drawn in proportion to exp(appeal); whole-number weights keep a last digit's rounding harmless."""
    weight_N = np.where(is_open_N, np.rint(np.exp(appeal_N / 1000) * 2**20), 0).astype(np.int64)
    cumulative_N = np.cumsum(weight_N)
    return int(np.searchsorted(cumulative_N, int(draw * cumulative_N[-1]), side="right"))


def _value_columns(products: Products) -> np.ndarray:
    """Columns of `Tastes.liking_UV` that hold each product's values, shape (P, traits + 1); -1 where there is none."""
    first_T = np.cumsum([0] + [len(values) for values in TRAITS.values()])[:-1]
    second_P = products.second_occasion_P
    return np.column_stack([products.trait_PT + first_T, np.where(second_P < 0, -1, second_P + first_T[-1])])


def _likings(rng: np.random.Generator, num_users: int, spread: float) -> np.ndarray:
    num_values = sum(len(values) for values in TRAITS.values())
    liking_UV = thousandths(rng, spread, (num_users, num_values))
    return np.concatenate([liking_UV, np.zeros((num_users, 1), dtype=np.int64)], axis=1)


def _session_sites(rng: np.random.Generator, num_users: int, user_V: np.ndarray, start_V: np.ndarray) -> np.ndarray:
    """Site of each visit: the user's own, or either one, session by session, for users of both."""
    home_U = rng.integers(len(SITES), size=num_users)
    uses_both_U = rng.random(num_users) < _BOTH_SITES_SHARE
    either_V = rng.integers(len(SITES), size=len(user_V))[start_V]
    return np.where(uses_both_U[user_V], either_V, home_U[user_V])


def _user_ids(rng: np.random.Generator, num_users: int) -> np.ndarray:
    """Pseudonymous keys that both sites know a person by."""
    return np.array([f"u{number:06x}" for number in rng.permutation(1 << 20)[:num_users] * 16 + 7], dtype=object)
