"""The schemas of an OpenAPI document as compiled validators that speak in sentences."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from jsonschema_rs import Draft4Validator, ValidationError, ValidationErrorKind

from memio.server.errors import invalid
from memio.server.spec import Spec

Check = Callable[[Any, str], None]
"""Raises the refusal of a value; the second argument names its place."""

_ONE_SCHEMA = {"additionalProperties", "items", "not"}
_MANY_SCHEMAS = {"allOf", "anyOf", "oneOf"}
_OTHER_KEYWORDS = {
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "type",
    "uniqueItems",
}
_FORMATS = {
    "date-time": "a date and time with zone, such as 2026-01-31T12:00:00Z",
    "date": "a date, such as 2026-01-31",
}
_NO_BRANCH_FITS = (ValidationErrorKind.AnyOf, ValidationErrorKind.OneOfNotValid)
_NOT_EMPTY = {"minItems", "minLength", "minProperties"}
_PROBLEMS = {
    "exclusiveMaximum": "must be less than {limit}",
    "exclusiveMinimum": "must be more than {limit}",
    "falseSchema": "must not have any fields",
    "maxItems": "must have at most {limit} items",
    "maxLength": "must have at most {limit} characters",
    "maxProperties": "must have at most {limit} fields",
    "maximum": "must be at most {limit}",
    "minItems": "must have at least {limit} items",
    "minLength": "must have at least {limit} characters",
    "minProperties": "must have at least {limit} fields",
    "minimum": "must be at least {limit}",
    "multipleOf": "must be a multiple of {multiple_of}",
    "pattern": "must match the pattern {pattern}",
    "uniqueItems": "must not hold the same item twice",
}
_SHOWN = 40  # characters of a name that the client chose
_DEEPEST = 8  # steps of a place that are named


class Schemas:
    """Compiles schemas of one document; OpenAPI 3.0 schemas are JSON Schema Draft 4."""

    def __init__(self, spec: Spec) -> None:
        schemas = spec.document.get("components", {}).get("schemas", {})
        translated = {name: draft4(schema) for name, schema in schemas.items()}
        self._components = {"schemas": translated}

    def __contains__(self, name: str) -> bool:
        return name in self._components["schemas"]

    def compile(self, schema: dict[str, Any]) -> Check:
        """Compile a schema as it is written in the document."""
        # A reference in Draft 4 hides its neighbours, hence the allOf.
        whole = {"allOf": [draft4(schema)], "components": self._components}
        validator = Draft4Validator(whole, validate_formats=True, offline=True)

        def check(value: Any, place: str) -> None:
            try:
                validator.validate(value)
            except ValidationError as error:
                refusal = invalid(*_sentence(error, place, whole))
            else:
                return
            raise refusal  # out here, or it would hold on to the value as its context

        return check


def draft4(schema: Any) -> Any:
    """Translate an OpenAPI 3.0 schema to Draft 4: ``nullable`` becomes a null type."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    result: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _OTHER_KEYWORDS:
            result[keyword] = value
        elif keyword in _ONE_SCHEMA:
            result[keyword] = draft4(value)
        elif keyword in _MANY_SCHEMAS:
            result[keyword] = [draft4(branch) for branch in value]
        elif keyword == "properties":
            result[keyword] = {name: draft4(child) for name, child in value.items()}
    return _nullable(result) if schema.get("nullable") else result


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "type" not in schema or schema.keys() & {*_MANY_SCHEMAS, "not"}:
        return {"anyOf": [{"type": "null"}, schema]}
    result = {**schema, "type": [schema["type"], "null"]}
    if None not in schema.get("enum", [None]):
        result["enum"] = [*schema["enum"], None]
    return result


def nearest(name: str, known: list[str]) -> str:
    """Return what to do about a name that is not known, to follow ``unknown``."""
    if not known:
        return "; there are none here"
    close = get_close_matches(name[:_SHOWN], known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def shorten(name: str) -> str:
    """Return a name that the client chose, short enough to be shown."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."


def _sentence(
    error: ValidationError, place: str, schema: dict[str, Any]
) -> tuple[str, str]:
    leaf, types = _leaf(error)
    steps = leaf.instance_path
    for step in steps[:_DEEPEST]:
        place += f"[{step}]" if isinstance(step, int) else f".{shorten(step)}"
    if len(steps) > _DEEPEST:
        place += "..."
    kind = leaf.kind.name
    if kind == "required":
        return f"{place}.{leaf.kind.as_dict()['property']}", "is required"
    if kind == "additionalProperties":
        name = leaf.kind.as_dict()["unexpected"][0]
        owner: Any = schema
        for key in leaf.schema_path[:-1]:
            owner = owner[key]
        hint = nearest(name, list(owner.get("properties", ())))
        return f"{place}.{shorten(name)}", f"unknown field{hint}"
    if types:
        types.sort(key="null".__eq__)
        return place, f"must be {' or '.join(map(_article, types))}"
    return place, _problem(kind, leaf.kind.as_dict())


def _leaf(error: ValidationError) -> tuple[ValidationError, list[str]]:
    """Return the error to tell, and the types asked for if it is about the type.

    Of the branches of an anyOf, the one that came furthest is what was meant.
    """
    if error.kind.name == "type":
        return error, list(error.kind.as_dict()["types"])
    if not isinstance(error.kind, _NO_BRANCH_FITS):
        return error, []
    leaves = [_leaf(branch[0]) for branch in error.kind.context]
    deepest = max(len(leaf.instance_path) for leaf, _ in leaves)
    best = [each for each in leaves if len(each[0].instance_path) == deepest]
    told = next((each for each in best if not each[1]), None)
    if told is not None:
        return told
    return best[0][0], list(dict.fromkeys(name for _, types in best for name in types))


def _article(name: str) -> str:
    if name == "null":
        return name
    return f"an {name}" if name[0] in "aio" else f"a {name}"


def _problem(kind: str, details: dict[str, Any]) -> str:
    if kind in _NOT_EMPTY and details["limit"] == 1:
        return "must not be empty"
    if kind == "enum":
        options = ("null" if each is None else str(each) for each in details["options"])
        return f"must be one of {', '.join(options)}"
    if kind == "format":
        name = details["format"]
        return f"must be {_FORMATS.get(name, f'of the format {name}')}"
    return _PROBLEMS.get(kind, "is not valid here").format(**details)
