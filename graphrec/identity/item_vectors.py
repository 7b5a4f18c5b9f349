"""Vectors that items of several sites have: a user's own, and pictures through CLIP."""

from pathlib import Path

from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import Dataset
from graphrec.features.catalogue_vectors import catalogue_images
from graphrec.features.clip import ClipConfig
from graphrec.features.content_encoder import ContentEncoder
from graphrec.features.modality import Modality
from graphrec.features.own import join_own_vectors
from graphrec.progress import Progress, silent

IMAGE = "image"


def own_vectors_of(dataset: Dataset) -> dict[str, Modality]:
    """The dataset's own vectors, of those modalities that items of two sites at least have."""
    joined = {name: join_own_vectors(name, own, dataset.catalogue)[0] for name, own in dataset.own_vectors.items()}
    return {name: one for name, one in joined.items() if _spans_sites(dataset.catalogue, one)}


def with_pictures(
    dataset: Dataset,
    vectors: dict[str, Modality],
    clip: ClipConfig,
    device: str = "cpu",
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Modality]:
    """`vectors` and the pictures through CLIP, where items of two sites have any and no own `image` stands for them.

    `cache` remembers them by content, as for training. Raises GraphRecError where CLIP cannot be loaded.
    """
    catalogue = dataset.catalogue
    if IMAGE in vectors or len(set(catalogue.site[catalogue.image != ""]) - {""}) < 2:
        return vectors
    pictures = catalogue_images(ContentEncoder(clip, device, cache), catalogue, progress).modality()
    return {**vectors, IMAGE: pictures} if _spans_sites(catalogue, pictures) else vectors


def _spans_sites(catalogue: Catalogue, modality: Modality) -> bool:
    return len(set(catalogue.site[modality.present_I]) - {""}) > 1
