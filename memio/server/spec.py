"""The OpenAPI document: where it lies, its bytes, and what it says of an operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

import memio
from memio import jsontext

_PACKAGE = Path(memio.__file__).parent
PLACES = (_PACKAGE / "openapi.yaml", _PACKAGE.parent / "openapi.yaml")
"""Where the document may lie: in an installed package, in a checkout."""

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen when PyYAML was built
    """Reads what JSON can say: a date in an example stays a string."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the name and kind are PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """The contract of the server.

    Attributes:
        source: The file, byte for byte.
        document: The same, parsed; references are not resolved.
    """

    source: bytes
    document: dict[str, Any]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the document, by default the one that memio ships.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is not an OpenAPI 3.0 document.
        """
        if path is None:
            path = next((place for place in PLACES if place.is_file()), PLACES[0])
        return cls.parse(path.read_bytes())

    @classmethod
    def parse(cls, source: bytes) -> Self:
        """Make a spec of the bytes of a YAML document.

        Raises:
            ValueError: It is not an OpenAPI 3.0 document, or refers to nowhere.
        """
        try:
            document = yaml.load(source, _Loader)  # noqa: S506  # a SafeLoader
            jsontext.dumps(document)
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise ValueError(f"the OpenAPI document cannot be read: {error}") from error
        version = str(document.get("openapi")) if isinstance(document, dict) else "none"
        if not version.startswith("3.0."):
            raise ValueError(f"the OpenAPI document must be 3.0.x, not {version}")
        spec = cls(source, document)
        # connexion would follow a reference to nowhere for ever.
        for reference in _references(document):
            spec.resolve({"$ref": reference})
        return spec

    def json(self, *, secured: bool) -> bytes:
        """Return the document as JSON; unless ``secured``, it asks for no key."""
        if secured:
            return jsontext.dumps(self.document)
        return jsontext.dumps({**self.document, "security": []})

    def operation(self, path: str, method: str) -> dict[str, Any]:
        """Return an operation as it is written."""
        operation: dict[str, Any] = self.document["paths"][path][method]
        return operation

    def parameters(self, path: str, method: str) -> list[dict[str, Any]]:
        """Return an operation's parameters, with those that its path declares."""
        written = [
            *self.document["paths"][path].get("parameters", []),
            *self.operation(path, method).get("parameters", []),
        ]
        resolved = [self.resolve(parameter) for parameter in written]
        # Of two by the same name and place, the operation's own counts.
        return list({(p["in"], p["name"]): p for p in resolved}.values())

    def request_body(self, path: str, method: str) -> dict[str, Any] | None:
        """Return what an operation says of its request body; None if it takes none."""
        body = self.operation(path, method).get("requestBody")
        return None if body is None else self.resolve(body)

    def arguments(self, path: str, method: str) -> dict[str, bool]:
        """Return the arguments of an operation's handler, and which it always gets."""
        given = {}
        for parameter in self.parameters(path, method):
            always = parameter.get("required", False) or "default" in self.resolve(
                parameter.get("schema", {})
            )
            given[argument_name(parameter["name"])] = always
        body = self.request_body(path, method)
        return given if body is None else {**given, "body": body.get("required", False)}

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """Follow ``$ref`` until there is something else.

        Raises:
            ValueError: It leads out of the document or nowhere.
        """
        while "$ref" in node:
            reference = node["$ref"]
            start, *keys = reference.split("/")
            target: Any = self.document if start == "#" else None
            for key in keys:
                target = target.get(key) if isinstance(target, dict) else None
            if target is None:
                raise ValueError(f"{reference} leads nowhere in the OpenAPI document")
            node = target
        return node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = node.values()
    elif not isinstance(node, list):
        return
    for child in node:
        yield from _references(child)


def argument_name(name: str) -> str:
    """Return a parameter's or operation's name as Python writes it.

    ``If-None-Match`` becomes ``if_none_match`` and ``createFact`` ``create_fact``.
    """
    words = "".join(
        f"_{letter}" if letter.isupper() and before.isalnum() else letter
        for before, letter in zip(" " + name, name, strict=False)
    )
    return words.replace("-", "_").lower()
