"""Who is let in, what of a request is looked at before that, and what is kept quiet."""

from __future__ import annotations

import hmac
import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from memio.server import auth
from memio.server.auth import BearerSecurity
from memio.server.errors import HttpError
from memio.server.scope import HEADERS
from tests.contract import OPERATIONS, Api, Operation, error_of
from tests.serving import Server

KEYS = ("first-key-4f7c", "second key", "dritter-schlüssel")
OPEN = {
    *("getHealth", "getReadiness", "getDocs"),
    *("getOpenapiJson", "getOpenapiYaml", "redirectToDocs"),
}
ASSETS = ("docs.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three keys."""
    with Server(
        tmp_path_factory.mktemp("locked"),
        "embedding: {provider: hash}",
        {"MEMIO_API_KEY": ",".join(KEYS)},
    ) as running:
        yield running


@pytest.fixture
def stranger(locked: Server) -> Iterator[Api]:
    """A client without a key."""
    with Api(base_url=locked.url) as client:
        yield client


def assert_refused(answer: httpx.Response) -> None:
    assert error_of(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert list(answer.json()) == ["error", "detail", "provider", "operation"]
    assert not any(key in answer.text for key in KEYS)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"Bearer",
        KEYS[0].encode(),
        b"Basic " + KEYS[0].encode(),
        b"Token " + KEYS[0].encode(),
        b"Bearer wrong",
        b"Bearer " + KEYS[0][:-1].encode(),
        b"Bearer " + KEYS[0].encode() + b"x",
        b"Bearer " + KEYS[0].upper().encode(),
        b"Bearer " + ",".join(KEYS).encode(),
        b"Bearer second",
        b"Bearer \xff\xfe\x80",
        b"Bearer \xf0\x9f\x94\x91",
        b"Bearer " + KEYS[2].encode("latin-1"),
        b"Bearer " + b"x" * 50_000,
    ],
)
def test_whoever_has_no_key_is_refused(
    stranger: Api, authorization: bytes | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert_refused(stranger.get("/v1/facts", headers=headers))
    assert_refused(stranger.post("/v1/facts", json={"content": "x"}, headers=headers))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_every_key_opens_whatever_the_case_of_the_scheme(
    stranger: Api, key: str, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {key}".encode()}
    assert stranger.get("/v1/facts", headers=headers).status_code == 200


def call(client: Api, operation: Operation) -> httpx.Response:
    path = operation.template.replace("{", "some-").replace("}", "")
    body = {"json": {}} if "requestBody" in operation.spec else {}
    return client.request(operation.method, path, **body)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_an_operation_is_open_only_if_it_is_one_of_six(
    stranger: Api, operation: Operation
) -> None:
    answer = call(stranger, operation)
    if operation.id in OPEN:
        assert answer.status_code in {200, 307}
    else:
        assert_refused(answer)


def test_a_head_request_needs_the_key_too(stranger: Api) -> None:
    answer = stranger.head("/v1/facts")
    assert (answer.status_code, answer.content) == (401, b"")


def test_the_page_is_whole_without_a_key(stranger: Api) -> None:
    for name in ASSETS:
        with httpx.Client(base_url=stranger.base_url) as client:
            assert client.get(f"/docs/assets/{name}").status_code == 200
    for path in ("/docs/assets/../../auth.py", "/docs/assets/LICENSE", "/metrics"):
        assert error_of(stranger.get(path)) == (404, "not_found")


def test_the_contract_that_is_served_asks_for_the_key(stranger: Api) -> None:
    assert stranger.get("/openapi.json").json()["security"] == [{"bearerAuth": []}]


def test_the_key_goes_before_all_that_is_wrong_with_a_request(stranger: Api) -> None:
    text = {"Content-Type": "text/plain"}
    assert_refused(stranger.post("/v1/facts?x=1", content=b"{", headers=text))
    assert_refused(stranger.get("/v1/facts?limit=none"))
    assert_refused(stranger.get("/v1/facts/%00"))
    assert_refused(stranger.post("/v1/facts", content=b"x" * 3_000_000))
    assert error_of(stranger.patch("/v1/facts")) == (405, "method_not_allowed")
    assert error_of(stranger.get("/v1/nothing")) == (404, "not_found")


def resident(server: Server) -> int:
    """Return the memory that a server holds, in bytes."""
    assert server.process
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000000000", b"Transfer-Encoding: chunked"]
)
def test_a_body_that_never_ends_is_not_waited_for(
    locked: Server, framing: bytes
) -> None:
    head = b"POST /v1/facts HTTP/1.1\r\nHost: memio\r\n" + framing + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", locked.port), timeout=5) as client:
        begin = time.monotonic()
        client.sendall(head)
        answer = HTTPResponse(client)
        answer.begin()
        assert time.monotonic() - begin < 2
        assert answer.status == 401
        assert json.loads(answer.read())["error"] == "unauthorized"
        before = resident(locked)
        data = b"x" * 65536
        piece = data if b"Length" in framing else b"10000\r\n" + data + b"\r\n"
        try:
            for _ in range(500):
                client.sendall(piece)
        except OSError:  # it may hang up, or stop reading
            pass
        assert resident(locked) - before < 10 * 2**20
    assert httpx.get(f"{locked.url}/health").status_code == 200


@pytest.mark.parametrize("token", ["a", "c", "nobody"])
def test_every_key_is_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    compared = []

    def compare(key: bytes, given: bytes) -> bool:
        compared.append((key, given))
        return hmac.compare_digest(key, given)

    async def app(*_: object) -> None: ...

    monkeypatch.setattr(auth, "compare_digest", compare)
    security = BearerSecurity(app, keys=("a", "b", "c"))
    scope = {HEADERS: {b"authorization": f"Bearer {token}".encode()}}
    with pytest.raises(HttpError) if token == "nobody" else nullcontext():
        security._check(scope)
    assert compared == [(key, token.encode()) for key in (b"a", b"b", b"c")]


SECRET = "hunter2"


def secret(name: str) -> str:
    return f"{SECRET}-{name}"


@contextmanager
def talkative(directory: Path, log_format: str) -> Iterator[Server]:
    config = f"""
server: {{log_format: {log_format}, log_level: debug, body_limit: 10000}}
auth: {{api_key: ["{secret("key")}", "{secret("other-key")}"]}}
embedding: {{provider: hash}}
"""
    with Server(directory, config) as server:
        yield server


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_log_tells_no_key_no_content_and_no_id(
    tmp_path: Path, log_format: str
) -> None:
    with talkative(tmp_path, log_format) as server:
        headers = {
            "Authorization": f"Bearer {secret('key')}",
            "Cookie": secret("cookie"),
            "X-Api-Key": secret("header"),
            "X-Request-ID": f"={secret('request id')}",
            "User-Agent": secret("agent"),
        }
        with Api(base_url=server.url, headers=headers) as api:
            statuses = {answer.status_code for answer in every_outcome(api, server)}
        assert statuses == {200, 201, 204, 401, 404, 405, 409, 413, 415, 422, 502}
        send_garbage(server.port)
        assert server.stop() == 0
    for status in statuses:
        shown = f'"status":{status}' if log_format == "json" else f"status={status}"
        assert shown in server.log
    assert "request failed" in server.log
    assert SECRET not in server.log
    if log_format == "json":
        for line in server.log.splitlines():
            assert isinstance(json.loads(line), dict)


def every_outcome(api: Api, server: Server) -> Iterator[httpx.Response]:
    """Have a server answer in every way, to requests that are full of secrets."""
    metadata = {secret("field"): secret("value")}
    fact = {
        "content": secret("content"),
        "user_id": secret("user"),
        "agent_id": secret("agent"),
        "metadata": metadata,
    }
    made = api.post("/v1/facts", json=fact)
    yield made
    yield api.get(f"/v1/facts/{made.json()['id']}")
    yield api.get("/v1/facts", params={"user_id": secret("user")})
    yield api.post("/v1/facts/search", json={"query": secret("query")})
    yield api.delete("/v1/facts", params={"user_id": secret("user")})
    yield api.get(f"/v1/facts/{secret('id')}")
    yield api.put(f"/v1/facts/{secret('id')}", json={"content": secret("content")})
    yield api.get(f"/{secret('path')}")
    yield api.patch(f"/v1/facts/{secret('id')}")
    yield api.get("/v1/facts", params={secret("parameter"): secret("value")})
    yield api.get("/v1/facts", params={"cursor": secret("cursor")})
    yield api.get("/v1/documents", params={"filters": f'{{"$x": "{secret("f")}"}}'})
    yield api.post("/v1/facts", json={secret("field"): secret("value")})
    yield api.post("/v1/facts", content=f'{{"{secret("broken")}'.encode())
    yield api.post("/v1/facts", content=secret("large").encode() * 2000)
    text = {"Content-Type": f"text/{secret('type')}"}
    yield api.post("/v1/facts", content=secret("text").encode(), headers=text)
    wrong = {"Authorization": f"Bearer {secret('wrong')}"}
    yield api.post("/v1/facts", json=fact, headers=wrong)
    document = {"content": secret("document"), "doc_id": secret("doc_id")}
    yield api.post("/v1/documents", json=document)
    yield api.post("/v1/documents", json=document)
    path = f"/v1/history/sessions/{secret('session')}/messages"
    message = {"role": "user", "content": secret("said"), "name": secret("name")}
    yield api.post(path, json={"messages": [message]})
    yield api.get(f"/v1/graph/entities/{secret('entity')}")
    database = server.directory / "memio-data" / "memio.db"
    with closing(sqlite3.connect(database, timeout=30)) as conn:
        conn.execute("DROP TABLE facts_index")
    yield api.post("/v1/facts", json=fact)


def send_garbage(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(f"{SECRET} /{SECRET}\r\n{SECRET}: {SECRET}\r\n\r\n".encode())
        assert b"400" in client.recv(1000)
