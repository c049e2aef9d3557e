"""The page of the API, made of its OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import Any

from corated.serve.access import scope_of

__all__ = ["operations"]

_METHODS = ("get", "put", "post", "delete")


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every operation, in the document's order: method, path, parameters, an example of the body."""
    found = []
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                found.append(_operation(document, path, method, methods[method]))
    return found


def _operation(document: dict[str, Any], path: str, method: str, given: dict[str, Any]) -> dict[str, Any]:
    body = given.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "path": path,
        "method": method.upper(),
        "anchor": re.sub(r"[^a-z0-9]+", "-", f"{method}{path}").strip("-"),
        "about": given.get("description", given.get("summary", "")),
        "parameters": [_parameter(one) for one in given.get("parameters", [])],
        "example": None if body is None else _example(document, body),
        "scope": scope_of(method.upper(), re.sub(r"\{\w+\}", "x", path)),
    }


def _parameter(given: dict[str, Any]) -> dict[str, str]:
    schema = given.get("schema", {})
    kinds = [schema, *schema.get("anyOf", [])]
    kind = next((one["type"] for one in kinds if one.get("type") not in (None, "null")), "")
    if "default" in schema and schema["default"] is not None:
        kind += f", {json.dumps(schema['default'])} if not said"
    return {
        "name": given["name"],
        "place": given["in"],
        "kind": kind,
        "about": given.get("description", schema.get("description", "")),
    }


def _example(document: dict[str, Any], schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    examples = document["components"]["schemas"].get(name, {}).get("examples", [])
    return json.dumps(examples[0], indent=2) if examples else ""
