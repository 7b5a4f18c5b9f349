"""Reading `dataset.yaml`, and saying in one line what is wrong with it."""

import difflib
import typing
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from graphrec.data.description import DatasetDescription
from graphrec.errors import GraphRecError


def read_description(path: Path) -> DatasetDescription:
    """The description in a YAML file; an empty file describes a folder with the usual names.

    Raises GraphRecError: one line that names the file and every wrong key.
    """
    settings = read_settings(path, "keys such as items: and interactions:")
    try:
        return DatasetDescription.model_validate(settings)
    except ValidationError as error:
        raise GraphRecError(f"{path}: {one_line(error, DatasetDescription)}") from None


def altered(description: DatasetDescription, update: dict[str, Any], where: str) -> DatasetDescription:
    """The description with other fields, checked anew. Raises GraphRecError where they do not fit together."""
    try:
        return DatasetDescription.model_validate(description.model_copy(update=update).model_dump())
    except ValidationError as error:
        raise GraphRecError(f"{where}: {one_line(error, DatasetDescription)}") from None


def read_settings(path: Path, expected: str = "keys with values") -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty one.

    Raises GraphRecError where the file cannot be read, is no YAML or no mapping, or has a key twice.
    """
    try:
        settings = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_UniqueKeyLoader)  # a SafeLoader
    except OSError as error:
        raise GraphRecError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise GraphRecError(f"{path}: cannot be read as UTF-8 text: {error}.") from None
    except yaml.YAMLError as error:
        raise GraphRecError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from None
    settings = {} if settings is None else settings
    if not isinstance(settings, dict):
        raise GraphRecError(f"{path}: expected {expected}, got {type(settings).__name__}.")
    return settings


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Every problem as `key: what is wrong`, joined by "; ", with a full stop; an unknown key names the nearest one."""
    problems = []
    for detail in error.errors():
        # A union's tag such as "(one)" is part of the location, but nothing the user wrote.
        location = [part for part in detail["loc"] if not str(part).startswith("(")]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        problems.append(f"{key}: {_explain(detail, location, model)}" if key else _explain(detail, location, model))
    line = "; ".join(problems)
    return line if line.endswith("?") else f"{line}."


def _explain(detail: Any, location: list[int | str], model: type[BaseModel]) -> str:
    if detail["type"] == "extra_forbidden":
        known = _known_keys(model, location)
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        return f"unknown key, did you mean {near[0]}?" if near else f"unknown key (known: {', '.join(known)})"
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"expected keys with values, got {detail['input']!r}"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message if detail["type"] == "value_error" else f"expected {message}, got {detail['input']!r}"


def _known_keys(model: type[BaseModel], location: list[int | str]) -> list[str]:
    """The fields of the model(s) that the last part of `location` stands in."""
    models = [model]
    for part in location[:-1]:
        annotations = [
            m.model_fields[part].annotation for m in models if isinstance(part, str) and part in m.model_fields
        ]
        # An index into a list or a key of a mapping stays with the models that the field can hold.
        models = [inner for annotation in annotations for inner in _models_in(annotation)] or models
    return list(dict.fromkeys(field.alias or name for m in models for name, field in m.model_fields.items()))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, where plain YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)
