"""The OpenAPI document: bodies that are JSON or a form with pictures are described by hand, from their models."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter

from graphrec.serving.idempotency import MAX_KEY_CHARACTERS
from graphrec.serving.problems import Problem
from graphrec.serving.uploads import FORM, JSON, PICTURES

_REFERENCE = "#/components/schemas/{model}"
_shared: dict[str, Any] = {}
"""Schemas that the described bodies refer to, by name."""


def _schema(of: Any) -> dict[str, Any]:
    schema = TypeAdapter(of).json_schema(ref_template=_REFERENCE)
    _shared.update(schema.pop("$defs", {}))
    return schema


def _pictures(max_pictures: int) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}
    return {"type": "array", "items": file, "maxItems": max_pictures}


def query_body(model: type[BaseModel], max_pictures: int | None = None) -> dict[str, Any]:
    """`openapi_extra` of an operation whose fields come as JSON, or as a form where it takes pictures."""
    content = {JSON: {"schema": _schema(model)}}
    if max_pictures is not None:
        form = _schema(model)
        form["properties"] = {**form["properties"], PICTURES: _pictures(max_pictures)}
        content[FORM] = {"schema": form}
    return _body(content)


def rows_body(rows: Any, name: str, max_pictures: int | None = None) -> dict[str, Any]:
    """`openapi_extra` of an operation that takes a list: as JSON, and as the part `name` of a form with pictures."""
    content: dict[str, Any] = {JSON: {"schema": _schema(rows)}}
    if max_pictures is not None:
        properties = {name: _schema(rows), PICTURES: _pictures(max_pictures)}
        content[FORM] = {
            "schema": {"type": "object", "properties": properties, "required": [name], "additionalProperties": False},
            "encoding": {name: {"contentType": JSON}},
        }
    return _body(content)


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def written_once(operation: dict[str, Any] | None = None) -> dict[str, Any]:
    """`openapi_extra` of an operation that looks at `Idempotency-Key`, beside what else it has."""
    header = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
        "description": "The same write sent again with the same key is done once, as long as this process runs.",
    }
    return {**(operation or {}), "parameters": [header]}


def describe(app: FastAPI, needs_key: bool) -> None:
    """Let the application answer with the whole document, of which keys are a part where they are needed."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(_shared)
            problem = TypeAdapter(Problem).json_schema(ref_template=_REFERENCE)
            schemas.update({**problem.pop("$defs", {}), "Problem": problem})
            if not needs_key:
                _leave_out_keys(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _leave_out_keys(document: dict[str, Any]) -> None:
    document["components"].pop("securitySchemes", None)
    for path in document["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
            operation["responses"].pop("401", None)
