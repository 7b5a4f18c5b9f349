"""The recommender: fit on a dataset, recommend, export its vectors, save and load."""

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp

from graphrec.answer import Answer
from graphrec.config import GraphRecConfig
from graphrec.data.dataset import Dataset, OwnVectors, SetAside, Truth
from graphrec.data.filters import NO_FILTERS, Filters
from graphrec.data.id_list import check_list
from graphrec.device import Device, resolve_device
from graphrec.errors import GraphRecError
from graphrec.evaluation.ranking import RankedLists, rank_by_vectors
from graphrec.features.blocks import FeatureBlocks
from graphrec.features.extract import ItemFeatures, extract_features
from graphrec.features.gate import item_blocks
from graphrec.graph.interaction_graph import InteractionGraph
from graphrec.graph.site_view import SiteView
from graphrec.living.changes import Changes
from graphrec.living.drift import Drift
from graphrec.living.encoding import ArrivalEncoder
from graphrec.living.entries import Entry
from graphrec.living.ids import Ids
from graphrec.living.journal import Stored
from graphrec.living.live_clip import LiveClip
from graphrec.living.live_items import LiveItems
from graphrec.living.live_model import LiveModel
from graphrec.living.live_state import LiveState, live_state
from graphrec.living.rebase import readable
from graphrec.living.tables import Source
from graphrec.living.vectors import KnownVectors
from graphrec.models.checkpoint import remove_checkpoint, training_key
from graphrec.models.graph_model import GraphModel, fit_graph_model
from graphrec.progress import Progress, Say, silent, unsaid
from graphrec.retrieval.embeddings import Embeddings
from graphrec.retrieval.item_index import ItemIndex
from graphrec.retrieval.live_index import LiveIndex
from graphrec.run_folder import Run, read_run, write_run
from graphrec.run_without_users import run_without_users
from graphrec.search.clip_index import ClipIndex
from graphrec.search.products import features_of_products
from graphrec.search.query import Rerank, SearchQuery, Weights
from graphrec.search.query_encoder import QueryEncoder
from graphrec.search.searcher import Searcher


class Recommender:
    """Content vectors for new items, graph vectors for touched ones, one index over both.

    After `fit` or `load`: `train_` (the training data), `features_`, `model_`, `index_` and `forgotten_` (see
    `forget_users`). `cache` is a folder that remembers CLIP vectors by content, so that nothing is encoded twice;
    without it none is written.
    """

    changes_: Changes

    def __init__(
        self, config: GraphRecConfig | None = None, device: Device = "auto", cache: str | Path | None = None
    ) -> None:
        self.config = config or GraphRecConfig()
        self.device = device
        self.cache = cache
        self._checkpoint: tuple[Path, str] | None = None
        """The file, and the key of the fit that it has to be of to be deleted."""

    def fit(
        self,
        train: Dataset,
        progress: Progress = silent,
        held_out: Mapping[str, Truth] | None = None,
        checkpoint: Path | None = None,
        say: Say = unsaid,
    ) -> Self:
        """Encode the items, train the encoder, fit the content head, build the index.

        Only `train.interactions` are learned from. `held_out` are truths that were kept out of them, by name: they are
        not looked at, only kept beside the model and saved with it for a later evaluation. Items without an interaction
        contribute nothing and get their content vector. Raises GraphRecError where there is too little to learn from.

        `checkpoint` is a file that training writes while it works: killed, the same call goes on from it to the same
        vectors, bit for bit on one machine; `save` deletes it. It is never used for other data, features or settings.
        `say` gets a line where training resumes.
        """
        train = train.with_borrowed_log()
        is_warm_I = train.own_interactions.item_degree() > 0
        device = resolve_device(self.device)
        cache = None if self.cache is None else Path(self.cache)
        features = extract_features(train, is_warm_I, self.config.features, progress, device, cache)
        blocks = item_blocks(features, is_warm_I, say)
        model = fit_graph_model(train, blocks, self.config.model, self.config.seed, device, progress, checkpoint, say)
        self._checkpoint = (
            None
            if checkpoint is None
            else (checkpoint, training_key(train, blocks, self.config.model, self.config.seed, device))
        )
        index = ItemIndex.build(model.served_ID, self.config.index)
        clip = ClipIndex.build(train, features, self.config.index)
        if clip is not None:
            encoder = QueryEncoder(clip.clip, clip.dims, device, cache)
            rng = np.random.default_rng(self.config.seed)
            clip = clip.with_learned(train.catalogue, encoder, self.config.search, rng, progress, say)
        return self._hold(Run(self.config, train, features, model, index, dict(held_out or {}), clip))

    def recommend(
        self,
        user_ids: Sequence[str],
        k: int = 20,
        exclude_seen: bool = True,
        only_new: bool = False,
        filters: Filters = NO_FILTERS,
    ) -> pd.DataFrame:
        """The k best items for each known user: columns user_id, rank (from 1), item_id, score, title, degree, source.

        Items the user has touched are left out unless asked for; `only_new` leaves the items without an edge, `filters`
        those that meet further conditions. A user gets fewer than k rows only where fewer items are eligible.

        Raises GraphRecError for a user who is unknown or has no history, and as `Filters.eligible` does.
        """
        answer = self.answer_users(user_ids, k, exclude_seen, only_new, filters)
        return answer.table({"user_id": np.array(list(user_ids), dtype=object)})

    def answer_users(
        self,
        user_ids: Sequence[str],
        k: int = 20,
        exclude_seen: bool = True,
        only_new: bool = False,
        filters: Filters = NO_FILTERS,
    ) -> Answer:
        """What `recommend` says, before it is a table."""
        state = self.live.state
        k = _checked_k(k, len(state.items))
        check_list(user_ids, "user ids")
        user_ids = list(user_ids)
        users = _known_users(state, user_ids)
        histories = state.seen.columns(users)
        _check_histories(user_ids, histories)
        allowed = self._eligible(state, only_new, filters)
        query_BW = state.queries_of(state.q[users], histories)
        found = state.index.search(query_BW, k, exclude=histories if exclude_seen else None, allowed=allowed)
        return Answer(state, found.items_BK, found.scores_BK)

    def recommend_from_items(
        self,
        item_ids: Sequence[str] = (),
        k: int = 20,
        only_new: bool = False,
        filters: Filters = NO_FILTERS,
        *,
        texts: Sequence[str] = (),
        images: Sequence[str | Path] = (),
    ) -> pd.DataFrame:
        """The k best items for a visitor with this basket, without training: columns as `recommend`, no user_id.

        The visitor is encoded as a user with these items would be; the items themselves are left out. They may be items
        of other sites, or products that no catalogue has, each given as a text or as a picture file.

        Raises GraphRecError for an unknown item, nothing at all, a picture that cannot be used, and texts or pictures
        of which the run has no encoder.
        """
        return self.answer_visitor(item_ids, k, only_new, filters, texts=texts, images=images).table()

    def answer_visitor(
        self,
        item_ids: Sequence[str] = (),
        k: int = 20,
        only_new: bool = False,
        filters: Filters = NO_FILTERS,
        *,
        texts: Sequence[str] = (),
        images: Sequence[str | Path] = (),
    ) -> Answer:
        """What `recommend_from_items` says, before it is a table."""
        state, model = self.live.state, self.model_
        k = _checked_k(k, len(state.items))
        for given, of in ((item_ids, "item ids"), (texts, "texts"), (images, "picture files")):
            check_list(given, of)
        items = state.items.id_index.indices(list(item_ids))
        if (items < 0).any():
            unknown = f"unknown item {item_ids[int(np.argmin(items))]!r}"
            raise GraphRecError(f"Cannot recommend from items: {unknown}; expected ids from the catalogue.")
        if not len(items) and not texts and not images:
            raise GraphRecError("Cannot recommend from items: no item given; expected ids, texts or pictures.")
        items, more_raw_1R = np.unique(state.nodes(items)), None
        states_LND = np.stack([states_ID[items] for states_ID in state.states])
        if texts or images:
            paths = [Path(one) for one in images]
            encoder = None if self.clip_ is None else self._query_encoder
            x_NF = features_of_products(self.features_, model.degree_I > 0, encoder, texts, paths)
            states_LND = np.concatenate([states_LND, model.encoder.states_of_new(x_NF)], axis=1)
            more_raw_1R = model.placement.place(x_NF).raw_IR.sum(axis=0, keepdims=True)
        vector_1D = model.encoder.encode_users(states_LND, [np.arange(states_LND.shape[1])])
        query_1D = state.queries_of(vector_1D, [items], more_raw_BR=more_raw_1R)
        allowed = self._eligible(state, only_new, filters)
        found = state.index.search(query_1D, k, exclude=[items], allowed=allowed)
        return Answer(state, found.items_BK, found.scores_BK)

    def recommend_popular(self, k: int = 20, only_new: bool = False, filters: Filters = NO_FILTERS) -> pd.DataFrame:
        """The k most popular items, for somebody of whom nothing is known: columns as `recommend`, no user_id.

        Popularity is log(1 + users) on the site, new items as their content predicts it; `filters` choose a segment.
        """
        return self.answer_popular(k, only_new, filters).table()

    def answer_popular(self, k: int = 20, only_new: bool = False, filters: Filters = NO_FILTERS) -> Answer:
        """What `recommend_popular` says, before it is a table."""
        state = self.live.state
        k = _checked_k(k, len(state.items))
        items = self._eligible(state, only_new, filters)
        items = state.most_popular(k) if items is None else items
        popularity_N = state.popularity(items)
        order = np.lexsort((items, -popularity_N))[:k]
        return Answer(state, items[order][None], popularity_N[order][None])

    def search(
        self,
        text: str | Sequence[str] | None = None,
        image: str | Path | Sequence[str | Path] | None = None,
        items: str | Sequence[str] | None = None,
        k: int = 20,
        *,
        but: str | Sequence[str] | None = None,
        without: str | Sequence[str] | None = None,
        weights: Weights = None,
        rerank: Rerank = None,
        filters: Filters = NO_FILTERS,
    ) -> pd.DataFrame:
        """The k items nearest to a text, a picture file, items, or any mix of them; nobody's history is looked at.

        `but` changes the picture or items in a direction ("red"), `without` names what there should be less of; see
        `search.query.SearchQuery`. Two stages: the first weighs everything asked for alike and proposes candidates
        (`rerank` of them; "none": no second stage), the second orders these by `weights`: "learned" in training (the
        default for a text with a picture; where none were learned "text=0.9,image=0.1"), or "equal" (otherwise).

        Columns as `recommend` (no user_id), and: site, matched (what the item has: both, image, text, neither),
        from_image and from_text (their parts of the score). The items asked for are left out of the answer.

        Raises GraphRecError in one line where nothing is asked for, a picture cannot be used, an item is unknown, a
        filter cannot be met, or the run cannot be searched that way.
        """
        state = self.live.state
        k = _checked_k(k, len(state.items))
        found = self._searcher(state).search(
            SearchQuery.of(text, image, items, but, without), k, weights, rerank, self._on_target_site(filters)
        )
        table = Answer(state, found.items_K[None], found.scores_K[None]).table()
        table["site"] = state.items.site[found.items_K]
        table["matched"] = found.route_K
        return table.assign(**{f"from_{kind}": share_K for kind, share_K in found.share_K.items()})

    def rank(
        self, users: np.ndarray, pool: np.ndarray, seen: sp.csr_matrix | None, k: int, popularity: bool = True
    ) -> RankedLists:
        """The graph arm of a comparison: exact ranking of a pool for user indices (see `baselines.arm.Arm`)."""
        return rank_by_vectors(self.queries(users, popularity), self.model_.served_ID, pool, seen, k)

    def queries(self, users: np.ndarray, popularity: bool = True) -> np.ndarray:
        """What is searched with for these user indices, float32 as wide as the item vectors; popularity can be off."""
        return self.model_.queries(self.model_.encoded.q_UD[users], self.seen[users], popularity)

    def embeddings(self, kind: Literal["item", "content", "user"] = "item") -> Embeddings:
        """Served item vectors, or user queries: their inner product is the score that `recommend` ranks by.

        "content": of every item the vector that its own features give it, as if nobody had touched it; the served one
        where that is so. Where there is a target site, of its items alone.
        """
        state = self.live.state
        if kind == "user":
            users = np.arange(len(state.users))
            degree_U = np.diff(state.seen.take(users).indptr)
            source_U = np.where(degree_U > 0, "graph", "none").astype(object)
            return Embeddings(state.users.names[users], state.queries(users), degree_U, source_U)
        served = state.eligible(self._on_target_site(NO_FILTERS))
        source_N, vectors_ND = state.source(served), state.index.vectors_ID[served]
        if kind == "content":
            source_N, vectors_ND = np.full(len(served), "content", dtype=object), state.content(served)
        return Embeddings(state.items.item_ids[served], vectors_ND, state.degree[served], source_N)

    def save(self, folder: str | Path, say: Say = unsaid) -> Path:
        """Write a run folder, whole or not at all; an earlier run there is replaced, anything else is refused.

        With what changed since training, and what changed in an earlier run of the same dataset there; `say` gets a
        line about that.
        """
        write_run(self._run, Path(folder), say)
        if self._checkpoint is not None:
            remove_checkpoint(*self._checkpoint)
            self._checkpoint = None
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path, device: Device = "auto", cache: str | Path | None = None) -> "Recommender":
        """Read a run folder, with what changed since training.

        Changes of this object are in memory until it is saved; `live_run.LiveRun` writes them to the folder at once.
        Raises GraphRecError where it is missing, from a newer version, or a file was changed.
        """
        run = read_run(Path(folder), resolve_device(device))
        return cls(run.config, device, cache)._hold(run)

    def forget_users(self, user_ids: Sequence[str]) -> Self:
        """Remove these people, and make everything anew that depended on them but the trained weights.

        What they did leaves the training data and the held-out pairs, rows set aside that name them leave too; degrees,
        popularity, encodings, head, served vectors and index are made from what remains. Other users move up, so their
        indices change. The weights still come from a training that saw those who had training data: `forgotten_` counts
        them, and a saved run says so, until `fit` is called again. To forget them in a folder too, call `save`; see
        `forgetting.folder.forget_in_folder` for checkpoints and exports.

        Raises GraphRecError where somebody is unknown, or too little is left.
        """
        check_list(user_ids, "user ids")
        before = self.version
        self._hold(run_without_users(self._run, user_ids))
        self.changes_ = self.changes_.of_version(before, self.version)  # nothing was trained on what came since
        return self

    def add_items(
        self,
        items: Source,
        vectors: Mapping[str, OwnVectors] | None = None,
        root: str | Path | None = None,
        site: str | None = None,
    ) -> SetAside:
        """Make items recommendable at once: a file as the dataset's items, a data frame, or records by column.

        Each is encoded and placed by its content, as it would have been had it been there, untouched, in training;
        nothing is trained. `vectors` are own vectors of the items where the run was trained with such; `root` is the
        folder that the paths of pictures start from (default: that of the file); `site` says of which site the items
        are, where the file does not. Answers what was set aside: rows that cannot be used, and items that are there.

        Raises GraphRecError in one line where no row can be used, or the run's CLIP cannot be had.
        """
        entry, set_aside = self.live.read_added(items, vectors, _path(root), site)
        self._take([entry])
        return set_aside

    def update_items(
        self,
        items: Source,
        vectors: Mapping[str, OwnVectors] | None = None,
        root: str | Path | None = None,
        site: str | None = None,
    ) -> SetAside:
        """Change what is known of items: what a row has no column for stays as it is. See `add_items`."""
        entry, set_aside = self.live.read_updated(items, vectors, _path(root), site)
        self._take([entry])
        return set_aside

    def remove_items(self, item_ids: Sequence[str]) -> Self:
        """Have nothing return these items any more; what people did with them still tells of these people.

        Raises GraphRecError, with nothing removed, where one is unknown.
        """
        check_list(item_ids, "item ids")
        self._take([self.live.read_removed(item_ids)])
        return self

    def add_events(self, events: Source, site: str | None = None) -> SetAside:
        """Take in what people did: they are encoded anew, and what they touched moves from content to the graph.

        A file as the dataset's interactions, a data frame, or records by column; people may be new, items not. Weights,
        minimum ratings, consent and pseudonyms are as in the dataset. Nothing is trained. Raises GraphRecError in one
        line where no row can be used.
        """
        entry, set_aside = self.live.read_events(events, site)
        self._take([entry])
        return set_aside

    @property
    def drift(self) -> Drift:
        """What changed since training, and whether it should be done again."""
        return self.live.drift

    def taking(self, stored: Sequence[Stored]) -> "Recommender":
        """Another recommender, with these changes too; this one answers as before."""
        other = copy(self)
        other.live = self.live.taking(readable(stored, self._untouched, self.version, self.made_by))
        other.changes_ = self.changes_.with_more(stored)
        return other

    def _take(self, entries: Sequence[Entry]) -> None:
        live = self.live.taking(entries)
        stored = tuple(Stored(0, entry, self.version, self.made_by) for entry in entries if len(entry))
        self.live = live
        self.changes_ = self.changes_.with_more(stored)

    @property
    def made_by(self) -> Mapping[str, str]:
        """image and text → fingerprint of the CLIP that makes their vectors."""
        return {} if self.clip_ is None else self.clip_.made_by

    @cached_property
    def live(self) -> LiveModel:
        """The model with what changed since training."""
        untouched, stored = self._untouched, self.changes_.stored
        if not stored:
            return untouched
        return untouched.taking(readable(stored, untouched, self.version, self.made_by))

    @cached_property
    def _untouched(self) -> LiveModel:
        """As training left it."""
        state = live_state(
            self.model_,
            self.view,
            self.train_.target_site,
            LiveItems.of(self.train_.catalogue),
            Ids.of(self.train_.user_id_index, self.train_.user_ids),
            LiveIndex.of(self.index_),
            None if self.clip_ is None else LiveClip.of(self.clip_),
        )
        encoder = ArrivalEncoder(
            self.features_,
            self.model_.degree_I > 0,
            self.made_by,
            resolve_device(self.device),
            None if self.cache is None else Path(self.cache),
        )
        return LiveModel(state, encoder, self.train_.description, KnownVectors.of(self.features_))

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with any served vector: vectors of different versions are not comparable."""
        return hashlib.sha256(np.ascontiguousarray(self.model_.served_ID).data).hexdigest()[:12]

    @cached_property
    def blocks(self) -> FeatureBlocks:
        """The features as every arm sees them; baselines are fitted from the same."""
        return item_blocks(self.features_, self.model_.degree_I > 0)

    @cached_property
    def view(self) -> SiteView:
        """The training data as the target site sees them."""
        return SiteView.of(self.train_)

    @property
    def graph(self) -> InteractionGraph:
        """The training graph."""
        return self.view.graph

    @cached_property
    def seen(self) -> sp.csr_matrix:
        """Users × items as nodes: the training pairs."""
        return self.view.matrix_UI

    def _hold(self, run: Run) -> Self:
        self.train_: Dataset = run.train
        self.features_: ItemFeatures = run.features
        self.model_: GraphModel = run.model
        self.index_: ItemIndex = run.index
        self.held_out_: dict[str, Truth] = run.held_out
        self.clip_: ClipIndex | None = run.clip
        self.changes_ = run.changes
        self.forgotten_ = run.forgotten
        for name in ("version", "blocks", "view", "seen", "live", "_untouched", "_query_encoder"):
            self.__dict__.pop(name, None)  # made from what was held before
        return self

    @property
    def _run(self) -> Run:
        return Run(
            self.config, self.train_, self.features_, self.model_, self.index_, self.held_out_, self.clip_,
            self.changes_, self.forgotten_,
        )  # fmt: skip

    def _searcher(self, state: LiveState) -> Searcher:
        if state.clip is None:
            raise GraphRecError(
                "This run has no picture or text vectors to search: give the items pictures or texts, let features.use "
                "name image and text, and train again."
            )
        return Searcher(state.clip.clip, state.clip.index, state, self.config.search, self._query_encoder)

    @cached_property
    def _query_encoder(self) -> QueryEncoder:
        """Models that it has loaded stay with it."""
        assert self.clip_ is not None
        return QueryEncoder(self.clip_.clip, self.clip_.dims, resolve_device(self.device), made_by=self.clip_.made_by)

    def _eligible(self, state: LiveState, only_new: bool, filters: Filters) -> np.ndarray | None:
        if only_new and not filters.only_new:
            filters = replace(filters, only_new=True)
        return state.items.eligible(self._on_target_site(filters), state.degree)

    def _on_target_site(self, filters: Filters) -> Filters:
        """With the target site as the condition, which is the only one that the run places items for."""
        target = self.train_.target_site
        if target is None or filters.site == (target,):
            return filters
        if filters.site:
            raise GraphRecError(
                f"This run recommends items of {target} alone, not of {', '.join(filters.site)}: leave --site out, or "
                "train another with `graphrec train --site`."
            )
        return replace(filters, site=(target,))


def _known_users(state: LiveState, user_ids: list[str]) -> np.ndarray:
    users = state.users.indices(user_ids)
    if (users < 0).any():
        raise GraphRecError(
            f"Unknown user {user_ids[int(np.argmin(users))]!r}: not in the training data. For a visitor, give items "
            "they like instead."
        )
    return users


def _check_histories(user_ids: Sequence[str], histories: Sequence[np.ndarray]) -> None:
    for user_id, history in zip(user_ids, histories, strict=True):
        if not len(history):
            raise GraphRecError(
                f"User {user_id!r} has no interaction in the training data. Give items they like instead."
            )


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _checked_k(k: int, num_items: int) -> int:
    """k, or as many items as there are: no list is longer, and room for more would be taken for nothing."""
    if k < 1:
        raise GraphRecError(f"Expected k of at least 1, got {k}.")
    return min(k, num_items)
