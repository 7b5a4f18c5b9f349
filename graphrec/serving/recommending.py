"""From a request to a list of items: the rules that a service needs beyond those of the library."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from graphrec.data.filters import Filters
from graphrec.living.live_state import LiveState
from graphrec.serving.answers import Basis, FoundItem, RankedItem, RecommendAnswer, SearchAnswer
from graphrec.serving.limits import Limits
from graphrec.serving.people import known_as
from graphrec.serving.requests import RecommendRequest, SearchRequest
from graphrec.serving.service import Snapshot
from graphrec.serving.uploads import Upload, picture_files

if TYPE_CHECKING:
    from graphrec.serving.requests import _Filtered

R = TypeVar("R", bound=RankedItem)


def recommend(now: Snapshot, asked: RecommendRequest, pictures: Sequence[Upload], limits: Limits) -> RecommendAnswer:
    """The list for a user or a basket; what is popular where nothing is known of either, which is no error.

    Raises GraphRecError and ProblemError for what cannot be met.
    """
    model, filters = now.model, _filters(now.state, asked)
    known, unknown = _by_catalogue(now.state, asked.item_ids)
    basis: Basis = "popular"
    user_id = _with_history(now, asked.user_id)
    if user_id is not None:
        answer, basis = model.answer_users([user_id], asked.k, not asked.include_seen, filters=filters), "user"
    elif known or asked.texts or pictures:
        with picture_files(pictures, limits) as images:
            answer = model.answer_visitor(known, asked.k, filters=filters, texts=asked.texts, images=images)
        basis = "items"
    else:
        answer = model.answer_popular(asked.k, filters=filters)
    return RecommendAnswer(
        model_version=now.version, sequence=now.sequence, basis=basis, unknown_items=unknown,
        items=_rows(answer.columns(), RankedItem),
    )  # fmt: skip


def search(now: Snapshot, asked: SearchRequest, pictures: Sequence[Upload], limits: Limits) -> SearchAnswer:
    """The items nearest to what is asked for. Raises GraphRecError and ProblemError for what cannot be met."""
    with picture_files(pictures, limits) as images:
        table = now.model.search(
            asked.text, images, asked.items, asked.k, but=asked.but, without=asked.without, weights=asked.weights,
            rerank=asked.rerank, filters=_filters(now.state, asked),
        )  # fmt: skip
    return SearchAnswer(
        model_version=now.version,
        sequence=now.sequence,
        items=_rows({name: table[name].to_numpy() for name in FoundItem.model_fields}, FoundItem),
    )


def _filters(state: LiveState, asked: "_Filtered") -> Filters:
    # An unknown id cannot be answered with, so leaving it out is done; the caller's list may be older than the run.
    exclude, _ = _by_catalogue(state, asked.exclude)
    return Filters(asked.site, asked.where, exclude, asked.only_new)


def _by_catalogue(state: LiveState, item_ids: list[str]) -> tuple[list[str], list[str]]:
    """Those that the catalogue has, removed ones too, and those that it never had."""
    if not item_ids:
        return [], []
    pairs = list(zip(item_ids, (state.items.id_index.indices(item_ids) >= 0).tolist(), strict=True))
    return [item_id for item_id, is_in in pairs if is_in], [item_id for item_id, is_in in pairs if not is_in]


def _with_history(now: Snapshot, user_id: str | None) -> str | None:
    """The id by which the run knows this person; None for nobody, and for whoever never did anything."""
    state = now.state
    known = None if user_id is None else known_as(user_id, state.users, now.model.train_.description)
    return known if known is not None and len(state.seen.row(int(state.users.indices([known])[0]))[0]) else None


def _rows(columns: Mapping[str, np.ndarray], row: type[R]) -> list[R]:
    lines = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [row.model_validate(dict(zip(columns, line, strict=True))) for line in lines]
