"""From a dataset to one matrix per modality: what is fitted is fitted on warm items only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel

from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import Dataset, OwnVectors
from graphrec.errors import GraphRecError
from graphrec.features.attributes import AttributeEncoder, AttributesConfig
from graphrec.features.catalogue_vectors import catalogue_images, catalogue_texts, cut_note
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.content_encoder import ContentEncoder
from graphrec.features.modality import Modality
from graphrec.features.own import join_own_vectors
from graphrec.features.quality import quality_signals
from graphrec.features.words import WordsConfig, WordsEncoder
from graphrec.progress import Progress, silent

IMAGE, TEXT, WORDS, ATTRIBUTES = "image", "text", "words", "attributes"
ATTRIBUTE_PREFIX = "attribute:"
SITE_PREFIX = "site:"
"""Of blocks that say what people of other sites do (`models.other_sites`)."""
_FIRST = (IMAGE, TEXT, WORDS)
_SMALL_NOTE = (
    "The small CLIP has seen drawn pictures only: for photographs choose a real one with --clip, such as "
    "ViT-B-32:laion2b_s34b_b79k (fetched once), or fit it to the shop with `graphrec clip fit`."
)

_Made = dict[str, tuple[Modality, str]]
"""Modality name → vectors, and where they came from."""


class FeaturesConfig(BaseModel, extra="forbid", frozen=True):
    """Which modalities to use and how each is encoded."""

    clip: ClipConfig = ClipConfig()
    attributes: AttributesConfig = AttributesConfig()
    words: WordsConfig = WordsConfig()
    gate: bool = False
    """Learn from the catalogue which pictures and texts can be trusted; what cannot, or is missing, is replaced by what
    the item's other features predict of it. See `features.gate`."""
    use: tuple[str, ...] | None = None
    """Modalities by name: image, text, words, attributes (all) or attribute:<name> (one), and own vectors by theirs.
    Not given: all that the dataset has."""


@dataclass(frozen=True)
class FeatureEncoders:
    """What turns items into modalities, now and for items that arrive later."""

    own: dict[str, int]
    """Modalities that come as the user's own vectors, with their width; none of them is encoded here."""
    clip: ClipConfig
    clip_kinds: tuple[str, ...]
    """Which of image and text CLIP makes: their rows live in one space, where texts and pictures can be searched."""
    words: WordsEncoder | None
    attributes: AttributeEncoder

    @classmethod
    def fit(cls, dataset: Dataset, is_warm_I: np.ndarray, config: FeaturesConfig, progress: Progress = silent) -> Self:
        """Fit vocabularies and ranges on the warm items. Raises GraphRecError where `use` names what is not there."""
        names = _chosen(dataset, config)
        encoded = [name for name in names if name not in dataset.own_vectors]
        attributes = [name.removeprefix(ATTRIBUTE_PREFIX) for name in encoded if name.startswith(ATTRIBUTE_PREFIX)]
        catalogue, words = dataset.catalogue, None
        for text_I in progress([catalogue.text] if WORDS in encoded else [], "Learning words"):
            words = WordsEncoder.fit(text_I, is_warm_I, config.words)
        return cls(
            own={name: v.x_RF.shape[1] for name, v in dataset.own_vectors.items() if name in names},
            clip=config.clip,
            clip_kinds=tuple(name for name in (IMAGE, TEXT) if name in encoded),
            words=words,
            attributes=AttributeEncoder.fit(catalogue.known_attributes, attributes, is_warm_I, config.attributes),
        )

    def encode(
        self,
        catalogue: Catalogue,
        own_vectors: Mapping[str, OwnVectors],
        progress: Progress = silent,
        device: str = "cpu",
        clip: ClipEncoder | None = None,
        cache: Path | None = None,
    ) -> "ItemFeatures":
        """The modalities of any items, those of the fit or others; one that these items lack is absent throughout.

        `clip` spares loading the model again; `cache` is a folder that remembers CLIP vectors by content, and spares
        encoding them again, to the same bits. Raises GraphRecError where CLIP cannot be loaded, the cache cannot be
        written, or a column or own vector does not fit what the encoders were fitted on.
        """
        encoder = ContentEncoder(self.clip, device, cache, clip) if self.clip_kinds else None
        made = self._contents(catalogue, encoder, progress) | self._cards(catalogue) | self._own(catalogue, own_vectors)
        made = {name: made[name] for name in dict.fromkeys([*_FIRST, *made]) if name in made}
        notes = [f"{name}: {_counted(modality)}; {source}." for name, (modality, source) in made.items()]
        if self.clip_kinds and self.clip.is_small:
            notes.append(_SMALL_NOTE)
        return ItemFeatures({name: modality for name, (modality, _) in made.items()}, tuple(notes), self)

    def encode_vectors(
        self,
        catalogue: Catalogue,
        own_vectors: Mapping[str, OwnVectors],
        encoder: ContentEncoder | None,
        progress: Progress = silent,
    ) -> tuple[dict[str, Modality], dict[str, str]]:
        """Of further items what their cards alone do not tell: pictures and texts, and own vectors; and notes.

        `encoder` is asked where CLIP makes any of them. Raises GraphRecError as `encode` does.
        """
        made = self._contents(catalogue, encoder, progress) | self._own(catalogue, own_vectors)
        notes = {name: f"{name}: {_counted(modality)}; {source}" for name, (modality, source) in made.items()}
        return {name: modality for name, (modality, _) in made.items()}, notes

    def with_cards(self, catalogue: Catalogue, vectors: Mapping[str, Modality]) -> "ItemFeatures":
        """The features of further items, of which these vectors are known: words and attributes are read from cards."""
        made = dict(vectors) | {name: modality for name, (modality, _) in self._cards(catalogue).items()}
        return ItemFeatures(made, (), self)

    def _contents(self, catalogue: Catalogue, encoder: ContentEncoder | None, progress: Progress) -> _Made:
        made: _Made = {}
        if encoder is not None and IMAGE in self.clip_kinds:
            made[IMAGE] = _encode_images(encoder, catalogue, progress)
        if encoder is not None and TEXT in self.clip_kinds:
            made[TEXT] = _encode_texts(encoder, catalogue, progress)
        return made

    def _cards(self, catalogue: Catalogue) -> _Made:
        made: _Made = {}
        if self.words is not None:
            source = (
                f"TF-IDF of {len(self.words.vocabulary):,} words, cut to {len(self.words.components_FV)} directions"
            )
            made[WORDS] = self.words.encode(catalogue.text), source
        for name, modality in self.attributes.encode(catalogue.known_attributes, len(catalogue)).items():
            made[ATTRIBUTE_PREFIX + name] = modality, self.attributes.describe(name)
        return made

    def _own(self, catalogue: Catalogue, own_vectors: Mapping[str, OwnVectors]) -> _Made:
        return {
            name: _join_own(name, num_features, own_vectors.get(name), catalogue)
            for name, num_features in self.own.items()
        }


@dataclass(frozen=True)
class ItemFeatures:
    """Modality name → vectors of the same items, joined by id. `notes` say in sentences where each came from.

    Names: image, text, words, attribute:<name>, and own vectors under theirs. Raises ValueError where modalities are of
    different numbers of items, or there is none.
    """

    modalities: dict[str, Modality]
    notes: tuple[str, ...]
    encoders: FeatureEncoders
    signals: dict[str, np.ndarray] = field(default_factory=dict)
    """image and text → their quality signals (`features.quality`), float32 (I, S); empty where there is no gate."""

    def __post_init__(self) -> None:
        lengths = {len(modality.present_I) for modality in self.modalities.values()}
        if len(lengths) != 1:
            raise ValueError(f"Expected at least one modality, all of the same items, got lengths {sorted(lengths)}.")

    @property
    def num_items(self) -> int:
        """I."""
        return len(next(iter(self.modalities.values())).present_I)

    @property
    def numeric_blocks(self) -> frozenset[str]:
        """Modalities that are a number's bumps."""
        return frozenset(ATTRIBUTE_PREFIX + name for name in self.encoders.attributes.bumps)


def extract_features(
    dataset: Dataset,
    is_warm_I: np.ndarray,
    config: FeaturesConfig = FeaturesConfig(),  # noqa: B008 (frozen)
    progress: Progress = silent,
    device: str = "cpu",
    cache: Path | None = None,
) -> ItemFeatures:
    """Every modality that the dataset has (or `config.use` names), without those that not a single item has.

    `cache` is a folder that remembers CLIP vectors by content: see `FeatureEncoders.encode`. Raises GraphRecError where
    nothing is left, `use` names what is not there, CLIP cannot be loaded, or own vectors
    belong to other items.
    """
    encoders = FeatureEncoders.fit(dataset, is_warm_I, config, progress)
    fitted = {*encoders.own, *encoders.clip_kinds, *([WORDS] if encoders.words else [])}
    fitted |= {ATTRIBUTE_PREFIX + name for name in encoders.attributes.names}
    features = (
        encoders.encode(dataset.catalogue, dataset.own_vectors, progress, device, None, cache) if fitted else None
    )
    found = features.modalities if features else {}
    modalities = {name: modality for name, modality in found.items() if modality.num_present}
    if features is None or not modalities:
        raise GraphRecError(
            f"No item of {dataset.name!r} has a picture, text, attribute or vector to learn from: "
            "name some in dataset.yaml (text, categorical, multi_valued, numeric, image, vectors)."
        )
    empty = tuple(
        f"{name}: left out, it tells nothing about the warm items."
        for name in _chosen(dataset, config)
        if name not in fitted
    )
    signals = quality_signals(dataset.catalogue, progress) if config.gate else {}
    return replace(features, modalities=modalities, notes=features.notes + empty, signals=signals)


def _available(dataset: Dataset) -> list[str]:
    catalogue = dataset.catalogue
    has_text = any(text.strip() for text in catalogue.text)
    names = [IMAGE] if catalogue.image_root is not None and (catalogue.image != "").any() else []
    names += [TEXT, WORDS] if has_text else []
    # Among items of one site alone where they are sold says nothing.
    attributes = catalogue.known_attributes if dataset.target_site is None else catalogue.attributes
    names += [ATTRIBUTE_PREFIX + name for name in attributes.names]
    return list(dict.fromkeys([*names, *dataset.own_vectors]))


def _chosen(dataset: Dataset, config: FeaturesConfig) -> list[str]:
    available = _available(dataset)
    if config.use is None:
        return available
    chosen: set[str] = set()
    for wanted in config.use:
        group = ATTRIBUTE_PREFIX if wanted == ATTRIBUTES else None
        matches = [name for name in available if name == wanted or (group and name.startswith(group))]
        if not matches:
            raise GraphRecError(
                f"features.use: {wanted!r} is not among what {dataset.name!r} has: {', '.join(available) or 'nothing'}."
            )
        chosen.update(matches)
    return [name for name in available if name in chosen]


def _encode_images(encoder: ContentEncoder, catalogue: Catalogue, progress: Progress) -> tuple[Modality, str]:
    found = catalogue_images(encoder, catalogue, progress)
    failed = [f"{count:,} × {reason}, such as {name}" for reason, (count, name) in found.failures.items()]
    return found.modality(), "; ".join([f"CLIP {encoder.config}", *failed, *found.contents.vectors.damaged])


def _encode_texts(encoder: ContentEncoder, catalogue: Catalogue, progress: Progress) -> tuple[Modality, str]:
    found = catalogue_texts(encoder, catalogue, progress)
    num_cut = found.contents.num_cut
    cut = [] if num_cut == 0 else [cut_note(num_cut, encoder.facts.num_tokens)]
    return found.modality(), "; ".join([f"CLIP {encoder.config}", *cut, *found.contents.vectors.damaged])


def _join_own(name: str, num_features: int, vectors: OwnVectors | None, catalogue: Catalogue) -> tuple[Modality, str]:
    if vectors is None:
        rows = np.full(len(catalogue), -1)
        return Modality.from_rows(np.zeros((0, num_features), dtype=np.float32), rows), "no own vectors given"
    if vectors.x_RF.shape[1] != num_features:
        raise GraphRecError(
            f"Vectors {name!r}: expected {num_features} numbers each, as the features were fitted on, "
            f"got {vectors.x_RF.shape[1]}."
        )
    modality, num_strangers = join_own_vectors(name, vectors, catalogue)
    strangers = f"; {num_strangers:,} vectors belong to no item" if num_strangers else ""
    return modality, f"your own vectors, frozen{strangers}"


def _counted(modality: Modality) -> str:
    return f"{modality.num_features} features for {modality.num_present:,} of {len(modality.present_I):,} items"
