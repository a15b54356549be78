"""What a client of one OpenAPI 3.0 document would suffer under another, in sentences.

A request that was taken must still be taken, and mean the same. An answer must not hold
what no client was told of; that it has more properties breaks nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]
Breaks = Iterator[str]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
_EXACT = (
    *("pattern", "format", "multipleOf", "uniqueItems"),
    *("exclusiveMinimum", "exclusiveMaximum"),
)
_SCHEME = ("type", "scheme", "in", "name", "flows")
_TYPES = frozenset(
    {"string", "number", "integer", "boolean", "array", "object", "null"}
)


def breaking_changes(old: Node, new: Node) -> list[str]:
    """Say what in ``new`` breaks a client that was written for ``old``."""
    return list(dict.fromkeys(_Comparison(old, new).documents()))


@dataclass(frozen=True)
class _Comparison:
    old: Node
    new: Node

    def documents(self) -> Breaks:
        schemes = [
            d.get("components", {}).get("securitySchemes", {}) for d in self.both
        ]
        for name, scheme in schemes[0].items():
            if any(scheme.get(k) != schemes[1].get(name, {}).get(k) for k in _SCHEME):
                yield f"the security scheme {name} changed"
        for path, item in self.old["paths"].items():
            for method in METHODS:
                if method in item:
                    found = self.new["paths"].get(path, {})
                    yield from self._operations(f"{method.upper()} {path}", item, found)

    @property
    def both(self) -> tuple[Node, Node]:
        return self.old, self.new

    def _operations(self, place: str, old_item: Node, new_item: Node) -> Breaks:
        method = place.partition(" ")[0].lower()
        if method not in new_item:
            yield f"{place} is gone"
            return
        old, new = old_item[method], new_item[method]
        if old.get("operationId") != new.get("operationId"):
            yield f"{place}: operationId changed from {old.get('operationId')}"
        security = [
            node.get("security", document.get("security", []))
            for node, document in zip((old, new), self.both, strict=True)
        ]
        if security[0] != security[1]:
            yield f"{place}: security changed"
        yield from self._parameters(
            place,
            _parameters(self.old, old_item, old),
            _parameters(self.new, new_item, new),
        )
        bodies = [
            _resolve(d, n.get("requestBody", {}))
            for d, n in zip(self.both, (old, new), strict=True)
        ]
        if bodies[1].get("required") and not bodies[0].get("required"):
            yield f"{place}: the body is now required"
        yield from self._contents(f"{place} body", *bodies, request=True)
        yield from self._responses(place, old["responses"], new["responses"])

    def _parameters(self, place: str, old: Node, new: Node) -> Breaks:
        for key, parameter in old.items():
            if key not in new:
                yield f"{place}: the {key} is gone"
                continue
            if new[key].get("required") and not parameter.get("required"):
                yield f"{place}: the {key} is now required"
            schemas = (parameter.get("schema", {}), new[key].get("schema", {}))
            yield from self._schemas(f"{place} {key}", *schemas, request=True)
        for key in new.keys() - old.keys():
            if new[key].get("required"):
                yield f"{place}: there is a new required {key}"

    def _responses(self, place: str, old: Node, new: Node) -> Breaks:
        for status, written in old.items():
            if status not in new:
                yield f"{place}: the status {status} is gone"
                continue
            here = f"{place} {status}"
            response = _resolve(self.old, written)
            found = _resolve(self.new, new[status])
            for name, header in response.get("headers", {}).items():
                ours = _resolve(self.old, header)
                theirs = _resolve(self.new, found.get("headers", {}).get(name, {}))
                if not theirs or (ours.get("required") and not theirs.get("required")):
                    yield f"{here}: the header {name} may be missing"
                else:
                    schemas = (ours.get("schema", {}), theirs.get("schema", {}))
                    at = f"{here} header {name}"
                    yield from self._schemas(at, *schemas, request=False)
            yield from self._contents(f"{here} body", response, found, request=False)

    def _contents(self, place: str, old: Node, new: Node, *, request: bool) -> Breaks:
        for kind, media in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield f"{place}: {kind} is gone"
                continue
            schemas = (media.get("schema", {}), new["content"][kind].get("schema", {}))
            yield from self._schemas(place, *schemas, request=request)

    def _schemas(
        self,
        place: str,
        old: Node,
        new: Node,
        *,
        request: bool,
        seen: frozenset[Any] = frozenset(),
    ) -> Breaks:
        references = (old.get("$ref"), new.get("$ref"))
        if all(references):
            if references in seen:
                return
            seen |= {references}
        olds = _alternatives(self.old, old)
        news = _alternatives(self.new, new)
        if len(olds) == len(news) == 1:
            yield from self._plain(place, olds[0], news[0], request=request, seen=seen)
            return
        # Whatever the wide side allows, some alternative of the narrow one must, too.
        for number, wide in enumerate(olds if request else news):
            pairs = [(wide, n) for n in news] if request else [(o, wide) for o in olds]
            if all(
                any(self._plain(place, *pair, request=request, seen=seen))
                for pair in pairs
            ):
                yield f"{place}: {_verb(request=request)} alternative {number + 1}"

    def _plain(
        self,
        place: str,
        old: Node,
        new: Node,
        *,
        request: bool,
        seen: frozenset[Any],
    ) -> Breaks:
        """Compare schemas without alternatives.

        In a request the new one must not be narrower, in an answer not wider.
        """
        narrow, wide = (new, old) if request else (old, new)
        for keyword in _narrower(narrow, wide):
            yield f"{place}: {_verb(request=request)} {keyword}"
        if request and old.get("default") != new.get("default"):
            yield f"{place}: the default changed from {old.get('default')!r}"
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{place}.{name} is gone"
            else:
                yield from self._schemas(
                    f"{place}.{name}", schema, after[name], request=request, seen=seen
                )
        for key in ("items", "additionalProperties"):
            kinds = (old.get(key, True), new.get(key, True))
            if kinds[1] is False and kinds[0] is not False and request:
                yield f"{place}: {_verb(request=request)} unknown properties"
            elif any(isinstance(kind, dict) for kind in kinds):
                children = [kind if isinstance(kind, dict) else {} for kind in kinds]
                if kinds[0] is not False and kinds[1] is not False:
                    yield from self._schemas(
                        f"{place}.{key}", *children, request=request, seen=seen
                    )


def _verb(*, request: bool) -> str:
    return "no longer takes all of" if request else "may now answer with other"


def _narrower(narrow: Node, wide: Node) -> Breaks:
    """Name the keywords by which one schema refuses what the other allows."""
    if _types(wide) - _types(narrow):
        yield "type"
    values = narrow.get("enum")
    if values is not None and not all(v in values for v in wide.get("enum", [object])):
        yield "enum"
    for keyword in _LEAST:
        if narrow.get(keyword, -math.inf) > wide.get(keyword, -math.inf):
            yield keyword
    for keyword in _MOST:
        if narrow.get(keyword, math.inf) < wide.get(keyword, math.inf):
            yield keyword
    for keyword in _EXACT:
        if narrow.get(keyword) not in {None, wide.get(keyword)}:
            yield keyword
    yield from (
        f"required {name}"
        for name in narrow.get("required", [])
        if name not in wide.get("required", [])
    )


def _types(schema: Node) -> frozenset[str]:
    if "type" not in schema:
        return _TYPES
    types = {schema["type"]} | ({"null"} if schema.get("nullable") else set())
    return frozenset(types | ({"integer"} if "number" in types else set()))


def _resolve(document: Node, node: Node) -> Node:
    while "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


def _alternatives(document: Node, written: Node) -> list[Node]:
    """Return the schemas one of which must hold, each with its allOf folded in."""
    schema = dict(_resolve(document, written))
    merged: dict[str, Any] = {}
    for part in schema.pop("allOf", []):
        merged |= _alternatives(document, part)[0]
    merged |= schema
    branches = merged.pop("anyOf", None) or merged.pop("oneOf", None)
    if branches is None:
        return [merged]
    return [
        {**merged, **alternative}
        for branch in branches
        for alternative in _alternatives(document, branch)
    ]


def _parameters(document: Node, item: Node, operation: Node) -> dict[str, Node]:
    listed = [*item.get("parameters", []), *operation.get("parameters", [])]
    resolved = [_resolve(document, parameter) for parameter in listed]
    return {f"{p['in']} parameter {p['name']}": p for p in resolved}
