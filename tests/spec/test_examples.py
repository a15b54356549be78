"""The examples of the contract are valid, and a live server makes them true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from memio import jsontext
from tests.contract import SPEC, Api, Operation, deref, validator
from tests.spec.reading import (
    STORE_OPERATIONS,
    media_types,
    nodes,
    responses,
)
from tests.spec.world import SWITCHES, World, by_id, example_of

GENERATED = {"id", "created_at", "updated_at"}


@pytest.fixture
def empty(api: Api) -> World:
    return World(api)


@pytest.fixture
def world(empty: World) -> World:
    empty.create()
    return empty


def answers() -> Iterator[Any]:
    """Yield each operation of a store with each way in which it can succeed."""
    for operation in STORE_OPERATIONS:
        for status, response in responses(operation):
            if status < 300:
                yield pytest.param(
                    operation, status, response, id=f"{operation.id}-{status}"
                )


def shown(value: Any, name: str = "") -> Any:
    """Return what an example shows for good: not ids, times and scores."""
    if isinstance(value, dict):
        return {key: shown(child, key) for key, child in value.items()}
    if isinstance(value, list):
        return [shown(child) for child in value]
    if name in GENERATED and len(value) > len("returns-policy"):
        return f"{len(value)} characters"
    return "a score" if isinstance(value, float) else value


@pytest.mark.parametrize(("operation", "status", "response"), [*answers()])
def test_an_example_gets_the_answer_that_is_shown(
    empty: World, operation: Operation, status: int, response: dict[str, Any]
) -> None:
    if status != 201:  # what creates something finds an empty world
        empty.create()
    names = {p["name"] for p in operation.parameters}
    switches = {name for name in names if SWITCHES.get(name) == status}
    answer = empty.send(operation, switches)
    assert answer.status_code == status, answer.text
    if "content" in response:
        example = example_of(response["content"]["application/json"])
        assert shown(answer.json()) == shown(example)


def parameters() -> Iterator[Any]:
    for operation in STORE_OPERATIONS:
        for parameter in operation.parameters:
            if not parameter.get("required"):
                name = parameter["name"]
                yield pytest.param(operation, name, id=f"{operation.id}-{name}")


@pytest.mark.parametrize(("operation", "name"), [*parameters()])
def test_the_example_of_a_parameter_is_taken(
    world: World, operation: Operation, name: str
) -> None:
    answer = world.send(operation, {name})
    assert answer.is_success, answer.text


@pytest.mark.parametrize("name", ["getHealth", "getReadiness"])
def test_the_server_s_own_examples_are_true(empty: World, name: str) -> None:
    answer = empty.send(by_id[name])
    media = dict(responses(by_id[name]))[200]["content"]["application/json"]
    assert answer.json() == example_of(media)


def test_examples_are_valid() -> None:
    """Every one of them: of bodies, parameters, headers, schemas and properties."""
    checked = 0
    for place, media in media_types():
        for name, example in media.get("examples", {}).items():
            assert not list(faults(media["schema"], example["value"])), (place, name)
            checked += 1
    for place, node in nodes():
        if "example" in node and "/examples/" not in place:
            schema = node.get("schema", node)
            assert not list(faults(schema, node["example"])), place
            checked += 1
    assert checked > 100


def faults(schema: dict[str, Any], value: Any) -> Iterator[str]:
    for error in validator(schema).iter_errors(value):
        yield error.message
    if deref(schema).get("format") == "json-object":
        yield from faults(
            SPEC["components"]["schemas"]["Filters"], jsontext.loads(value)
        )
