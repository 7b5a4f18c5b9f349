"""The clip index of a run: pictures and texts of the same items as the recall index, row by row."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig, parse_clip
from graphrec.features.extract import ItemFeatures
from graphrec.progress import Progress, Say, silent, unsaid
from graphrec.retrieval.clip_space import Block, ClipSpace
from graphrec.retrieval.item_index import IndexConfig, ItemIndex
from graphrec.retrieval.pair_weights import KINDS, PairWeights
from graphrec.search.config import SearchConfig
from graphrec.search.fitting import catalogue_task, fit_weights
from graphrec.search.query_encoder import QueryEncoder

FAISS_FILE = "clip.faiss"
_FOLDER = "clip"


@dataclass(frozen=True)
class ClipIndex:
    """Vectors, their FAISS index, and which CLIP made them."""

    space: ClipSpace
    index: ItemIndex
    clip: dict[str, ClipConfig]
    """Kind of a query → the CLIP that encodes it; a kind that is not there cannot be asked for, except by items."""
    learned: PairWeights | None = None
    """Weights fitted on titles and altered pictures of the catalogue; None where they were not fitted."""
    made_by: dict[str, str] = field(default_factory=dict)
    """Kind of a query → fingerprint of the CLIP that made the vectors: its name alone may come to mean another."""

    @classmethod
    def build(cls, dataset: Dataset, features: ItemFeatures, config: IndexConfig) -> "ClipIndex | None":
        """From the items' features; None where no item has a picture or text vector.

        Vectors of one's own are searched by items; by text and picture where `clip` under `vectors` in dataset.yaml
        names the CLIP that made them. Raises GraphRecError where that name is none, or widths of one CLIP differ.
        """
        modalities = {kind: features.modalities[kind] for kind in KINDS if kind in features.modalities}
        modalities = {kind: modality for kind, modality in modalities.items() if modality.num_present}
        if not modalities:
            return None
        made_by = {kind: _made_by(kind, dataset, features) for kind in modalities}
        known = {kind: clip for kind, clip in made_by.items() if clip is not None}
        is_shared = len(known) == len(modalities) and len({_weights_of(clip) for clip in known.values()}) == 1
        widths = {modality.num_features for modality in modalities.values()}
        if is_shared and len(widths) > 1:
            raise GraphRecError(
                f"The image and text vectors are {sorted(widths)} wide, so one CLIP cannot have made both: "
                "correct clip under vectors in dataset.yaml."
            )
        space = ClipSpace.build(modalities, is_shared)
        asked = dict.fromkeys(KINDS, next(iter(known.values()))) if is_shared else known
        return cls(space, ItemIndex.build(np.asarray(space.vectors_IE), config), asked)

    def with_learned(
        self,
        catalogue: Catalogue,
        encoder: QueryEncoder,
        config: SearchConfig,
        rng: np.random.Generator,
        progress: Progress = silent,
        say: Say = unsaid,
    ) -> "ClipIndex":
        """The same index with the fingerprints of its CLIPs, and weights fitted on the catalogue's titles and pictures.

        Weights are fitted where there are enough of both, on cold items as well: no interaction is looked at.

        Where the CLIP that made somebody's own vectors cannot be had here, nothing is fitted, and `say` gets a line.
        """
        try:
            made_by = encoder.fingerprints()
            task = catalogue_task(self.space, catalogue, encoder, config.fit_items, rng, progress)
        except GraphRecError as error:
            say(f"No search weights were learned: {error}")
            return self
        return replace(self, made_by=made_by, learned=None if task is None else fit_weights(task))

    @property
    def dims(self) -> dict[str, int]:
        """Kind of a query → how many numbers its vectors have, for the kinds that some block answers."""
        space = self.space
        answering = {kind: space.answers(kind) for kind in KINDS}
        return {kind: len(space.blocks[blocks[0]].mean_D) for kind, blocks in answering.items() if blocks}

    def save(self, folder: Path) -> None:
        """Write `clip.faiss` and the folder `clip/` into a run folder."""
        place = folder / _FOLDER
        place.mkdir()
        self.index.save(folder / FAISS_FILE)
        np.save(place / "vectors.npy", np.asarray(self.space.vectors_IE), allow_pickle=False)
        blocks = self.space.blocks
        arrays = {f"{kind}.mean": block.mean_D for kind, block in blocks.items()}
        arrays |= {f"{kind}.covariance": block.covariance_DD for kind, block in blocks.items()}
        arrays |= {f"{kind}.has": np.asarray(block.has_I) for kind, block in blocks.items()}
        arrays |= {f"{kind}.imputing": map_DD for kind, map_DD in self.space.imputing.items()}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, place / "blocks.safetensors")
        about: dict[str, Any] = {
            "blocks": list(blocks),
            "is_shared": self.space.is_shared,
            "clip": {kind: clip.model_dump() for kind, clip in self.clip.items()},
            "made_by": self.made_by,
            "learned": None if self.learned is None else self.learned.to_json(),
        }
        (place / "clip.json").write_text(json.dumps(about, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, config: IndexConfig) -> "ClipIndex | None":
        """Read what `save` wrote; None where the run has no clip index."""
        place = folder / _FOLDER
        if not (folder / FAISS_FILE).is_file():
            return None
        about = json.loads((place / "clip.json").read_text(encoding="utf-8"))
        arrays = load_file(place / "blocks.safetensors")
        blocks = {
            kind: Block(arrays[f"{kind}.has"], arrays[f"{kind}.mean"], arrays[f"{kind}.covariance"])
            for kind in about["blocks"]
        }
        vectors_IE = np.load(place / "vectors.npy", mmap_mode="r", allow_pickle=False)
        return cls(
            space=ClipSpace(vectors_IE, blocks, about["is_shared"], _imputing(arrays)),
            index=ItemIndex.load(folder / FAISS_FILE, vectors_IE, config),
            clip={kind: ClipConfig(**clip) for kind, clip in about["clip"].items()},
            learned=None if about["learned"] is None else PairWeights.from_json(about["learned"]),
            made_by=about["made_by"],
        )


def _imputing(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {kind: arrays[f"{kind}.imputing"] for kind in KINDS if f"{kind}.imputing" in arrays}


def _made_by(kind: str, dataset: Dataset, features: ItemFeatures) -> ClipConfig | None:
    if kind in features.encoders.clip_kinds:
        return features.encoders.clip
    source = dataset.description.vectors.get(kind)
    return parse_clip(source.clip) if source is not None and source.clip else None


def _weights_of(clip: ClipConfig) -> tuple[str, str | None]:
    """Batch sizes and threads do not make another model."""
    return clip.model, clip.pretrained
