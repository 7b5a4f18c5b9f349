"""All settings of a run in one frozen model; YAML mirrors it, and every default is the code's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, NonNegativeInt, ValidationError

from graphrec.data.dataset_yaml import one_line, read_settings
from graphrec.data.splits.hold_out import HoldOutConfig
from graphrec.errors import GraphRecError
from graphrec.features.clip import parse_clip
from graphrec.features.extract import FeaturesConfig
from graphrec.models.graph_model import ModelConfig
from graphrec.retrieval.item_index import IndexConfig
from graphrec.search.config import SearchConfig


class GraphRecConfig(BaseModel, extra="forbid", frozen=True):
    """A run's settings. The same settings on the same data, machine and versions give the same run."""

    seed: NonNegativeInt = 0
    hold_out: HoldOutConfig = HoldOutConfig()
    features: FeaturesConfig = FeaturesConfig()
    model: ModelConfig = ModelConfig()
    index: IndexConfig = IndexConfig()
    search: SearchConfig = SearchConfig()

    @classmethod
    def load(cls, path: Path | None = None, overrides: Sequence[str] = ()) -> "GraphRecConfig":
        """From a YAML file (default: the defaults), then `key.inner=value` overrides, values read as YAML.

        Raises GraphRecError in one line that names the file and every unknown key or wrong value.
        """
        settings = {} if path is None else read_settings(path)
        config = cls._validated(settings, str(path))  # before the overrides: each mistake is blamed on its place
        for override in overrides:
            _set(settings, override)
        return cls._validated(settings, "--set") if overrides else config

    @classmethod
    def _validated(cls, settings: dict[str, Any], where: str) -> "GraphRecConfig":
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise GraphRecError(f"{where}: {one_line(error, cls)}") from None

    def with_clip(self, name: str) -> "GraphRecConfig":
        """The same settings with the CLIP that one word names, see `parse_clip`; batch size and threads stay."""
        named = parse_clip(name)
        clip = self.features.clip.model_copy(update={"model": named.model, "pretrained": named.pretrained})
        return self.model_copy(update={"features": self.features.model_copy(update={"clip": clip})})

    def with_hold_out(self, **settings: Any) -> "GraphRecConfig":
        """The same settings with these of the hold-out changed; raises GraphRecError where they do not go together."""
        try:
            changed = HoldOutConfig.model_validate({**self.hold_out.model_dump(), **settings})
        except ValidationError as error:
            raise GraphRecError(f"hold_out: {one_line(error, HoldOutConfig)}") from None
        return self.model_copy(update={"hold_out": changed})

    def to_yaml(self) -> str:
        """Every setting with its value, resolved."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def _set(settings: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise GraphRecError(f"--set {override}: expected key=value, such as model.training.max_epochs=10.")
    *path, last = key.split(".")
    place = settings
    for part in path:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise GraphRecError(f"--set {override}: {part} is a value, not a section.")
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise GraphRecError(f"--set {override}: the value is not valid YAML.") from None
