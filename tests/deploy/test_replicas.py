"""Two servers on one PostgreSQL behind a proxy: what dies is not noticed for long."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from json import dumps
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract import SPEC, Api, find, validator
from tests.deploy.proxies import DEPLOY, Caddy, Nginx, Proxy, missing
from tests.durability.inspection import walk
from tests.postgres.server import Postgres
from tests.serving import Server

KEY = "open sesame"
AUTHORISED = {"Authorization": f"Bearer {KEY}"}
WRITERS = 12
RESUME_SECONDS = 5.0
ERROR = validator(SPEC["components"]["schemas"]["ErrorResponse"])


@dataclass
class Cluster:
    """PostgreSQL, two servers, and the proxy by which they are reached."""

    postgres: Postgres
    servers: list[Server]
    proxy: Proxy


@pytest.fixture(scope="module", params=[Nginx, Caddy], ids=["nginx", "caddy"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    kind: type[Any] = request.param
    if reason := missing(kind.PROGRAM):
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        environ = {"DATABASE_URL": postgres.dsn(), "MEMIO_API_KEY": KEY}
        config = (DEPLOY / "memio-server.yaml").read_text()
        servers = [
            stack.enter_context(Server(directory / name, config, environ))
            for name in ("one", "two")
        ]
        ports = [server.port for server in servers]
        proxy = stack.enter_context(kind(directory / "proxy", ports))
        yield Cluster(postgres, servers, proxy)


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """A cluster that is whole, and empty."""
    for server in running.servers:
        if not server.is_running:
            server.start()
    with Api(base_url=running.servers[0].url, headers=AUTHORISED) as api:
        for path in ("facts", "history/sessions", "documents", "graph"):
            assert api.delete(f"/v1/{path}").status_code == 204
    return running


@dataclass
class Journal:
    """What the servers said, and when.

    Attributes:
        acknowledged: The tokens of the writes that they owe.
        sent: The tokens of all writes.
        last: When a write was acknowledged last.
    """

    acknowledged: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    last: float = 0.0


def check_refusal(journal: Journal, answer: httpx.Response) -> None:
    """Note an answer that is no success; it must be an error of the contract."""
    request = answer.request
    operation = find(request.method, request.url.raw_path.decode().partition("?")[0])
    is_declared = operation and operation.response(answer.status_code)
    is_busy = answer.status_code == 503
    if (
        answer.status_code not in {502, 503, 504}
        or not is_declared
        or not ERROR.is_valid(answer.json())
        or (is_busy and "retry-after" not in answer.headers)
    ):
        journal.wrong.append(f"{request.method} {request.url}: {answer} {answer.text}")
    journal.errors[f"{answer.status_code} {answer.json()['error']}"] += 1


def requests(writer: int, token: str) -> dict[str, tuple[str, str, Any]]:
    """Return a write of every kind, each with a token that tells it from all others."""
    stored = {"content": f"note {token}", "metadata": {"token": token}}
    user = f"user-{writer}"
    triple = {
        "subject": user,
        "predicate": "noted",
        "object": token,
        "metadata": {"token": token},
    }
    said = {"messages": [{"role": "user", **stored}], "user_id": user}
    session = f"/v1/history/sessions/session-{writer}/messages"
    return {
        "fact": ("POST", "/v1/facts", {**stored, "user_id": user}),
        "document": ("POST", "/v1/documents", stored),
        "upsert": ("PUT", f"/v1/documents/{token}?upsert=true", stored),
        "message": ("POST", session, said),
        "triple": ("POST", "/v1/graph/triples", {"triples": [triple], "user_id": user}),
    }


async def write(client: httpx.AsyncClient, journal: Journal, writer: int) -> None:
    """Write something; if it is a fact, read it again by whichever server answers."""
    token = f"zq{random.getrandbits(64):016x}"
    kind, request = random.choice(list(requests(writer, token).items()))
    journal.sent.add(token)
    method, path, body = request
    answer = await client.request(method, path, json=body)
    if not answer.is_success:
        check_refusal(journal, answer)
        await asyncio.sleep(0.05)
        return
    journal.acknowledged.add(token)
    journal.last = time.monotonic()
    if kind == "fact":
        stored = answer.json()
        answer = await client.get(f"/v1/facts/{stored['id']}")
        if answer.is_success:
            assert answer.json() == stored
        else:
            check_refusal(journal, answer)


@asynccontextmanager
async def load(url: str, journal: Journal) -> AsyncIterator[None]:
    """Have writers write until the block ends; no connection of theirs may break."""
    stopped = asyncio.Event()

    async def run(client: httpx.AsyncClient, writer: int) -> None:
        while not (stopped.is_set() or journal.wrong):
            await write(client, journal, writer)

    async with (
        httpx.AsyncClient(base_url=url, headers=AUTHORISED, timeout=60) as client,
        asyncio.TaskGroup() as group,
    ):
        for writer in range(WRITERS):
            group.create_task(run(client, writer))
        yield
        stopped.set()


async def resumed(journal: Journal) -> float:
    """Wait until a write is acknowledged; return how many seconds that took."""
    begun = time.monotonic()
    while journal.last < begun:
        assert time.monotonic() - begun < RESUME_SECONDS, journal
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


def tokens_found(url: str) -> Counter[str]:
    """Return how often each token stands in what the servers have."""
    with Api(base_url=url, headers=AUTHORISED, timeout=60) as api:
        rows = [*walk(api, "/v1/facts"), *walk(api, "/v1/documents")]
        rows += walk(api, "/v1/graph/triples", "triples")
        for session in walk(api, "/v1/history/sessions", "sessions"):
            rows += walk(api, f"/v1/history/sessions/{session}/messages")
    return Counter(row["metadata"]["token"] for row in rows)


async def test_what_dies_costs_no_acknowledged_write(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = cluster.servers
    journal, took = Journal(), {}

    async def while_loaded(what: str, harm: Callable[[], object]) -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(harm)
        took[what] = await resumed(journal)

    async with load(cluster.proxy.url, journal):
        await while_loaded("a server was killed", one.kill)
        logged = len(one.log)
        await while_loaded("it was started again", one.start)
        await asyncio.sleep(2.5)  # by then the proxy tries it again
        await while_loaded(
            "PostgreSQL crashed", lambda: cluster.postgres.restart("immediate")
        )
        await while_loaded("PostgreSQL restarted", cluster.postgres.restart)
        await while_loaded("the other server was killed", two.kill)
        await asyncio.sleep(1)
    assert not journal.wrong
    assert '"route"' in one.log[logged:], "the server that came back serves again"
    assert "Traceback" not in one.log + two.log

    found = tokens_found(cluster.proxy.url)
    assert journal.acknowledged <= found.keys() <= journal.sent
    assert set(found.values()) == {1}
    landed = len(found) - len(journal.acknowledged)
    with capsys.disabled():
        print(
            f"\n{type(cluster.proxy).__name__}: {len(journal.acknowledged)} writes "
            f"acknowledged, 0 lost, 0 twice; refused: {dict(journal.errors)}, of which "
            f"{landed} had been carried out; seconds until the next acknowledged write "
            f"after { ({what: round(seconds, 2) for what, seconds in took.items()}) }"
        )


async def test_without_a_server_or_a_database_clients_are_told_to_come_again(
    cluster: Cluster,
) -> None:
    journal = Journal()
    async with httpx.AsyncClient(
        base_url=cluster.proxy.url, headers=AUTHORISED, timeout=60
    ) as client:
        cluster.postgres.stop()
        for method, path, body in requests(0, "zq1").values():
            answer = await client.request(method, path, json=body)
            assert answer.status_code == 503
            assert answer.json()["error"] == "overloaded"
            check_refusal(journal, answer)
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        for server in cluster.servers:
            server.kill()
        for method, path, body in requests(0, "zq2").values():
            answer = await client.request(method, path, json=body)
            assert "retry-after" in answer.headers
            check_refusal(journal, answer)
        cluster.postgres.start()
        for server in cluster.servers:
            server.start()
        begun = time.monotonic()
        while (await client.get("/health/ready")).status_code != 200:
            assert time.monotonic() - begun < RESUME_SECONDS
            await asyncio.sleep(0.1)
    assert not journal.wrong
    assert tokens_found(cluster.proxy.url) == {}


def test_the_proxy_changes_neither_requests_nor_answers(cluster: Cluster) -> None:
    with Api(base_url=cluster.proxy.url, headers=AUTHORISED) as api:
        for doc_id in ("a/b", "a//b", "%2F", "ü ?#&+", "x" * 200):
            path = f"/v1/documents/{quote(doc_id, safe='')}"
            stored = api.put(f"{path}?upsert=true", json={"content": "tea"})
            assert stored.status_code == 201, stored.text
            assert api.get(path).json()["id"] == doc_id
        assert api.get("/v1/facts/missing").status_code == 404
        assert api.post("/v1/facts", json={}).status_code == 422
        filters = dumps({"lang": "ü" * 4000}, ensure_ascii=False)
        found = api.get("/v1/facts", params={"filters": filters})
        assert found.json() == [], found.text
        for number in range(3):
            api.post("/v1/facts", json={"content": f"fact {number}"})
        page = api.get("/v1/facts?limit=2")
        assert len(api.get(page.links["next"]["url"]).json()) == 1
    mine = httpx.get(f"{cluster.proxy.url}/health", headers={"X-Request-ID": "mine"})
    assert mine.headers["x-request-id"] == "mine"
    large = httpx.post(
        f"{cluster.proxy.url}/v1/facts",
        headers={**AUTHORISED, "Content-Type": "application/json"},
        content=b'{"content": "' + b"x" * 2_000_000 + b'"}',
    )
    assert large.status_code == 413
    assert large.json()["error"] == "payload_too_large"
    ERROR.validate(large.json())
