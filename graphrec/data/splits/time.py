"""Cold items by their birth: everything from one moment on is held out, as a shop meets it (Ji et al. 2020)."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from graphrec.data.dataset import Dataset, SetAside, Split, Truth
from graphrec.data.splits.held_out import checked_share, touched_items
from graphrec.errors import GraphRecError

NO_TIME = "without a time: neither before nor after the cut-off"


def split_by_time(dataset: Dataset, fraction: float, date: datetime | str | None) -> Split:
    """See `Dataset.split_by_time`."""
    touched_items(dataset)
    inter = dataset.interactions
    has_time_E = ~np.isnan(inter.timestamp_E)
    if not has_time_E.any():
        raise GraphRecError(
            f"Dataset {dataset.name!r} has no timestamps, so it cannot be split by time: name the column in "
            "dataset.yaml, or hold out items at random."
        )
    birth_I = np.full(inter.num_items, np.inf)
    np.minimum.at(birth_I, inter.item_index_E[has_time_E], inter.timestamp_E[has_time_E])
    births = birth_I[np.isfinite(birth_I) & dataset.is_served_I]
    if not len(births):
        raise GraphRecError(
            f"No event of {dataset.target_site} has a time, so it cannot be split by time: hold out items at random."
        )
    if date is None:
        cutoff = _cutoff_of_share(births, checked_share(fraction, "the youngest items"))
    else:
        cutoff = _cutoff_of_date(births, inter.timestamp_E[has_time_E], date)
    is_train_E = inter.timestamp_E < cutoff  # never true without a time
    known = inter.take(is_train_E)
    later = inter.take(inter.timestamp_E >= cutoff)
    # What is touched again later is known already, and known items are never recommended.
    later = later.take(dataset.is_served_I[later.item_index_E])  # what is recommended is judged
    key_P = np.setdiff1d(_keys(later.user_index_E, later.item_index_E, inter.num_items),
                         _keys(known.user_index_E, known.item_index_E, inter.num_items))  # fmt: skip
    train = replace(
        dataset, interactions=known, truths={}, set_aside=_noted(dataset.set_aside, int((~has_time_E).sum()))
    )
    return Split(train, Truth(key_P // inter.num_items, key_P % inter.num_items), cutoff=cutoff, is_disjoint=True)


def _cutoff_of_share(births: np.ndarray, fraction: float) -> float:
    """The birth from which on the number of younger items comes nearest to the share; the later one of two."""
    distinct, count = np.unique(births, return_counts=True)
    if len(distinct) < 2:
        raise GraphRecError(
            f"Cannot hold out the youngest {fraction:.0%} of {len(births)} items: all were first touched at one moment."
        )
    younger = np.cumsum(count[::-1])[::-1]  # items born at this moment or later
    distance = np.abs(younger[1:] - fraction * len(births))  # from the first birth on would be everything
    return float(distinct[1:][::-1][np.argmin(distance[::-1])])


def _cutoff_of_date(births: np.ndarray, second_E: np.ndarray, date: datetime | str) -> float:
    cutoff = seconds_of(date)
    first, last = second_E.min(), second_E.max()
    if not first < cutoff <= last:
        raise GraphRecError(
            f"The cut-off {moment(cutoff)} lies outside the log ({moment(first)} to {moment(last)}): choose one in it."
        )
    if not (births >= cutoff).any():
        raise GraphRecError(
            f"No item is first touched from {moment(cutoff)} on (the youngest: {moment(births.max())}): "
            "choose an earlier date, or hold out pairs."
        )
    return cutoff


def seconds_of(date: datetime | str) -> float:
    """Since 1970; UTC where no zone is named."""
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date.strip())
        except ValueError:
            raise GraphRecError(f"Not a date: {date!r}; expected one such as 2024-05-31.") from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def moment(second: float) -> str:
    """A point in time for a reader, UTC; without the time of day where it is midnight."""
    read = np.datetime64(round(second), "s")
    day = read.astype("datetime64[D]")
    return str(day) if day == read else f"{read} UTC"


def _keys(user_E: np.ndarray, item_E: np.ndarray, num_items: int) -> np.ndarray:
    return np.unique(user_E * num_items + item_E)


def _noted(set_aside: SetAside, num_without_time: int) -> SetAside:
    if not num_without_time:
        return set_aside
    return replace(set_aside, left_out={**set_aside.left_out, NO_TIME: num_without_time})
