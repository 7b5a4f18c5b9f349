"""A fitted model that takes in changes: they are read and encoded first, and then either taken in whole or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from graphrec.data.dataset import OwnVectors, SetAside
from graphrec.data.description import DatasetDescription
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import to_objects
from graphrec.features.modality import Modality
from graphrec.living.arrival import Arrival
from graphrec.living.drift import Drift
from graphrec.living.encoding import ArrivalEncoder
from graphrec.living.entries import Arrived, Entry, Happened, Removed, Summed
from graphrec.living.live_state import LiveState
from graphrec.living.reading import Cards, completed, read_cards, read_new_events, split_known
from graphrec.living.settle import with_arrival, with_pairs
from graphrec.living.tables import Source
from graphrec.living.vectors import KnownVectors
from graphrec.progress import Progress, silent


@dataclass(frozen=True)
class LiveModel:
    """Immutable: what takes something in is a new one, and the old one goes on answering as before."""

    state: LiveState
    encoder: ArrivalEncoder
    description: DatasetDescription
    vectors: KnownVectors
    """Pictures and texts, and own vectors, of all items as they are now: what an update leaves as it is."""
    events: int = 0
    """How many were taken in."""

    @property
    def drift(self) -> Drift:
        """How far it has moved since training."""
        return Drift.of(self.state, self.events)

    def taking(self, entries: Sequence[Entry]) -> "LiveModel":
        """With these entries taken in, in their order: the same as one by one."""
        summed, state, vectors = Summed.of(entries), self.state, self.vectors
        if summed.arrival is not None:
            state = with_arrival(state, summed.arrival, self.encoder.rows(summed.arrival))
            rows = state.items.id_index.indices(summed.arrival.cards.item_ids)
            vectors = vectors.with_rows(rows, summed.arrival)
        if summed.pairs is not None:
            state = with_pairs(state, summed.pairs)
        if summed.removed:
            state = state.without_items(state.items.id_index.indices(list(summed.removed)))
        events = self.events + sum(len(entry) for entry in entries if isinstance(entry, Happened))
        return replace(self, state=state, vectors=vectors, events=events)

    def read_added(
        self,
        source: Source,
        vectors: Mapping[str, OwnVectors] | None = None,
        root: Path | None = None,
        site: str | None = None,
        progress: Progress = silent,
    ) -> tuple[Arrived, SetAside]:
        """Items to be added, encoded. Raises GraphRecError where none can be, or the run's CLIP cannot be had."""
        cards, collector = self._read_cards(source, root, site, are_new=True)
        self._warn_of_other_sites(cards.catalogue.site, collector)
        self.encoder.check_clip()
        arrival, notes = self.encoder.encode(cards.catalogue, vectors or {}, progress)
        for note in notes.values():
            collector.note(note)
        return Arrived(arrival), collector.finish()

    def read_updated(
        self,
        source: Source,
        vectors: Mapping[str, OwnVectors] | None = None,
        root: Path | None = None,
        site: str | None = None,
        progress: Progress = silent,
    ) -> tuple[Arrived, SetAside]:
        """Items to be changed: what a row does not have stays as it is. Raises GraphRecError as `read_added` does."""
        cards, collector = self._read_cards(source, root, site, are_new=False)
        has_contents = not cards.told.isdisjoint(("image", "text"))  # a price can change where there is no CLIP
        if has_contents:
            self.encoder.check_clip()
        whole = completed(cards, self.state.items, collector)
        # A picture that was not told of keeps its vector: its file may be anywhere by now.
        looked_at = whole if "image" in cards.told else replace(whole, image=np.full(len(whole), "", dtype=object))
        arrival, notes = self.encoder.encode(looked_at, vectors or {}, progress, has_contents)
        for note in [notes[name] for name in notes if name in cards.told or name in (vectors or {})]:
            collector.note(note)
        return Arrived(self._with_untold(replace(arrival, cards=whole), cards, vectors or {})), collector.finish()

    def read_events(self, source: Source, site: str | None = None) -> tuple[Happened, SetAside]:
        """Events to be added. Raises GraphRecError where no row can be used."""
        collector = SetAsideCollector()
        read = read_new_events(source, self.description, self.state.items, collector, site)
        happened = Happened(
            user_ids=to_objects(read.user_id_E),
            item_ids=self.state.items.item_ids[read.item_index_E],
            weight_E=read.weight_E,
            timestamp_E=read.timestamp_E,
            event_E=to_objects(read.event_E),
            site_E=to_objects(read.site_E),
        )
        return happened, collector.finish()

    def read_removed(self, item_ids: Sequence[str]) -> Removed:
        """Items to be removed. Raises GraphRecError for the first that is unknown or removed already."""
        ids = list(dict.fromkeys(item_ids))
        self.state.items.indices(ids, "remove-items")
        return Removed(tuple(ids))

    def _read_cards(
        self, source: Source, root: Path | None, site: str | None, are_new: bool
    ) -> tuple[Cards, SetAsideCollector]:
        """Those that can be added, or changed, and what was collected while they were read."""
        collector, known = SetAsideCollector(), self.state.items
        read = read_cards(source, self.description, known, collector, root, site)
        return split_known(read, known, are_new, collector), collector

    def _warn_of_other_sites(self, site_N: np.ndarray, collector: SetAsideCollector) -> None:
        target = self.state.target_site
        others = sorted({str(one) for one in site_N if one != target} if target is not None else ())
        if others:
            named = ", ".join(one or "no site" for one in others)
            collector.warn(
                f"{int((site_N != target).sum()):,} of the items are of {named}: this run recommends those of {target} "
                "alone; say of which site they are in a column site, or with --site."
            )

    def _with_untold(self, arrival: Arrival, cards: Cards, given: Mapping[str, OwnVectors]) -> Arrival:
        """With the vectors that the items had, of everything that the rows did not speak of."""
        items = self.state.items.id_index.indices(arrival.cards.item_ids)
        vectors = {name: Modality(*self.vectors.take(name, items)) for name in self.vectors.x}
        for name, modality in arrival.vectors.items():
            is_told = np.full(len(items), name in given or name in cards.told)
            if name in given:
                is_told = modality.present_I
            elif name == "image":  # a picture that cannot be read takes nothing away; an empty cell does
                is_told &= modality.present_I | (arrival.cards.image == "")
            x_NF, present_N = self.vectors.take(name, items)
            vectors[name] = Modality(
                np.where(is_told[:, None], modality.x_IF, x_NF), np.where(is_told, modality.present_I, present_N)
            )
        signals = {
            name: np.where(name in cards.told, signal_NS, self.vectors.signals(name, items))
            for name, signal_NS in arrival.signals.items()
        }
        return replace(arrival, vectors=vectors, signals=signals)
