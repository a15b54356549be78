"""What the contract says and what the code says are the same."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, get_args

import pytest

import memio
from memio.client import STORES, Memio
from memio.models import KEEP, Mode
from memio.server.errors import ERRORS, STATUS
from memio.server.resolver import find_handlers
from memio.server.spec import argument_name
from tests.contract import OPERATIONS, SPEC, Operation, deref
from tests.spec.reading import (
    SCHEMAS,
    STORE_OPERATIONS,
    request_body,
    responses,
    tag,
)

DECLARED_BY_NO_OPERATION = {
    "forbidden": "no key of today is bound to less than everything",
    "method_not_allowed": "it is said of a path, which has no operation for it",
    "rate_limited": "no provider of today asks a client to slow down",
}
METHODS = {"listMessages": "get", "getEntity": "get", "updateDocument": "update"}


def method(operation: Operation) -> Callable[..., Any]:
    """Return the method of the store's protocol that an operation calls."""
    verb, noun = re.findall(r"^[a-z]+|[A-Z].*$", operation.id)
    many = noun.endswith("s") or noun == "Graph"
    usual = {"create": "add", "list": "get_all", "delete": "delete_all" if many else ""}
    name = METHODS.get(operation.id) or usual.get(verb) or verb
    return getattr(STORES[tag(operation)], name)


def handler(operation: Operation) -> Callable[..., Any]:
    module = import_module(f"{find_handlers()}.{tag(operation)}")
    return getattr(module, argument_name(operation.id))


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults that mean something: None and KEEP stand for absence."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default not in (parameter.empty, None, KEEP, "")
    }


def defaults_in_spec(operation: Operation) -> dict[str, Any]:
    schemas = {p["name"]: deref(p["schema"]) for p in operation.parameters}
    if body := request_body(operation):
        schemas |= {n: deref(s) for n, s in deref(body["schema"])["properties"].items()}
    return {name: s["default"] for name, s in schemas.items() if "default" in s}


@pytest.mark.parametrize("operation", STORE_OPERATIONS, ids=lambda op: op.id)
def test_defaults_are_those_of_the_protocols(operation: Operation) -> None:
    """Whoever calls a store from Python gets what a client over HTTP gets."""
    in_code = {**defaults_of(method(operation)), **defaults_of(handler(operation))}
    assert defaults_in_spec(operation) == in_code


def test_pages_are_as_long_as_documented() -> None:
    """The lengths that clients of the original rely on."""
    limits = {
        op.id: d["limit"] for op in OPERATIONS if "limit" in (d := defaults_in_spec(op))
    }
    searches = {name for name in limits if name.startswith("search")}
    assert {limits.pop(name) for name in searches} == {10}
    assert limits == {
        "listFacts": 100,
        "listSessions": 100,
        "listMessages": 50,
        "listDocuments": 100,
        "listTriples": 100,
        "getEntity": 1000,
    }


def test_modes_are_those_of_the_models() -> None:
    assert tuple(SCHEMAS["Mode"]["enum"]) == get_args(Mode)


def test_models_have_the_properties_of_the_contract() -> None:
    """Answers are the models, written as JSON."""
    for name in ("Fact", "Message", "Document", "Triple"):
        model = getattr(memio, name)
        assert set(SCHEMAS[name]["properties"]) == {*model.__dataclass_fields__}


def test_every_operation_has_a_handler_and_every_handler_an_operation() -> None:
    """A function that nothing routes to is dead."""
    wanted = {(tag(op), argument_name(op.id)) for op in OPERATIONS}
    there = {
        (name, function)
        for name in (*STORES, "meta")
        for module in (f"{find_handlers()}.{name}", "memio.server.pages")
        for function, value in vars(import_module(module)).items()
        if inspect.iscoroutinefunction(value) and not function.startswith("_")
        if value.__module__ == module and (name == "meta" or "pages" not in module)
    }
    assert there == wanted


def test_every_store_is_a_tag() -> None:
    assert [each["name"] for each in SPEC["tags"]] == [*STORES, "meta"]
    assert set(Memio.__init__.__annotations__) >= set(STORES)


def test_the_version_is_the_package_s() -> None:
    """A client may ask the server which contract it speaks."""
    health = SCHEMAS["Health"]["properties"]["version"]["example"]
    assert (SPEC["info"]["version"], health) == (memio.__version__,) * 2


def test_the_errors_are_those_of_the_table() -> None:
    """One table decides them; the contract lists what is in it."""
    listed = SCHEMAS["ErrorCode"]["enum"]
    assert sorted(listed) == sorted(STATUS)
    assert set(ERRORS.values()) <= STATUS.keys()


def test_the_statuses_are_those_of_the_error_table() -> None:
    declared = {
        status for op in OPERATIONS for status, _ in responses(op) if status >= 400
    }
    silent = {STATUS[error] for error in DECLARED_BY_NO_OPERATION}
    assert declared | silent == set(STATUS.values())
    assert not declared & silent


def test_the_examples_of_errors_have_the_status_they_stand_under() -> None:
    for operation in OPERATIONS:
        for status, response in responses(operation):
            if status >= 400:
                for example in response["content"]["application/json"][
                    "examples"
                ].values():
                    assert STATUS[example["value"]["error"]] == status, operation.id
