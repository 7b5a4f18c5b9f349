"""Picture files as the tensors that an image encoder reads, without ever stopping at a bad one."""

import io
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image

from graphrec.data.pictures import FORMATS, has_too_many_pixels, read_picture, why_not_opened
from graphrec.errors import GraphRecError
from graphrec.features.rgb import as_rgb

_LARGE_PIXELS = 16_000_000
_DRAFT_FACTOR = 4
"""A JPEG is decoded at a smaller scale only where each side stays this many times what the encoder reads."""
DECODING = f"2, draft {_DRAFT_FACTOR}"
"""Changes whenever the same bytes come to another tensor: vectors of before are not those of now."""

Preprocess = Callable[[Image.Image], torch.Tensor]
S = TypeVar("S")
T = TypeVar("T")


class PictureDecoder:
    """Turns files into what `preprocess` makes of a picture, several at a time."""

    def __init__(self, preprocess: Preprocess, side: int, num_threads: int) -> None:
        self._preprocess = preprocess
        self._draft_size = (_DRAFT_FACTOR * side, _DRAFT_FACTOR * side)
        self._num_threads = num_threads
        self._one_large_at_a_time = threading.Lock()

    def decode(self, paths: Sequence[Path]) -> list[torch.Tensor | str]:
        """For each path its tensor, or why there is none."""
        with decoding_threads(self._num_threads) as pool:
            return list(pool.map(self._decode_file, paths))

    def decode_bytes(self, data: bytes) -> torch.Tensor | str:
        """The tensor of a picture file's bytes, or why there is none. To be called within `decoding_threads`."""
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Exception as error:
            return why_not_opened(error)
        try:
            with image:
                if has_too_many_pixels(image):
                    return "too many pixels"
                image.draft("RGB", self._draft_size)
                if image.width * image.height <= _LARGE_PIXELS:
                    return self._preprocess(as_rgb(image))
                with self._one_large_at_a_time:  # memory: a hundred million pixels are 400 MB
                    return self._preprocess(as_rgb(image))
        except GraphRecError:  # of the preprocessing, whose model cannot be loaded
            raise
        except Exception:
            # Decoders raise whatever their format's parser stumbles over: struct.error, zlib.error, IndexError, ...
            return "damaged picture"

    def _decode_file(self, path: Path) -> torch.Tensor | str:
        data = read_picture(path)
        return data if isinstance(data, str) else self.decode_bytes(data)


@contextmanager
def decoding_threads(num_threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads to decode in, with torch's own threads and Python's warnings kept out of them."""
    torch_threads = torch.get_num_threads()
    # Warning filters are shared by all threads, so they are set here: sizes are judged by the decoder, and odd palettes
    # and metadata help nobody.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Each thread would start a team of torch threads of its own for the arithmetic of one picture.
        pool = ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(torch_threads)


def in_order(pool: ThreadPoolExecutor, function: Callable[[S], T], items: Iterable[S], ahead: int) -> Iterator[T]:
    """`function` of each item, in their order; at most `ahead` results are made before they are asked for."""
    window: deque[Future[T]] = deque()
    for item in items:
        if len(window) == ahead:
            yield window.popleft().result()
        window.append(pool.submit(function, item))
    while window:
        yield window.popleft().result()
