"""Encoding a catalogue ahead of training: into the cache, shard by shard, and into files that others read."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from graphrec.artifact import check_replaceable, write_artifact
from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.catalogue_vectors import (
    WHOLE,
    CatalogueVectors,
    Shard,
    catalogue_images,
    catalogue_texts,
    cut_note,
)
from graphrec.features.clip import ClipConfig
from graphrec.features.content_encoder import ContentEncoder, Kind
from graphrec.progress import Progress, silent

ARTIFACT = "vectors"
_CATALOGUE_VECTORS = {"image": catalogue_images, "text": catalogue_texts}


class Failure(BaseModel, frozen=True):
    """Contents that have no vector, for one reason."""

    reason: str
    count: int
    example: str


class KindReport(BaseModel, frozen=True):
    """What became of the pictures, or of the texts."""

    items: int
    """Items that have a vector now; in a shard, those whose content it holds."""
    cached: int
    """Distinct contents whose vectors were in the cache before."""
    encoded: int
    """Distinct contents that went through the model now."""
    failed: tuple[Failure, ...]
    cut: int
    """Distinct texts of which the model read the beginning only."""
    seconds: float
    """Of encoding, without loading the model."""

    @property
    def num_failed(self) -> int:
        """Over all reasons."""
        return sum(failure.count for failure in self.failed)


class EncodeReport(BaseModel, frozen=True):
    """What `encode_catalogue` did."""

    dataset: str
    clip: str
    dim: int
    num_tokens: int
    cache: Path | None
    shard: str | None
    kinds: dict[str, KindReport]
    """By image and text, where the catalogue has any."""
    taken_over: int
    """Vectors that came from other caches."""
    model_loaded: bool
    """False where everything was known, and the model with it."""
    damaged: tuple[str, ...]
    """Files of the cache that were left out, and why."""
    out: Path | None

    @property
    def notes(self) -> list[str]:
        """What a reader should know beside the counts, in sentences."""
        cut = self.kinds["text"].cut if "text" in self.kinds else 0
        notes = [f"{cut_note(cut, self.num_tokens)}."] if cut else []
        return notes + [f"{one}: it was left out, and what it held is encoded again." for one in self.damaged]


def encode_catalogue(
    dataset: Dataset,
    config: ClipConfig,
    cache: Path | None,
    device: str = "cpu",
    shard: Shard = WHOLE,
    out: Path | None = None,
    other_caches: Sequence[Path] = (),
    progress: Progress = silent,
) -> EncodeReport:
    """Put the CLIP vectors of a catalogue's pictures and texts into the cache, or those of one shard.

    What is in the cache already is not encoded again: killed and started again, it goes on where it was, and after all
    shards have run a whole one has nothing left to encode. `other_caches` are folders that shards filled elsewhere;
    their vectors are taken over first. `out` is a folder for `image.npy`, `text.npy` (float32, unit rows) with
    `image_ids.csv`, `text_ids.csv`, as `vectors:` in a dataset.yaml reads them.

    Raises GraphRecError where there is nothing to encode, the model cannot be had, a folder cannot be written, another
    cache holds nothing of this model (before anything is encoded), or a shard alone should fill `out`.
    """
    if out is not None:
        if shard != WHOLE:
            raise GraphRecError("A shard has the vectors of a part only: run all shards, then encode with --out alone.")
        check_replaceable(out, ARTIFACT)
    if cache is None and (shard != WHOLE or other_caches):
        raise GraphRecError("Shards meet in the cache: leave --no-cache out.")
    for folder in other_caches:
        if not folder.is_dir():
            raise GraphRecError(f"There is no cache at {folder}: name a folder that `graphrec encode --cache` filled.")
    catalogue = dataset.catalogue
    encoder = ContentEncoder(config, device, cache)
    kinds = _kinds(catalogue)
    if not kinds:
        raise GraphRecError(f"No item of {dataset.name!r} has a picture or a text to encode.")
    taken_over, damaged = _take_over(encoder, kinds, other_caches)
    found = {kind: _CATALOGUE_VECTORS[kind](encoder, catalogue, progress, shard) for kind in kinds}
    if out is not None:
        _write(out, dataset, encoder, found)
    return EncodeReport(
        dataset=dataset.name,
        clip=str(config),
        dim=encoder.facts.dim,
        num_tokens=encoder.facts.num_tokens,
        cache=cache,
        shard=None if shard == WHOLE else str(shard),
        kinds={kind: _report(vectors) for kind, vectors in found.items()},
        taken_over=taken_over,
        model_loaded=encoder.is_loaded,
        damaged=tuple(
            dict.fromkeys([*damaged, *(one for vectors in found.values() for one in vectors.contents.vectors.damaged)])
        ),
        out=out,
    )


def _kinds(catalogue: Catalogue) -> list[Kind]:
    has_pictures = catalogue.image_root is not None and (catalogue.image != "").any()
    has_texts = any(text.strip() for text in catalogue.text)
    kinds: list[Kind] = ["image"] if has_pictures else []
    return [*kinds, "text"] if has_texts else kinds


def _take_over(encoder: ContentEncoder, kinds: Sequence[Kind], caches: Sequence[Path]) -> tuple[int, list[str]]:
    """How many vectors came from the other caches, and which of the files that were read are damaged."""
    if not caches:
        return 0, []
    own = [encoder.vectors(kind) for kind in kinds]
    for cache in caches:
        if not any(vectors.has_counterpart_in(cache) for vectors in own):
            raise GraphRecError(
                f"{cache} holds no vectors of CLIP {encoder.config} for this catalogue (another --clip, or the wrong "
                "folder): name a folder that `graphrec encode --cache` filled with this --clip."
            )
    taken_over = sum(vectors.take_over(cache) for vectors in own for cache in caches)
    return taken_over, [one for vectors in own for one in vectors.damaged]


def _report(found: CatalogueVectors) -> KindReport:
    contents = found.contents
    return KindReport(
        items=found.num_items,
        cached=contents.num_cached,
        encoded=contents.num_encoded,
        failed=tuple(Failure(reason=why, count=count, example=one) for why, (count, one) in found.failures.items()),
        cut=contents.num_cut,
        seconds=round(contents.encoding_seconds, 3),
    )


def _write(out: Path, dataset: Dataset, encoder: ContentEncoder, found: dict[Kind, CatalogueVectors]) -> None:
    about = {
        "dataset": dataset.name,
        "clip": str(encoder.config),
        "model": encoder.facts.model_dump(),
        "dtype": "float32",
        "rows": "of length 1; row r belongs to the r-th id of the ids file beside it",
        "items": {kind: vectors.num_items for kind, vectors in found.items()},
    }

    def write(folder: Path) -> None:
        for kind, vectors in found.items():
            modality = vectors.modality()
            np.save(folder / f"{kind}.npy", modality.x_IF[modality.present_I], allow_pickle=False)
            with (folder / f"{kind}_ids.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["item_id"])
                writer.writerows([id_] for id_ in dataset.catalogue.item_ids[modality.present_I])

    write_artifact(out, write, about, ARTIFACT)
