"""The contract as generators of client libraries get it: the same API, plainly said."""

from __future__ import annotations

import copy
from typing import Any

PAGES = ("/", "/docs", "/openapi.json", "/openapi.yaml")
"""Paths that are for browsers and generators, not for programs."""


def for_clients(document: dict[str, Any]) -> dict[str, Any]:
    """Return the contract without what no client needs.

    These are the pages, the examples of whole bodies, of which openapi-generator warns,
    and the null that a search takes for no filter: it has a type of its own.
    """
    result = copy.deepcopy(document)
    for path in PAGES:
        del result["paths"][path]
    _drop_examples([result["paths"], result["components"]["responses"]])
    schemas = result["components"]["schemas"]
    del schemas["OptionalFilters"]
    for schema in schemas.values():
        if "filters" in schema.get("properties", ()):
            schema["properties"]["filters"] = {"$ref": "#/components/schemas/Filters"}
    return result


def for_compiled_clients(document: dict[str, Any]) -> dict[str, Any]:
    """Return the contract for Go, Java and Rust; what it lets through, the whole does.

    Filters are plain maps: their keys are those of the metadata, which the types of
    openapi-generator cannot say. Null in a request, where it means the same as a field
    left out, would make every optional field an option within an option; it remains
    in updates, where it clears.
    """
    result = for_clients(document)
    schemas = result["components"]["schemas"]
    schemas["Filters"] = {
        "type": "object",
        "description": schemas["Filters"]["description"],
        "additionalProperties": True,
    }
    for name in ("FilterCondition", "FilterOperators", "FilterBound"):
        del schemas[name]
    for name, schema in schemas.items():
        if name.endswith(("Create", "Add", "Search")):
            for key, field in schema["properties"].items():
                schema["properties"][key] = _without_null(field, schemas)
    return result


def _without_null(field: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    target = schemas[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    if not target.get("nullable"):
        return field
    return {key: value for key, value in target.items() if key != "nullable"}


def _drop_examples(node: Any) -> None:
    if isinstance(node, dict):
        node.pop("examples", None)
        _drop_examples(list(node.values()))
    elif isinstance(node, list):
        for child in node:
            _drop_examples(child)
