"""Query, path and header parameters: from text to validated handler arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import Scope

from memio import jsontext
from memio.server.errors import HttpError, invalid
from memio.server.schemas import Schemas, nearest, shorten
from memio.server.scope import HEADERS, PATH_VALUES
from memio.server.spec import Spec, argument_name

Step = Callable[[Any, str], Any]
"""Turns a value into the next one or refuses it; the second argument is its place."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, compiled.

    Attributes:
        name: As it is sent.
        argument: As the handler calls it.
        place: As a refusal calls it.
    """

    name: str
    argument: str
    place: str
    required: bool
    steps: tuple[Step, ...]

    def read(self, text: str) -> Any:
        """Return the value that a text stands for, or refuse it."""
        value: Any = text
        for step in self.steps:
            value = step(value, self.place)
        return value


class Parameters:
    """All parameters of an operation.

    Raises:
        ValueError: One of them is of a kind that the edge cannot read.
    """

    def __init__(self, spec: Spec, schemas: Schemas, path: str, method: str) -> None:
        self._defaults: dict[str, Any] = {}
        self._in: dict[str, dict[str, Parameter]] = {
            "path": {},
            "query": {},
            "header": {},
        }
        for written in spec.parameters(path, method):
            name, place = written["name"], written["in"]
            if place not in self._in:
                raise ValueError(f"{path}: a parameter in {place} cannot be read")
            schema = spec.resolve(written.get("schema", {}))
            parameter = Parameter(
                name=name,
                argument=argument_name(name),
                place=f"{place} parameter {name}",
                required=written.get("required", False),
                steps=_steps(schema, schemas, f"{path}: {name}"),
            )
            self._in[place][name] = parameter
            if "default" in schema:
                self._defaults[parameter.argument] = schema["default"]
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        self._path = [
            (names.index(name), parameter)
            for name, parameter in self._in["path"].items()
            if name in names  # or else routing refuses the path
        ]
        self._query = self._in["query"]
        self._header = [
            (name.lower().encode(), parameter)
            for name, parameter in self._in["header"].items()
        ]
        self._required = tuple(p for p in self._query.values() if p.required)

    def read(self, scope: Scope) -> dict[str, Any]:
        """Return the handler's arguments: what was sent, and defaults.

        Raises:
            HttpError: 422; a parameter is missing, unknown, doubled or not valid.
        """
        arguments = self._defaults.copy()
        for place, parameter in self._path:
            text = scope[PATH_VALUES][place]
            if "%" in text:
                text = _unquote(text, parameter.place)
            arguments[parameter.argument] = parameter.read(text)
        query = scope["query_string"]
        if query:
            self._read_query(query, arguments)
        for parameter in self._required:
            if parameter.argument not in arguments:
                raise invalid(parameter.place, "is required")
        for header, parameter in self._header:
            raw = scope[HEADERS].get(header)
            if raw is not None:
                text = _decode(raw, parameter.place)
                arguments[parameter.argument] = parameter.read(text)
            elif parameter.required:
                raise invalid(parameter.place, "is required")
        return arguments

    def _read_query(self, query: bytes, arguments: dict[str, Any]) -> None:
        seen = set()
        for part in _decode(query, "query").split("&"):
            if not part:
                continue
            name, _, text = part.partition("=")
            if "%" in name or "+" in name:
                name = _unquote(name.replace("+", " "), "query")
            parameter = self._query.get(name)
            if parameter is None:
                hint = nearest(name, list(self._query))
                raise invalid(
                    f"query parameter {shorten(name)}", f"unknown parameter{hint}"
                )
            if name in seen:
                raise invalid(parameter.place, "is given twice")
            seen.add(name)
            if "%" in text or "+" in text:
                text = _unquote(text.replace("+", " "), parameter.place)
            arguments[parameter.argument] = parameter.read(text)


def _decode(raw: bytes, place: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _not_utf8(place) from None


def _unquote(text: str, place: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _not_utf8(place) from None


def _not_utf8(place: str) -> HttpError:
    return invalid(place, "must be UTF-8")


def _steps(schema: dict[str, Any], schemas: Schemas, place: str) -> tuple[Step, ...]:
    kind = schema.get("type")
    if kind not in {"string", *_COERCERS}:
        raise ValueError(f"{place} is of type {kind}, which a parameter cannot be")
    steps: list[Step] = [_COERCERS[kind]] if kind in _COERCERS else []
    if schema.keys() & _CONSTRAINTS:
        steps.append(_checked(schema, schemas))
    if schema.get("format") == "json-object":
        steps.append(_json_object)
        if "Filters" in schemas:
            filters = {"$ref": "#/components/schemas/Filters"}
            steps.append(_checked(filters, schemas))
    return tuple(steps)


def _checked(schema: dict[str, Any], schemas: Schemas) -> Step:
    check = schemas.compile(schema)

    def step(value: Any, place: str) -> Any:
        check(value, place)
        return value

    return step


def _integer(text: str, place: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise invalid(place, "must be an integer")
    return int(text)


def _number(text: str, place: str) -> float:
    if not _NUMBER.fullmatch(text) or math.isinf(number := float(text)):
        raise invalid(place, "must be a number")
    return number


def _boolean(text: str, place: str) -> bool:
    if text not in _BOOLEANS:
        raise invalid(place, "must be true or false")
    return _BOOLEANS[text]


def _json_object(text: str, place: str) -> dict[str, Any]:
    try:
        value = jsontext.loads(text)
    except ValueError as error:
        raise invalid(place, str(error)) from None
    if not isinstance(value, dict):
        raise invalid(place, "must be a JSON object")
    return value


_COERCERS: dict[str, Step] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
_CONSTRAINTS = {
    "allOf",
    "anyOf",
    "enum",
    "format",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
}
