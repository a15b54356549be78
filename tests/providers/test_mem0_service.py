"""What is particular to Mem0's hosted service: its wire format and its failures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from memio.exceptions import (
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
    SetupError,
)
from memio.providers.mem0 import Mem0FactAdapter, service
from tests.standins.faults import FAULTS, LATE, REFUSED, breakable, faulty
from tests.standins.mem0 import Mem0Standin
from tests.standins.service import serving


@pytest.fixture
def mem0(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mem0Standin]:
    monkeypatch.setattr(service, "FIRST_PAUSE", 0.001)
    standin = Mem0Standin()
    with serving(standin) as standin.url:
        yield standin


@asynccontextmanager
async def opened(store: Mem0FactAdapter) -> AsyncIterator[Mem0FactAdapter]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def in_service(url: str, path: Path, **config: Any) -> Mem0FactAdapter:
    return Mem0FactAdapter(
        api_key=Mem0Standin.KEY, config={"host": url, **config}, data_dir=path
    )


async def test_the_service_is_waited_for(mem0: Mem0Standin, tmp_path: Path) -> None:
    mem0.delay = 0.3
    async with opened(in_service(mem0.url, tmp_path)) as store:
        fact = await store.add(content="likes coffee", user_id="alice")
        assert fact.content == "Noted: likes coffee"
        assert list(await store.get_all(user_id="alice")) == [fact]


async def test_what_the_service_finds_nothing_in_is_stored_as_it_is_and_once(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    async with opened(in_service(mem0.url, tmp_path)) as store:
        added = [await store.add(content="tea", user_id="alice") for _ in range(3)]
        assert [fact.content for fact in added] == ["Noted: tea", "tea", "tea"]
        assert added[1] == added[2]
        assert len(await store.get_all(user_id="alice")) == 2


async def test_a_service_that_takes_too_long_is_a_timeout(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    mem0.delay = 60
    async with opened(in_service(mem0.url, tmp_path, timeout=0.5)) as store:
        with pytest.raises(ProviderTimeoutError):
            await store.add(content="likes coffee", user_id="alice")


async def test_requests_are_those_that_mem0_documents(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    requests = mem0.requests
    async with opened(in_service(mem0.url, tmp_path)) as store:
        requests.clear()
        await store.add(content="tea", user_id="a b", agent_id="bot")
        method, path, body = requests[0]
        assert (method, path) == ("POST", "/v3/memories/add/")
        assert body["messages"] == [{"role": "user", "content": "tea"}]
        assert body["user_id"] == "a%20b"
        assert "agent_id" not in body
        requests.clear()
        await store.get_all(user_id="a b")
        await store.search(query="tea", user_id="a b", limit=3)
        listed, searched = requests
        assert listed[:2] == ("POST", "/v3/memories/?page=1&page_size=100")
        assert listed[2] == {"filters": {"AND": [{"user_id": "a%20b"}]}}
        assert searched[1] == "/v3/memories/search/"
        assert (searched[2]["top_k"], searched[2]["threshold"]) == (3, 0.0)


async def test_the_service_keeps_scopes_apart_and_metadata_whole(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    async with opened(in_service(mem0.url, tmp_path, infer=False)) as store:
        scopes = [("u", "a"), ("u", None), (None, "a"), (None, None), ("v", "a")]
        for user, agent in scopes:
            await store.add(
                content="tea", user_id=user, agent_id=agent, metadata={"n": [1, None]}
            )

        async def listed(**scope: str) -> list[tuple[str | None, str | None]]:
            facts = await store.get_all(**scope)
            return [(fact.user_id, fact.agent_id) for fact in facts][::-1]

        assert await listed() == scopes
        assert await listed(user_id="u") == scopes[:2]
        assert await listed(agent_id="a") == [scopes[0], scopes[2], scopes[4]]
        assert await listed(user_id="u", agent_id="a") == scopes[:1]
        (fact,) = await store.search(query="tea", user_id="v")
        changed = await store.update(fact_id=fact.id, content="tea and milk")
        assert (changed.agent_id, changed.metadata) == ("a", {"n": [1, None]})
        assert await store.get(fact_id=fact.id) == changed
        assert await listed(user_id="v", agent_id="a") == scopes[4:]
        assert await store.delete_all(agent_id="a") == 3
        assert await listed() == [scopes[1], scopes[3]]


async def test_the_services_pages_are_all_read(
    mem0: Mem0Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_PAGE", 2)
    async with opened(in_service(mem0.url, tmp_path, infer=False)) as store:
        facts = [await store.add(content=f"{n}", user_id="alice") for n in range(5)]
        assert list(await store.get_all(user_id="alice")) == facts[::-1]


@pytest.mark.parametrize("fact_id", [".", "..", "", "a/b", "%2e"])
async def test_no_id_means_all_memories_of_the_service(
    mem0: Mem0Standin, tmp_path: Path, fact_id: str
) -> None:
    async with opened(in_service(mem0.url, tmp_path, infer=False)) as store:
        await store.add(content="tea", user_id="alice")
        for call in (store.get, store.delete):
            with pytest.raises(NotFoundError):
                await call(fact_id=fact_id)
        assert len(await store.get_all()) == 1


async def test_a_key_that_mem0_refuses_is_a_wrong_setting(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    store = Mem0FactAdapter(
        api_key="wrong-secret", config={"host": mem0.url}, data_dir=tmp_path
    )
    with pytest.raises(SetupError, match="api_key") as caught:
        await store.open()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", [*LATE, "500", "garbage", REFUSED])
async def test_a_service_that_fails_keeps_it_from_opening(
    tmp_path: Path, kind: str
) -> None:
    with faulty(kind) as url:
        store = in_service(url, tmp_path, timeout=1)
        started = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            await store.open()
        assert time.monotonic() - started < 5
        assert (caught.value.provider, caught.value.operation) == ("mem0", "open")


@pytest.mark.parametrize("kind", FAULTS)
async def test_every_failure_of_the_service_is_told(
    mem0: Mem0Standin, tmp_path: Path, kind: str
) -> None:
    with breakable(mem0.url) as proxy:
        async with opened(in_service(proxy.url, tmp_path, timeout=1)) as store:
            proxy.fault = kind
            calls = {
                "add": lambda: store.add(content="tea", user_id="alice"),
                "get_all": lambda: store.get_all(user_id="alice"),
                "search": lambda: store.search(query="tea"),
                "delete_all": store.delete_all,
                "ping": store.ping,
            }
            for operation, call in calls.items():
                started = time.monotonic()
                with pytest.raises(ProviderError) as caught:
                    await call()
                assert time.monotonic() - started < 5
                assert caught.value.provider == "mem0"
                assert caught.value.operation == operation
                assert isinstance(caught.value, ProviderTimeoutError) is (kind in LATE)


async def test_reads_are_repeated_and_writes_are_not(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    with breakable(mem0.url) as proxy:
        async with opened(in_service(proxy.url, tmp_path, infer=False)) as store:
            fact = await store.add(content="tea", user_id="alice")

            async def through_a_fault(call: Awaitable[Any]) -> Any:
                proxy.fault = "503"
                asyncio.get_running_loop().call_later(
                    0.04, lambda: setattr(proxy, "fault", None)
                )
                return await call

            assert await through_a_fault(store.get(fact_id=fact.id)) == fact
            listed = await through_a_fault(store.get_all(user_id="alice"))
            assert list(listed) == [fact]
            with pytest.raises(ProviderError):
                await through_a_fault(store.add(content="tea", user_id="alice"))
            await asyncio.sleep(0.1)
            assert len(await store.get_all(user_id="alice")) == 1


async def test_what_is_updated_and_gone_is_not_found(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    async with opened(in_service(mem0.url, tmp_path, infer=False)) as store:
        fact = await store.add(content="tea", user_id="alice")
        row = await store._service.find(fact.id)
        await store.delete(fact_id=fact.id)
        assert await store._service.replace(row, row) is False


async def test_what_the_service_could_not_process_is_told(
    mem0: Mem0Standin, tmp_path: Path
) -> None:
    mem0.fails = True
    async with opened(in_service(mem0.url, tmp_path, infer=False)) as store:
        with pytest.raises(ProviderError) as caught:
            await store.add(content="tea", user_id="alice")
        assert caught.value.operation == "add"
