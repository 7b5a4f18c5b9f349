"""Pictures and texts of a catalogue as CLIP vectors: each content once, from the cache or through the model.

Results do not depend on what was in the cache: every batch has the same number of rows, the last one filled up, so that
each picture goes through the same arithmetic whoever its neighbours are.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
import torch

from graphrec.data.pictures import read_picture
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.decoding import PictureDecoder, decoding_threads, in_order
from graphrec.features.fingerprint import ClipFacts, facts_of, recipe_of, remember, remembered
from graphrec.features.segments import KEY
from graphrec.features.vector_cache import VectorCache
from graphrec.progress import Progress, silent

Kind = Literal["image", "text"]
T = TypeVar("T")
_Encode = Callable[[list[T]], tuple[np.ndarray, np.ndarray]]
_BATCHES_AHEAD = 2


@dataclass(frozen=True)
class EncodedContents:
    """What became of N pictures or texts; their vectors lie in `vectors`, by key."""

    key_N: np.ndarray
    """sha256 of each one's content, empty where it has no vector."""
    problems: dict[int, str]
    """Row → why it has no vector."""
    vectors: VectorCache
    num_cached: int
    """Distinct contents that were in the cache before."""
    num_encoded: int
    """Distinct contents that went through the model now."""
    encoding_seconds: float
    """From the first content that was not in the cache to the last vector, without loading the model."""

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        """N × D float32 with unit rows (zero where absent), and which are present."""
        row_N = self._row_N()
        x_ND = np.zeros((len(row_N), self.vectors.dim), dtype=np.float32)
        x_ND[row_N >= 0] = self.vectors.take(row_N[row_N >= 0])
        return x_ND, row_N >= 0

    @property
    def num_cut(self) -> int:
        """How many of the texts the model read the beginning of only."""
        row_N = self._row_N()
        return int(self.vectors.are_cut(row_N[row_N >= 0]).sum())

    def _row_N(self) -> np.ndarray:
        return self.vectors.index().find(self.key_N)


class ContentEncoder:
    """CLIP with a memory. The model is loaded when the first content needs it, and not at all where none does.

    Without a cache folder nothing is written. Raises GraphRecError where the model cannot be had or the cache cannot be
    written; what was encoded before is in the cache then.
    """

    def __init__(
        self, config: ClipConfig, device: str = "cpu", cache: Path | None = None, clip: ClipEncoder | None = None
    ) -> None:
        self.config = config
        self.cache = cache
        self._device = device
        self._clip = clip
        self._loading = threading.Lock()
        self._facts: ClipFacts | None = None

    @property
    def clip(self) -> ClipEncoder:
        """The loaded model. Any thread may be the first to ask."""
        with self._loading:
            if self._clip is None:
                self._clip = ClipEncoder(self.config, self._device)
            return self._clip

    @property
    def is_loaded(self) -> bool:
        """Whether anything has needed the model."""
        return self._clip is not None

    @property
    def dim(self) -> int:
        """D, the number of features of both texts and pictures."""
        return self.clip.dim if self.cache is None else self.facts.dim

    @property
    def facts(self) -> ClipFacts:
        """Of the model; loads it only where this cache has never seen it."""
        if self._facts is None:
            recipe = recipe_of(self.config) if self.cache else None
            self._facts = remembered(self.cache, recipe) if self.cache and recipe else None
            if self._facts is None:
                self._facts = facts_of(self.clip)
                if self.cache and recipe:
                    remember(self.cache, recipe, self._facts)
        return self._facts

    def vectors(self, kind: Kind) -> VectorCache:
        """What is known of this model's pictures or texts."""
        folder = None if self.cache is None else self.cache / f"{kind}-{getattr(self.facts, kind)}"
        return VectorCache(folder, self.dim)

    def encode_images(
        self, paths: Sequence[Path], progress: Progress = silent, num_in_all: int | None = None
    ) -> EncodedContents:
        """A vector for each picture that can be read; equal files are encoded once.

        `num_in_all` is how many pictures there are with those of other shards. Files are read and decoded in
        `decode_threads` threads, while the model works, at most two batches ahead of it.
        """
        batch_rows = min(self.config.batch_size, num_in_all or len(paths))
        vectors = self.vectors("image")
        filling = _Filling[torch.Tensor](vectors, batch_rows, len(paths))
        # A picture that cannot be decoded is found out before the model is asked for, and so never loads it.
        side = self.clip.loaded.image_side if self.cache is None else self.facts.image_side
        decoder = PictureDecoder(lambda image: self.clip.pixels(image), side, self.config.decode_threads)

        def read(path: Path) -> _Content[torch.Tensor]:
            data = read_picture(path)
            if isinstance(data, str):
                return _Content(problem=data)
            key = hashlib.sha256(data).digest()
            if not filling.is_new(key):
                return _Content(key)
            picture = decoder.decode_bytes(data)
            return _Content(problem=picture) if isinstance(picture, str) else _Content(key, picture)

        def encode(pictures: list[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
            return self.clip.encode_batch_of_pictures(pictures), np.zeros(len(pictures), dtype=bool)

        with decoding_threads(self.config.decode_threads) as pool:
            contents = in_order(pool, read, paths, _BATCHES_AHEAD * batch_rows)
            return filling.run(progress(contents, "Encoding pictures", len(paths)), encode)

    def encode_texts(
        self, texts: Sequence[str], progress: Progress = silent, num_in_all: int | None = None
    ) -> EncodedContents:
        """A vector for each text; equal texts are encoded once. Those that the model cut are marked."""
        batch_rows = min(self.config.batch_size, num_in_all or len(texts))
        filling = _Filling[str](self.vectors("text"), batch_rows, len(texts))
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        is_known_N = filling.known.find(np.array(keys, dtype=KEY)) >= 0
        contents = [
            _Content(key, None if is_known else text)
            for key, text, is_known in zip(keys, texts, is_known_N.tolist(), strict=True)
        ]

        def encode(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
            tokens, is_cut_B = self.clip.tokenize(texts)
            return self.clip.encode_batch_of_tokens(tokens), is_cut_B

        return filling.run(progress(contents, "Encoding texts"), encode)


class _Content(NamedTuple, Generic[T]):
    """One picture or text as it was read."""

    key: bytes = b""
    value: T | None = None
    """What the model reads; None where the vector is known."""
    problem: str = ""
    """Why there is neither."""


class _Filling(Generic[T]):
    """Puts what is new into the cache, batch by batch."""

    def __init__(self, vectors: VectorCache, batch_rows: int, num_contents: int) -> None:
        self._vectors, self._batch_rows = vectors, batch_rows
        self.known = vectors.index()
        self._new: set[bytes] = set()
        self._key_N = np.zeros(num_contents, dtype=KEY)

    def is_new(self, key: bytes) -> bool:
        """Whether the model has to see this content. Any thread may ask; two that ask at once are both told so."""
        return key not in self._new and key not in self.known

    def run(self, contents: Iterable[_Content[T]], encode: _Encode[T]) -> EncodedContents:
        problems: dict[int, str] = {}
        batch: dict[bytes, T] = {}
        started = None
        try:
            for row, content in enumerate(contents):
                self._key_N[row] = content.key
                if content.problem:
                    problems[row] = content.problem
                if content.value is None or content.key in self._new:  # read again before it was encoded
                    continue
                if started is None:
                    self._vectors.require_writable()
                    started = time.perf_counter()
                self._new.add(content.key)
                batch[content.key] = content.value
                if len(batch) == self._batch_rows:
                    self._encode(batch, encode)
                    batch = {}
            if batch:
                self._encode(batch, encode)
        finally:
            self._vectors.flush()
        seconds = 0.0 if started is None else time.perf_counter() - started
        num_contents = len(np.unique(self._key_N[self._key_N != b""]))
        return EncodedContents(
            self._key_N, problems, self._vectors, num_contents - len(self._new), len(self._new), seconds
        )

    def _encode(self, batch: dict[bytes, T], encode: _Encode[T]) -> None:
        values = list(batch.values())
        filled_up = values + values[-1:] * (self._batch_rows - len(values))
        x_BD, is_cut_B = encode(filled_up)
        self._vectors.add(np.array(list(batch), dtype=KEY), x_BD[: len(batch)], is_cut_B[: len(batch)])
