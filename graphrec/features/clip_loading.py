"""Loading a CLIP model with open_clip: by name and tag, from a local checkpoint, or the small one of the package."""

import difflib
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from graphrec.errors import GraphRecError
from graphrec.features.decoding import Preprocess
from graphrec.features.hub import offline_where_unreachable

SMALL = "small"
SMALL_FOLDER = Path(__file__).parent / "small_clip"
LOCAL = "local-dir:"
SCHEMAS = (LOCAL, "hf-hub:")
CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_WAY_OUT = f"give --clip MODEL:FILE (clip.pretrained) with a local checkpoint, or leave clip.model at {SMALL!r}"


@dataclass(frozen=True)
class LoadedClip:
    """A model in evaluation mode with its picture preprocessing and its tokenizer."""

    model: torch.nn.Module
    config: dict[str, Any]
    """Architecture and preprocessing as open_clip's open_clip_config.json holds them."""
    encode_image: Callable[..., torch.Tensor]
    encode_text: Callable[..., torch.Tensor]
    preprocess: Preprocess
    tokenize: Callable[..., torch.Tensor]
    image_side: int
    """Pixels along the longer side of what the model reads."""


def load_clip(model_name: str, pretrained: str | None, device: str, random_seed: int | None = None) -> LoadedClip:
    """The model with its weights; nothing is fetched from a network unless the name and tag ask for it.

    With a `random_seed` the architecture alone is taken, with random weights to be trained. Raises GraphRecError where
    open_clip cannot be imported, the name or tag is unknown, or the weights cannot be had.
    """
    is_random = random_seed is not None
    with _quiet(), ExitStack() as stack:
        open_clip = _import_open_clip()
        _require_known(open_clip, model_name)
        checkpoint = None if is_random else _find_checkpoint(open_clip, model_name, pretrained)
        name = f"local-dir:{SMALL_FOLDER}" if model_name == SMALL else _config_name(model_name)
        asks_hub = _asks_hub(open_clip, name, pretrained, checkpoint)
        can_reach = stack.enter_context(offline_where_unreachable()) if asks_hub else True
        try:
            with torch.random.fork_rng(devices=[]):
                # Not torch.manual_seed: that would reseed the accelerator's generator as well.
                torch.default_generator.manual_seed(random_seed or 0)
                model, _, preprocess = open_clip.create_model_and_transforms(
                    name,
                    pretrained=None if checkpoint or is_random else pretrained,
                    load_weights=not is_random,
                    pretrained_text=False,  # a text tower must not fetch weights that the checkpoint replaces
                    weights_only=True,
                    require_pretrained=not is_random and checkpoint is None,
                )
            if checkpoint:
                open_clip.load_checkpoint(model, str(checkpoint), strict=True, weights_only=True)
            tokenize = open_clip.get_tokenizer(name)
            model = model.to(device).eval().requires_grad_(False)
            size = model.visual.image_size
            config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": model.visual.preprocess_cfg}
        except Exception as error:
            # open_clip, torch, safetensors and the hub's client each raise their own kinds.
            raise GraphRecError(_loading_message(model_name, pretrained, checkpoint, can_reach, error)) from error
    side = max(size) if isinstance(size, (tuple, list)) else size
    return LoadedClip(model, config, model.encode_image, model.encode_text, preprocess, tokenize, side)


def _import_open_clip() -> ModuleType:
    try:
        return import_module("open_clip")
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision made for another torch raises RuntimeError
        raise GraphRecError(
            f"CLIP needs open_clip_torch and a torchvision that fits the installed torch ({_first_line(error)}); "
            "install them again together, or leave image and text out of features.use."
        ) from error


def _require_known(open_clip: ModuleType, model_name: str) -> None:
    names = open_clip.list_models()
    if model_name == SMALL or model_name.startswith(SCHEMAS) or _config_name(model_name) in names:
        return
    by_lower = {name.lower(): name for name in (SMALL, *names)}
    close = difflib.get_close_matches(model_name.lower(), by_lower, n=3, cutoff=0.4)
    hint = ", ".join(by_lower[name] for name in close) or f"{SMALL}, ViT-B-32"
    raise GraphRecError(f"clip.model {model_name!r} is neither a folder nor a model of open_clip; did you mean {hint}?")


def _find_checkpoint(open_clip: ModuleType, model_name: str, pretrained: str | None) -> Path | None:
    """The file that `pretrained` names; None where open_clip finds the weights itself."""
    if model_name.startswith(SCHEMAS):
        if pretrained:
            raise GraphRecError(f"clip.model {model_name!r} brings its own weights; leave clip.pretrained out.")
        return None
    tags = [] if model_name == SMALL else open_clip.list_pretrained_tags_by_model(_config_name(model_name))
    if pretrained in tags or (pretrained is None and model_name == SMALL):
        return None
    shown = ", ".join(tags[:8]) + (", …" if len(tags) > 8 else "") or "none"
    if pretrained is None:
        raise GraphRecError(
            f"clip.model {model_name!r} needs weights: set clip.pretrained to a local checkpoint or a tag ({shown})."
        )
    path = Path(pretrained).expanduser()
    if path.is_file() and path.suffix in CHECKPOINT_SUFFIXES:
        return path
    if path.suffix in CHECKPOINT_SUFFIXES or path.is_dir():
        raise GraphRecError(f"clip.pretrained: {pretrained} does not exist or is not a file.")
    if path.is_file():
        raise GraphRecError(f"clip.pretrained: expected a {', '.join(CHECKPOINT_SUFFIXES)} file, got {pretrained}.")
    raise GraphRecError(
        f"clip.pretrained {pretrained!r} is neither a file nor a tag of {model_name} (its tags: {shown})."
    )


def _config_name(model_name: str) -> str:
    """As open_clip spells it: ViT-B/32 is ViT-B-32."""
    return model_name if model_name.startswith(SCHEMAS) else model_name.replace("/", "-")


def _asks_hub(open_clip: ModuleType, name: str, pretrained: str | None, checkpoint: Path | None) -> bool:
    """Whether weights or a tokenizer come from the hub of models."""
    if name.startswith(SCHEMAS):
        return name.startswith("hf-hub:")
    text = (open_clip.get_model_config(name) or {}).get("text_cfg", {})
    has_tokenizer_there = "hf_tokenizer_name" in text or "siglip" in name.lower()
    return has_tokenizer_there or (pretrained is not None and checkpoint is None)


def _loading_message(
    model_name: str, pretrained: str | None, checkpoint: Path | None, can_reach: bool, error: Exception
) -> str:
    if not can_reach:
        what = "tokenizer" if checkpoint else "weights"
        name = f"{model_name} / {pretrained}" if pretrained and not checkpoint else model_name
        return (
            f"The {what} of CLIP {name} could not be fetched: the hub of models cannot be reached from this machine, "
            f"and nothing of it was fetched before; {_WAY_OUT}."
        )
    if checkpoint:
        return f"clip.pretrained: {checkpoint} does not hold weights of {model_name} ({_first_line(error)})."
    weights = f"{model_name} / {pretrained}" if pretrained else model_name
    return f"The weights of CLIP {weights} could not be fetched or read ({_first_line(error)}): {_WAY_OUT}."


def _first_line(error: Exception, limit: int = 160) -> str:
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return line.rstrip(".:") if len(line) <= limit else line[:limit] + "…"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip's messages, which go through the root logger, and the libraries' warnings off the screen."""
    root, drop = logging.getLogger(), logging.NullHandler()
    root.addFilter(_refuse)  # sees only what is logged by the root itself
    root.addHandler(drop)  # without any handler, logging would install one of its own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeFilter(_refuse)
        root.removeHandler(drop)


def _refuse(record: logging.LogRecord) -> bool:
    return False
