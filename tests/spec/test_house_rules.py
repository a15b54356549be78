"""The house rules of openapi.yaml: one rule, one test, one reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import OPERATIONS, SPEC, Operation, deref
from tests.spec.reading import (
    SCHEMAS,
    STORE_OPERATIONS,
    media_types,
    nodes,
    properties,
    request_body,
    request_schemas,
    responses,
    tag,
)

ids = [operation.id for operation in OPERATIONS]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=ids)

VERBS = {
    "get": {"get", "list", "redirect"},
    "post": {"create", "add", "search"},
    "put": {"update"},
    "delete": {"delete"},
}
MADE_BY_ITS_FIRST_WRITE = {"addMessages"}
TOLD_BY_NO_EXAMPLE = {"getOpenapiJson", "getOpenapiYaml", "getDocs"}


def lacking(key: str) -> Iterator[str]:
    """Name the parameters, headers and properties without a description or example."""
    described = {
        **{f"parameter {p['name']}": p for op in OPERATIONS for p in op.parameters},
        **{f"header {name}": h for name, h in SPEC["components"]["headers"].items()},
        **dict(properties()),
    }
    for place, node in described.items():
        schema = node.get("schema", node)
        chain = [node, schema, deref(schema)]
        chain += [deref(part) for part in schema.get("allOf", [])]
        if key == "description" and "schema" in node:
            chain = [node]  # what the schema is does not say what it is for here
        if not any(key in part for part in chain):
            yield f"{place} has no {key}"


def test_every_string_of_a_request_is_bounded() -> None:
    """What has no bound is a way to exhaust the server."""
    unbounded = [
        place
        for place, schema in request_schemas().items()
        if schema.get("type") == "string"
        and not schema.keys() & {"maxLength", "enum"}
        and schema.get("format") != "date-time"
    ]
    assert unbounded == []


def test_every_array_of_a_request_is_bounded() -> None:
    """One request must not be able to order unlimited work."""
    arrays = {p: s for p, s in request_schemas().items() if s.get("type") == "array"}
    assert arrays
    assert [place for place, schema in arrays.items() if "maxItems" not in schema] == []


def test_every_number_of_a_parameter_is_bounded() -> None:
    """A page without a largest size is no page."""
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            schema = deref(parameter["schema"])
            if schema["type"] in {"integer", "number"}:
                assert {"minimum", "maximum"} <= schema.keys(), parameter["name"]


def test_every_id_has_a_pattern() -> None:
    """Every provider must be able to keep every id that the contract allows."""
    named = [
        (f"{op.id}.{p['name']}", p["schema"])
        for op in OPERATIONS
        for p in op.parameters
        if p["in"] == "path" or p["name"].endswith("_id")
    ]
    bodies = [b["schema"] for op in OPERATIONS if (b := request_body(op))]
    named += [
        (name, schema["allOf"][0] if "allOf" in schema else schema)
        for body in bodies
        for name, schema in deref(body)["properties"].items()
        if name.endswith("_id")
    ]
    for place, schema in named:
        assert {"pattern", "minLength", "maxLength"} <= deref(schema).keys(), place


def test_every_request_body_is_closed() -> None:
    """A misspelt field must be heard, not dropped."""
    open_ones = {
        place.rpartition("/")[2]
        for place, schema in request_schemas().items()
        if schema.get("type") == "object"
        and schema.get("additionalProperties") is not False
    }
    # Metadata is any JSON object; the names in a filter are those of the metadata.
    assert open_ones == {"Metadata", "Filters", "OptionalFilters"}


def test_everything_has_a_description() -> None:
    """The contract is the documentation, and what agents read of their tools."""
    assert list(lacking("description")) == []
    for place, node in {**SCHEMAS, **SPEC["components"]["responses"]}.items():
        assert node["description"].endswith("."), place


def test_everything_has_an_example() -> None:
    """A value shows in a moment what a pattern hides."""
    assert list(lacking("example")) == []


def test_bodies_have_examples() -> None:
    """The documentation page sends them, and the tests hold them to be true."""
    without = {
        operation.id
        for operation in OPERATIONS
        for media in (
            request_body(operation),
            *(
                m
                for _, r in responses(operation)
                for m in r.get("content", {}).values()
            ),
        )
        if media and not media.get("examples")
    }
    assert without == TOLD_BY_NO_EXAMPLE
    for place, media in media_types():
        for name, example in media.get("examples", {}).items():
            assert example.keys() == {"summary", "value"}, f"{place}/{name}"


@each_operation
def test_refusals_are_complete(operation: Operation) -> None:
    """A client can only be ready for what it was told of."""
    declared = {status for status, _ in responses(operation)}
    due = {422, 500}
    if operation.spec.get("security", SPEC["security"]):
        due |= {401}
    if "{" in operation.template and operation.id not in MADE_BY_ITS_FIRST_WRITE:
        due |= {404}
    if request_body(operation):
        due |= {413, 415}
    if operation in STORE_OPERATIONS:
        due |= {501, 502, 503, 504}
    assert due <= declared
    # 409: ids and owners that are taken. 503: a server that is not ready yet.
    more = {"addMessages": 409, "createDocument": 409, "getReadiness": 503}
    assert {s for s in declared - due if s >= 400} == {
        *([more[operation.id]] if operation.id in more else [])
    }


@each_operation
def test_an_operation_is_named_by_a_verb_that_fits(operation: Operation) -> None:
    """SDKs and agent tools take their function names from here."""
    verb, *nouns = re.findall(r"^[a-z]+|[A-Z][a-z]+", operation.id)
    assert verb + "".join(nouns) == operation.id
    assert verb in VERBS[operation.method]
    assert not {"A", "An", "The"} & set(nouns)


@each_operation
def test_an_operation_is_told_in_words(operation: Operation) -> None:
    """The summary is a line in a list; the description says what happens."""
    assert set(operation.spec["tags"]) <= {t["name"] for t in SPEC["tags"]}
    assert len(operation.spec["tags"]) == 1
    summary = operation.spec["summary"]
    assert summary
    assert len(summary) <= 40
    assert not summary.endswith(".")
    assert operation.spec["description"].rstrip().endswith(".")
    assert operation.spec.get("requestBody", {"description": "."})["description"]


def test_operation_ids_are_unique() -> None:
    """Each is the name of one function."""
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


@each_operation
def test_links_lead_somewhere(operation: Operation) -> None:
    """A machine follows them: they must name operations, parameters and values."""
    by_id = {op.id: op for op in OPERATIONS}
    for status, response in responses(operation):
        for link in response.get("links", {}).values():
            target = by_id[link["operationId"]]
            given = link.get("parameters", {})
            known = {p["name"]: p for p in target.parameters}
            assert given.keys() <= known.keys()
            assert {n for n, p in known.items() if p.get("required")} <= given.keys()
            assert link["description"].endswith(".")
            for expression in given.values():
                assert evaluate(expression, operation, status), expression


def evaluate(expression: str, operation: Operation, status: int) -> Any:
    """Return what a runtime expression finds in the examples."""
    source, _, pointer = expression.partition("#")
    if source == "$response.body":
        (media,) = dict(responses(operation))[status]["content"].values()
    elif source == "$request.body":
        media = request_body(operation)
    else:
        name = source.removeprefix("$request.path.")
        (parameter,) = (p for p in operation.parameters if p["name"] == name)
        return parameter["example"]
    (example, *_) = media["examples"].values()
    value = example["value"]
    for key in pointer.split("/")[1:]:
        value = value[int(key) if isinstance(value, list) else key]
    return value


def test_what_creates_links_to_what_was_created() -> None:
    """So that a machine can walk the API without being told how."""
    for operation in OPERATIONS:
        if re.match("create|add", operation.id):
            for status, response in responses(operation):
                if status < 300:
                    linked = {
                        link["operationId"] for link in response["links"].values()
                    }
                    assert any(name.startswith(("get", "list")) for name in linked)
                    assert any(name.startswith("delete") for name in linked)


def test_names_are_snake_case() -> None:
    """One spelling, so that nobody has to look it up."""
    names = [
        p["name"] for op in OPERATIONS for p in op.parameters if p["in"] != "header"
    ]
    names += [place.rpartition(".")[2] for place, _ in properties()]
    odd = {n for n in names if not re.fullmatch("[a-z]+(_[a-z]+)*", n)}
    assert {name for name in odd if not name.startswith("$")} == set()


def test_no_component_is_unused() -> None:
    """What nothing refers to is believed and not true."""
    used = {node["$ref"] for _, node in nodes() if isinstance(node.get("$ref"), str)}
    for kind, components in SPEC["components"].items():
        if kind != "securitySchemes":
            unused = {n for n in components if f"#/components/{kind}/{n}" not in used}
            assert unused == set(), kind
    demanded = {n for _, node in nodes() for r in node.get("security", []) for n in r}
    assert demanded == set(SPEC["components"]["securitySchemes"])


def test_every_answer_carries_a_request_id() -> None:
    """It is how a user's complaint is found in the log."""
    for operation in OPERATIONS:
        for status, response in responses(operation):
            assert "X-Request-ID" in response["headers"], (operation.id, status)


def test_answers_hold_every_property() -> None:
    """Null says that there is none; absence would say nothing."""
    for operation in OPERATIONS:
        for _, response in responses(operation):
            for media in response.get("content", {}).values():
                schema = deref(media["schema"])
                schema = deref(schema.get("items", schema))
                names = schema.get("properties", {})
                assert set(schema.get("required", [])) == set(names), operation.id


def test_every_operation_of_a_store_is_under_its_name() -> None:
    """The path says whose it is, and with it which provider answers."""
    for operation in STORE_OPERATIONS:
        assert operation.template.startswith(f"/v1/{tag(operation)}")
