"""Every kind of breaking change is found and named; what breaks nobody is not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from memio import __version__
from memio.server.spec import Spec
from tests.contract import ROOT
from tests.spec.compatibility import breaking_changes

RELEASED = sorted((ROOT / "tests/released").glob("openapi-*.yaml"))

SMALL = Spec.parse(
    b"""
openapi: 3.0.3
security: [{key: []}]
paths:
  /things/{thing_id}:
    parameters:
      - {name: thing_id, in: path, required: true, schema: {type: string, maxLength: 9}}
    put:
      operationId: updateThing
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 9, default: 5}}
      requestBody:
        content:
          application/json: {schema: {$ref: '#/components/schemas/Update'}}
      responses:
        '200':
          headers:
            Next: {required: true, schema: {type: string}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Thing'}}
        '404': {description: none}
components:
  securitySchemes:
    key: {type: http, scheme: bearer}
  schemas:
    Update:
      type: object
      additionalProperties: false
      required: [name]
      properties:
        name: {type: string, nullable: true, pattern: a}
        kind: {type: string, enum: [a, b]}
        size: {type: number, minimum: 0}
        sub: {$ref: '#/components/schemas/Update'}
        any: {anyOf: [{type: string}, {type: boolean}]}
    Thing:
      type: object
      required: [name, size]
      properties:
        name: {nullable: true, allOf: [{$ref: '#/components/schemas/Name'}]}
        kind: {type: string, enum: [a, b]}
        size: {type: number, maximum: 1}
        parts: {type: array, items: {type: integer}}
        any: {anyOf: [{type: string}, {type: boolean}]}
    Name: {type: string}
"""
).document

PUT = ("paths", "/things/{thing_id}", "put")
QUERY = (*PUT, "parameters", 0)
ANSWER = (*PUT, "responses", "200")
TAKEN = ("components", "schemas", "Update")
GIVEN = ("components", "schemas", "Thing")
GONE = object()
REQUIRED = {"name": "new", "in": "query", "required": True, "schema": {}}


def changed(*changes: tuple[tuple[Any, ...], Any]) -> dict[str, Any]:
    """Return the small document with other values at some places."""
    document = deepcopy(SMALL)
    for (*path, last), value in changes:
        node: Any = document
        for key in path:
            node = node[key]
        if value is GONE:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = value
    return document


BREAKING = {
    "PUT /things/{thing_id} is gone": (PUT, GONE),
    "operationId changed from updateThing": ((*PUT, "operationId"), "putThing"),
    "security changed": ((*PUT, "security"), []),
    "the security scheme key changed": (
        ("components", "securitySchemes", "key", "scheme"),
        "basic",
    ),
    "the query parameter limit is gone": (QUERY, REQUIRED | {"required": False}),
    "there is a new required query parameter new": ((*PUT, "parameters", 1), REQUIRED),
    "the query parameter limit is now required": ((*QUERY, "required"), True),
    "the default changed from 5": ((*QUERY, "schema", "default"), 6),
    "limit: no longer takes all of maximum": ((*QUERY, "schema", "maximum"), 8),
    "limit: no longer takes all of type": ((*QUERY, "schema", "type"), "boolean"),
    "limit: no longer takes all of enum": ((*QUERY, "schema", "enum"), [1]),
    "the body is now required": ((*PUT, "requestBody", "required"), True),
    "body: application/json is gone": (
        (*PUT, "requestBody", "content"),
        {"text/plain": {}},
    ),
    "the status 404 is gone": ((*PUT, "responses", "404"), GONE),
    "the header Next may be missing": ((*ANSWER, "headers", "Next", "required"), False),
    "200 body: application/json is gone": ((*ANSWER, "content"), {}),
    "body: no longer takes all of required kind": (
        (*TAKEN, "required"),
        ["name", "kind"],
    ),
    "body.kind: no longer takes all of enum": (
        (*TAKEN, "properties", "kind", "enum"),
        ["a"],
    ),
    "body.name: no longer takes all of type": (
        (*TAKEN, "properties", "name", "nullable"),
        False,
    ),
    "body.name: no longer takes all of pattern": (
        (*TAKEN, "properties", "name", "pattern"),
        "b",
    ),
    "body.size: no longer takes all of minimum": (
        (*TAKEN, "properties", "size", "minimum"),
        1,
    ),
    "body.size: no longer takes all of type": (
        (*TAKEN, "properties", "size", "type"),
        "integer",
    ),
    "body.sub is gone": ((*TAKEN, "properties", "sub"), GONE),
    "body.any: no longer takes all of alternative 2": (
        (*TAKEN, "properties", "any", "anyOf", 1),
        {"type": "object"},
    ),
    "200 body: may now answer with other required size": (
        (*GIVEN, "required"),
        ["name"],
    ),
    "200 body.kind is gone": ((*GIVEN, "properties", "kind"), GONE),
    "200 body.kind: may now answer with other enum": (
        (*GIVEN, "properties", "kind", "enum"),
        ["a", "b", "c"],
    ),
    "200 body.size: may now answer with other type": (
        (*GIVEN, "properties", "size", "nullable"),
        True,
    ),
    "200 body.size: may now answer with other maximum": (
        (*GIVEN, "properties", "size", "maximum"),
        2,
    ),
    "200 body.parts.items: may now answer with other type": (
        (*GIVEN, "properties", "parts", "items", "type"),
        "number",
    ),
    "200 body.any: may now answer with other alternative 3": (
        (*GIVEN, "properties", "any", "anyOf", 2),
        {"type": "number"},
    ),
    "200 body.name: may now answer with other type": (
        ("components", "schemas", "Name"),
        {"type": "object"},
    ),
}


@pytest.mark.parametrize("sentence", BREAKING)
def test_a_breaking_change_is_found(sentence: str) -> None:
    found = breaking_changes(SMALL, changed(BREAKING[sentence]))
    assert any(each.endswith(sentence) for each in found), found


COMPATIBLE = {
    "path": (("paths", "/other"), {"get": {"operationId": "x", "responses": {}}}),
    "operation": (("paths", "/things/{thing_id}", "get"), {"responses": {}}),
    "optional parameter": ((*PUT, "parameters", 1), REQUIRED | {"required": False}),
    "larger page": ((*QUERY, "schema", "maximum"), 10),
    "status": ((*PUT, "responses", "409"), {}),
    "header": ((*ANSWER, "headers", "More"), {}),
    "media type": ((*ANSWER, "content", "text/csv"), {}),
    "optional field": ((*TAKEN, "properties", "new"), {"type": "string"}),
    "field no longer required": ((*TAKEN, "required"), []),
    "value that is taken": ((*TAKEN, "properties", "kind", "enum"), ["a", "b", "c"]),
    "null that is taken": ((*TAKEN, "properties", "kind", "nullable"), True),
    "alternative that is taken": (
        (*TAKEN, "properties", "any", "anyOf", 2),
        {"type": "object"},
    ),
    "property of an answer": ((*GIVEN, "properties", "new"), {"type": "string"}),
    "value no longer given": ((*GIVEN, "properties", "kind", "enum"), ["a"]),
    "null no longer given": ((*GIVEN, "properties", "name", "nullable"), False),
    "integer for a number": ((*GIVEN, "properties", "size", "type"), "integer"),
    "closed answer": ((*GIVEN, "additionalProperties"), False),
    "description": ((*GIVEN, "description"), "A thing."),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_what_breaks_nobody_is_not_reported(name: str) -> None:
    document = changed(COMPATIBLE[name])
    assert document != SMALL
    assert breaking_changes(SMALL, document) == []


def test_a_body_that_is_closed_is_found() -> None:
    before = changed(((*TAKEN, "additionalProperties"), True))
    (found, *_) = breaking_changes(before, SMALL)
    assert found.endswith("body: no longer takes all of unknown properties")


def test_a_reference_says_the_same_as_what_it_leads_to() -> None:
    inlined = changed(
        ((*GIVEN, "properties", "name"), {"type": "string", "nullable": True})
    )
    assert breaking_changes(SMALL, inlined) == []
    assert breaking_changes(inlined, SMALL) == []


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_no_client_of_a_release_is_broken(path: Any) -> None:
    """Within a major version; a new one may break, and then drops the files here."""
    released = Spec.load(path).document
    major = released["info"]["version"].partition(".")[0]
    assert major == __version__.partition(".")[0]
    assert breaking_changes(released, Spec.load().document) == []


def test_there_is_a_release_to_compare_with() -> None:
    assert RELEASED
