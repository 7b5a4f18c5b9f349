"""Pictures and texts in one space: CLIP (Radford et al. 2021)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel, PositiveInt, field_validator

from graphrec.errors import GraphRecError
from graphrec.features.clip_loading import CHECKPOINT_SUFFIXES, LOCAL, SCHEMAS, SMALL, load_clip
from graphrec.features.decoding import PictureDecoder
from graphrec.features.preprocessing import BatchedPreprocess
from graphrec.progress import Progress, silent

_FOLDER_CONFIG = "open_clip_config.json"


class ClipConfig(BaseModel, extra="forbid", frozen=True):
    """Which CLIP encodes pictures and texts."""

    model: str = SMALL
    """A model name of open_clip, `local-dir:<folder>` or `hf-hub:<name>`. The default is the package's own small model:
    it runs anywhere, and has seen drawn pictures of fashion products only."""
    pretrained: str | None = None
    """A tag of open_clip (its weights are fetched once) or the path of a local .safetensors, .pt, .pth or .bin file.
    A file carries no preprocessing; for weights that need another than CLIP's own, use `local-dir:`."""
    batch_size: PositiveInt = 64
    decode_threads: PositiveInt = 4

    @field_validator("model")
    @classmethod
    def _resolve_folder(cls, model: str) -> str:
        """A run is read from other working folders too."""
        folder = Path(model.removeprefix(LOCAL)).expanduser()
        return f"{LOCAL}{folder.resolve()}" if model.startswith(LOCAL) and folder.is_dir() else model

    @field_validator("pretrained")
    @classmethod
    def _resolve_file(cls, pretrained: str | None) -> str | None:
        path = Path(pretrained or "").expanduser()
        return str(path.resolve()) if path.suffix in CHECKPOINT_SUFFIXES and path.is_file() else pretrained

    @property
    def is_small(self) -> bool:
        """Whether this is the package's own small model."""
        return self.model == SMALL and self.pretrained is None

    def __str__(self) -> str:
        return f"{self.model} ({self.pretrained})" if self.pretrained else self.model


def parse_clip(name: str) -> ClipConfig:
    """The CLIP that one word names, as people type it on the command line.

    `small`; `local-dir:FOLDER` or a folder that holds an open_clip_config.json; `hf-hub:NAME`; `MODEL:TAG` or
    `MODEL:FILE` (ViT-B-32:laion2b_s34b_b79k, ViT-B-32:weights.safetensors). Whether the model and its weights can be
    had is seen when it is loaded. Raises GraphRecError for a folder without a model, or a word with nothing in it.
    """
    schema = next((one for one in SCHEMAS if name.startswith(one)), "")
    folder = Path(name.removeprefix(LOCAL)).expanduser()
    if schema == "hf-hub:":
        return ClipConfig(model=name)
    if schema == LOCAL or folder.is_dir():
        if not (folder / _FOLDER_CONFIG).is_file():
            raise GraphRecError(f"{folder} holds no CLIP model: expected a folder with {_FOLDER_CONFIG} in it.")
        return ClipConfig(model=f"{LOCAL}{folder}")
    model, _, pretrained = name.partition(":")
    if not model or (":" in name and not pretrained):
        raise GraphRecError(
            f"{name!r} names no CLIP: expected small, MODEL:TAG, MODEL:FILE, hf-hub:NAME or a folder such as runs/clip."
        )
    return ClipConfig(model=model, pretrained=pretrained or None)


class ClipEncoder:
    """A loaded CLIP. An item's vector does not depend on the batch that it is in, up to rounding.

    Raises GraphRecError where the model or its weights cannot be had.
    """

    def __init__(self, config: ClipConfig, device: str = "cpu") -> None:
        self.config = config
        self._device = device
        self.loaded = load_clip(config.model, config.pretrained, device)
        self._preprocess = BatchedPreprocess(self.loaded.preprocess)
        self._decoder = PictureDecoder(self._preprocess.pixels, self.loaded.image_side, config.decode_threads)
        empty = self.loaded.tokenize([""])
        self.num_tokens = empty.shape[1]
        """How many tokens of a text the model reads, the marks of start and end among them."""
        self._padding = empty[0, -1]
        self.dim = self.encode_batch_of_tokens(empty).shape[1]
        """D, the number of features of both texts and pictures."""

    def encode_texts(self, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
        """N × D float32, unit rows. A text longer than the model's context is cut."""
        x_ND = np.zeros((len(texts), self.dim), dtype=np.float32)
        for rows in progress(self._batches(len(texts)), "Encoding texts"):
            x_ND[rows] = self.encode_batch_of_texts(list(texts[rows]))
        return x_ND

    def encode_images(
        self, paths: Sequence[Path], progress: Progress = silent
    ) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
        """N × D float32 with unit rows (zero where absent), which are present, and path → why a picture is absent."""
        x_ND = np.zeros((len(paths), self.dim), dtype=np.float32)
        present_N = np.zeros(len(paths), dtype=bool)
        problems: dict[str, str] = {}
        for rows in progress(self._batches(len(paths)), "Encoding pictures"):
            decoded = self._decoder.decode(paths[rows])
            good = [rows.start + i for i, picture in enumerate(decoded) if isinstance(picture, torch.Tensor)]
            if good:
                x_ND[good] = self.encode_batch_of_pictures([p for p in decoded if isinstance(p, torch.Tensor)])
                present_N[good] = True
            pairs = zip(paths[rows], decoded, strict=True)
            problems |= {str(path): picture for path, picture in pairs if isinstance(picture, str)}
        return x_ND, present_N, problems

    def encode_batch_of_texts(self, texts: list[str]) -> np.ndarray:
        """As `encode_texts`, in one pass through the model."""
        return self.encode_batch_of_tokens(self.loaded.tokenize(texts))

    @torch.inference_mode()
    def encode_batch_of_tokens(self, tokens: torch.Tensor) -> np.ndarray:
        """What `tokenize` gave, as B × D float32, unit rows, in one pass through the model."""
        return self.loaded.encode_text(tokens.to(self._device), normalize=True).float().cpu().numpy()

    def tokenize(self, texts: list[str]) -> tuple[torch.Tensor, np.ndarray]:
        """Tokens, B × `num_tokens`, and which texts have more of them than that and were cut."""
        tokens, is_cut_B = self.loaded.tokenize(texts), np.zeros(len(texts), dtype=bool)
        full = torch.nonzero(tokens[:, -1] != self._padding).flatten().tolist()
        if full:
            # With room for one token more, a text that was cut has another token where its end was set before.
            roomier = self.loaded.tokenize([texts[row] for row in full], context_length=tokens.shape[1] + 1)
            is_cut_B[full] = (roomier[:, :-1] != tokens[full]).any(dim=1).numpy()
        return tokens, is_cut_B

    @torch.inference_mode()
    def encode_batch_of_pictures(self, pictures: list[torch.Tensor]) -> np.ndarray:
        """What `pixels` gave, as B × D float32, unit rows, in one pass through the model."""
        batch = self._preprocess.batch(pictures, self._device)
        return self.loaded.encode_image(batch, normalize=True).float().cpu().numpy()

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """What `encode_batch_of_pictures` takes of one RGB picture."""
        return self._preprocess.pixels(image)

    def _batches(self, num_rows: int) -> list[slice]:
        size = self.config.batch_size
        return [slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]
