"""Pictures in memory as the encoder reads them, and the small changes that keep it from learning them by heart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from graphrec.features.decoding import PictureDecoder
from graphrec.progress import Progress, silent

_BATCH = 256


class Pictures:
    """Decoded pictures by row, kept as float16 where all of them fit into `max_bytes`, else decoded again each time.

    Both ways give the same values: what is decoded again is rounded to float16 too.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        decoder: PictureDecoder,
        shape: tuple[int, int, int],
        max_bytes: int,
        progress: Progress = silent,
    ) -> None:
        self._paths, self._decoder, self._shape = list(paths), decoder, shape
        self.problems: dict[int, str] = {}
        """Row → why there is no picture."""
        self._kept: torch.Tensor | None = None
        if 2 * np.prod(shape) * len(self._paths) <= max_bytes:
            kept = torch.zeros((len(self._paths), *shape), dtype=torch.float16)
            starts = range(0, len(self._paths), _BATCH)
            for start in progress(starts, "Decoding pictures"):
                rows = np.arange(start, min(start + _BATCH, len(self._paths)))
                kept[rows] = self._decode(rows)
            self._kept = kept

    def take(self, row_B: np.ndarray) -> torch.Tensor:
        """B × 3 × height × width, float32; zero where a picture cannot be decoded, which `problems` then tells."""
        return (self._decode(row_B) if self._kept is None else self._kept[row_B]).float()

    def _decode(self, row_B: np.ndarray) -> torch.Tensor:
        decoded = self._decoder.decode([self._paths[row] for row in row_B])
        self.problems |= {int(r): one for r, one in zip(row_B, decoded, strict=True) if isinstance(one, str)}
        blank = torch.zeros(self._shape, dtype=torch.float16)
        return torch.stack([blank if isinstance(one, str) else one.half() for one in decoded])


def augmented(x_B3HW: torch.Tensor, generator: torch.Generator, smallest: float = 0.7) -> torch.Tensor:
    """A random part of each picture at full size, half of them mirrored, with a little other light.

    The part is a square of `smallest` to 1 of the side. Hue stays: titles name colours.
    """
    size = len(x_B3HW)
    draw_B6 = torch.rand((size, 6), generator=generator).to(x_B3HW.device)
    scale_B = smallest + (1 - smallest) * draw_B6[:, 0]
    flip_B = torch.where(draw_B6[:, 1] < 0.5, -1.0, 1.0)
    shift_B2 = (2 * draw_B6[:, 2:4] - 1) * (1 - scale_B)[:, None]
    zero_B = torch.zeros_like(scale_B)
    theta_B23 = torch.stack(
        [
            torch.stack([flip_B * scale_B, zero_B, shift_B2[:, 0]], dim=1),
            torch.stack([zero_B, scale_B, shift_B2[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta_B23, list(x_B3HW.shape), align_corners=False)
    part = functional.grid_sample(x_B3HW, grid, padding_mode="border", align_corners=False)
    contrast_B, brightness_B = 0.9 + 0.2 * draw_B6[:, 4], 0.4 * draw_B6[:, 5] - 0.2
    return part * contrast_B[:, None, None, None] + brightness_B[:, None, None, None]
