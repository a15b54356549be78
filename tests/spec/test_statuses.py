"""Every status that an operation declares is one that it really answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract import OPERATIONS, SPEC, Api, Operation
from tests.serving import Server
from tests.spec.reading import STORE_OPERATIONS, request_body, responses
from tests.spec.troubled import SECRET
from tests.spec.world import SWITCHES, World

MADE_BY_WHAT_IS_STORED = {200, 201, 204, 404, 409}
TROUBLES = {500: "bug", 501: "limits", 502: "failure", 503: "load", 504: "silence"}
# The pages cannot fail: no store is asked.
UNPROVEN = {
    (name, 500)
    for name in (
        *("getHealth", "getOpenapiJson", "getOpenapiYaml", "getDocs"),
        "redirectToDocs",
    )
}
# Where an example shows an error, this is the operation that answers just so.
SHOWN = {
    401: "listFacts",
    404: "getFact",
    409: "createDocument",
    413: "createFact",
    415: "createFact",
    422: "createFact",
    500: "searchFacts",
    501: "searchFacts",
    502: "searchFacts",
    503: "searchFacts",
    504: "searchFacts",
}
PAIRS = [
    pytest.param(op, status, id=f"{op.id}-{status}")
    for op in OPERATIONS
    for status, _ in responses(op)
    if (op.id, status) not in UNPROVEN
]


JSON = {"content-type": "application/json"}
BOB = b'{"user_id": "bob", "messages": [{"role": "user", "content": "hello"}]}'
REQUESTS: dict[int, dict[str, Any]] = {
    304: {"headers": {"If-None-Match": "*"}},
    413: {"content": b'{"content": "%s"}' % (b"x" * 2**20), "headers": JSON},
    415: {"content": b"<a/>", "headers": {"content-type": "text/xml"}},
}
"""What makes a request of an example's that is answered so, whatever it is for."""


def provoke(world: World, operation: Operation, status: int) -> httpx.Response:
    """Send what is answered with a status by a server that is in the right state."""
    names = {p["name"] for p in operation.parameters}
    options = REQUESTS.get(status, {})
    if status == 404:
        world.ids = {name: "42" for name in names if name != "user_id"}
    if status == 422 and request_body(operation):
        options = {"content": b"{}", "headers": JSON}
    elif status == 422:
        options = {"params": {"unknown": "1"}}
    if status in {200, 204, 409} and operation in STORE_OPERATIONS:
        world.create()
    if (operation.id, status) == ("addMessages", 409):
        options = {"content": BOB, "headers": JSON}
    switches = {name for name in names if SWITCHES.get(name) == status}
    return world.send(operation, switches, **options)


class Clients(dict[str, Api]):
    """A client of each server, since to make one takes longer than a request."""

    def __missing__(self, url: str) -> Api:
        self[url] = Api(base_url=url)
        return self[url]


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    for client in made.values():
        client.close()


@pytest.fixture
def server_for(request: pytest.FixtureRequest, status: int) -> Server:
    """The server that is in the right state."""
    if status >= 500:
        server: Server = request.getfixturevalue("troubled")
        (server.directory / "trouble").write_text(TROUBLES[status])
        return server
    return request.getfixturevalue("locked" if status == 401 else "server")


@pytest.mark.parametrize(("operation", "status"), PAIRS)
def test_a_declared_status_is_answered(
    clients: Clients, server_for: Server, operation: Operation, status: int
) -> None:
    api = clients[server_for.url]
    if status in MADE_BY_WHAT_IS_STORED:
        for path in ("facts", "history/sessions", "documents", "graph"):
            api.delete(f"/v1/{path}")
    answer = provoke(World(api), operation, status)
    assert answer.status_code == status, answer.text
    if status < 400:
        return
    body = answer.json()
    assert list(body) == ["error", "detail", "provider", "operation"]
    assert SECRET not in answer.text
    assert not re.search(r"Traceback|\.py\b", answer.text)
    if SHOWN[status] == operation.id:
        response = dict(responses(operation))[status]
        examples = response["content"]["application/json"]["examples"].values()
        assert body in [example["value"] for example in examples]


def test_every_error_example_is_shown_by_an_operation() -> None:
    pairs = {(pair.values[0].id, pair.values[1]) for pair in PAIRS}
    assert {(name, status) for status, name in SHOWN.items()} <= pairs
    assert {status for _, status in pairs if status >= 400} == SHOWN.keys()


@pytest.mark.parametrize(
    "operation",
    [op for op in STORE_OPERATIONS if op.spec["tags"] == ["graph"]],
    ids=lambda op: op.id,
)
def test_a_store_that_was_left_out_is_501(
    partial: Server, operation: Operation
) -> None:
    component = SPEC["components"]["responses"]["NotImplemented"]
    examples = component["content"]["application/json"]["examples"]
    with Api(base_url=partial.url) as api:
        answer: Any = World(api).send(operation)
    assert answer.status_code == 501
    assert answer.json() == examples["notConfigured"]["value"]
