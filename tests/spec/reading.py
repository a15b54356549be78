"""Ways through openapi.yaml: its nodes, and what a request or an answer reaches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.contract import OPERATIONS, SPEC, Operation, deref

Node = dict[str, Any]
Placed = Iterator[tuple[str, Node]]

STORES = ("facts", "history", "documents", "graph")
STORE_OPERATIONS = [op for op in OPERATIONS if op.spec["tags"][0] in STORES]
SCHEMAS: dict[str, Node] = SPEC["components"]["schemas"]


def tag(operation: Operation) -> str:
    return str(operation.spec["tags"][0])


def nodes(node: Any = SPEC, place: str = "#") -> Placed:
    """Yield every object as it is written, without following references."""
    if isinstance(node, dict):
        yield place, node
        for key, child in node.items():
            if key not in {"example", "value"}:
                yield from nodes(child, f"{place}/{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from nodes(child, f"{place}/{number}")


def schemas(written: Node, place: str, seen: frozenset[str] = frozenset()) -> Placed:
    """Yield a schema and all in it, references followed once."""
    while "$ref" in written:
        place = written["$ref"]
        if place in seen:
            return
        seen |= {place}
        written = deref({"$ref": place})
    yield place, written
    for name, child in written.get("properties", {}).items():
        yield from schemas(child, f"{place}.{name}", seen)
    for key in ("items", "additionalProperties", "not"):
        if isinstance(written.get(key), dict):
            yield from schemas(written[key], f"{place}.{key}", seen)
    for key in ("allOf", "anyOf", "oneOf"):
        for number, child in enumerate(written.get(key, [])):
            yield from schemas(child, f"{place}.{key}[{number}]", seen)


def request_body(operation: Operation) -> Node | None:
    """Return the media type object of what an operation takes."""
    body = operation.spec.get("requestBody")
    return deref(body)["content"]["application/json"] if body else None


def responses(operation: Operation) -> Iterator[tuple[int, Node]]:
    for status, written in operation.spec["responses"].items():
        yield int(status), deref(written)


def media_types() -> Placed:
    """Yield every media type object of a request or an answer, once."""
    found = {id(node): (place, node) for place, node in nodes() if "schema" in node}
    yield from (each for each in found.values() if "/content/" in each[0])


def request_schemas() -> dict[str, Node]:
    """Return every schema that a request may be held to, by place."""
    found: dict[str, Node] = {}
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            place = f"{operation.id}.{parameter['name']}"
            found |= schemas(parameter["schema"], place)
        if body := request_body(operation):
            found |= schemas(body["schema"], f"{operation.id}.body")
    return found


def properties() -> Placed:
    """Yield every property of every schema, as it is written."""
    for place, node in nodes():
        for name, schema in node.get("properties", {}).items():
            yield f"{place}.{name}", schema
