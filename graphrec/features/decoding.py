"""Picture files as the tensors that an image encoder reads, without ever stopping at a bad one."""

import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image

from graphrec.data.pictures import FORMATS, picture_problem

_LARGE_PIXELS = 16_000_000
_DRAFT_FACTOR = 4
"""A JPEG is decoded at a smaller scale only where each side stays this many times what the encoder reads."""

Preprocess = Callable[[Image.Image], torch.Tensor]


class PictureDecoder:
    """Turns files into tensors of shape (3, side, side), several at a time."""

    def __init__(self, preprocess: Preprocess, side: int, num_threads: int) -> None:
        self._preprocess = preprocess
        self._draft_size = (_DRAFT_FACTOR * side, _DRAFT_FACTOR * side)
        self._num_threads = num_threads
        self._one_large_at_a_time = threading.Lock()

    def decode(self, paths: Sequence[Path]) -> list[torch.Tensor | str]:
        """For each path its tensor, or why there is none."""
        # Headers are looked at here, in one thread: Python's warning filters are shared by all of them.
        problems = [picture_problem(path) for path in paths]
        good = [path for path, problem in zip(paths, problems, strict=True) if problem is None]
        with warnings.catch_warnings(), ThreadPoolExecutor(self._num_threads) as pool:
            warnings.simplefilter("ignore")  # sizes were judged above; odd palettes and metadata help nobody
            decoded = pool.map(self._decode_one, good)
            return [next(decoded) if problem is None else problem for problem in problems]

    def _decode_one(self, path: Path) -> torch.Tensor | str:
        try:
            with Image.open(path, formats=FORMATS) as image:
                image.draft("RGB", self._draft_size)
                if image.width * image.height <= _LARGE_PIXELS:
                    return self._preprocess(image.convert("RGB"))
                with self._one_large_at_a_time:  # memory: a hundred million pixels are 400 MB
                    return self._preprocess(image.convert("RGB"))
        except Exception:
            # Decoders raise whatever their format's parser stumbles over: struct.error, zlib.error, IndexError, ...
            return "damaged picture"
