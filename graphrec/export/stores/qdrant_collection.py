"""The collections that Qdrant searches: their vectors, their payload indexes, and connecting to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from graphrec.errors import GraphRecError

_PAYLOAD_INDEXES = {
    "facets": models.PayloadSchemaType.KEYWORD,
    "site": models.PayloadSchemaType.KEYWORD,
    "model_version": models.PayloadSchemaType.KEYWORD,
    "degree": models.PayloadSchemaType.INTEGER,
    "norm": models.PayloadSchemaType.FLOAT,
    "removed": models.PayloadSchemaType.BOOL,
}


def connect(path: Path | None, url: str | None, api_key: str | None) -> QdrantClient:
    """A client of a folder (embedded mode), of a server, or, without either, of this process's memory.

    The embedded mode of qdrant-client keeps its points as pickles: a folder from elsewhere must not be opened.
    """
    if path is not None and url is not None:
        raise ValueError("Expected a path or a url, not both.")
    try:
        if url is not None:
            return QdrantClient(url=url, api_key=api_key, check_compatibility=False)
        return QdrantClient(":memory:") if path is None else QdrantClient(path=str(path))
    except RuntimeError as error:
        if "already accessed" not in str(error):
            raise
        raise GraphRecError(
            f"The Qdrant folder {path} is open in another process: close that one, or run a Qdrant server for several."
        ) from None
    except ValueError as error:
        raise GraphRecError(f"Qdrant cannot be reached at {url}: {str(error).splitlines()[0]}") from None


def is_embedded(client: QdrantClient) -> bool:
    """Whether it searches in this process, which it does exactly and without payload indexes."""
    options = client.init_options
    return options.get("path") is not None or options.get("location") == ":memory:"


def create_collection(client: QdrantClient, collection: str, dim: int, hnsw: models.HnswConfigDiff) -> None:
    """Make it where it is not; raise GraphRecError where what is there does not fit."""
    if not client.collection_exists(collection):
        params = models.VectorParams(size=dim, distance=models.Distance.DOT)
        client.create_collection(collection, vectors_config=params, hnsw_config=hnsw)
        return
    params = client.get_collection(collection).config.params.vectors
    if not isinstance(params, models.VectorParams) or params.distance != models.Distance.DOT:
        raise GraphRecError(
            f"Collection {collection!r} exists and is not graphrec's (it is not of one vector by dot product): name "
            "another."
        )
    if params.size != dim:
        raise GraphRecError(
            f"Collection {collection!r} holds vectors of dimension {params.size}, these have {dim}: name another."
        )


def create_payload_indexes(client: QdrantClient, collection: str) -> None:
    """What filters and the checks before a search look at; the embedded mode has no such indexes."""
    if is_embedded(client):
        return
    for field, kind in _PAYLOAD_INDEXES.items():
        client.create_payload_index(collection, field, kind, wait=True)


@contextmanager
def refusals() -> Iterator[None]:
    """What a server refuses, as a GraphRecError."""
    try:
        yield
    except ResponseHandlingException as error:
        raise GraphRecError(
            f"Qdrant does not answer ({_line(error.source)}): is it running, and is the url right?"
        ) from None
    except UnexpectedResponse as error:
        raise GraphRecError(f"Qdrant refused ({error.status_code} {error.reason_phrase}){_reason(error)}.") from None


def _reason(error: UnexpectedResponse) -> str:
    try:
        status: Any = error.structured().get("status", {})
        return f": {_line(status['error'])}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _line(what: object) -> str:
    return " ".join(str(what).split()).rstrip(".")[:200]
