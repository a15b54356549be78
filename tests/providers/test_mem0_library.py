"""What is particular to Mem0's library: its traps and its vector stores."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from memio.embedding import make_embedder
from memio.exceptions import NotSupportedError, SetupError
from memio.providers.mem0 import Mem0FactAdapter, Mem0Settings, library
from memio.registry import BuildContext, Choice


@pytest.fixture(autouse=True)
def _no_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@asynccontextmanager
async def opened(store: Mem0FactAdapter) -> AsyncIterator[Mem0FactAdapter]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def in_library(path: Path, *, dim: int = 64, **config: Any) -> Mem0FactAdapter:
    embedder = make_embedder("hash", {"dim": dim})
    await embedder.open()
    return Mem0FactAdapter(config=config, embedder=embedder, data_dir=path)


async def test_the_library_reports_nothing_and_stays_in_the_data_directory(
    tmp_path: Path,
) -> None:
    async with opened(await in_library(tmp_path)) as store:
        await store.add(content="harbour", user_id="alice")
        from mem0.memory import telemetry  # noqa: PLC0415 (after its switch is set)

        assert telemetry.MEM0_TELEMETRY is False
        assert os.environ["MEM0_TELEMETRY"] == "False"
    assert (tmp_path / "mem0" / "history.db").exists()
    assert (tmp_path / "mem0" / "qdrant").is_dir()


async def test_opening_the_library_does_not_hold_the_event_loop(tmp_path: Path) -> None:
    store, longest, last = await in_library(tmp_path), 0.0, time.monotonic()
    opening = asyncio.create_task(store.open())
    while not opening.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await opening
    await store.close()
    assert longest < 1.5


async def test_another_dimension_is_refused(tmp_path: Path) -> None:
    config = {"vector_store": {"config": {"embedding_model_dims": 1536}}}
    store = await in_library(tmp_path, **config)
    with pytest.raises(SetupError, match="have 64 values"):
        await store.open()


async def test_another_embedders_vectors_are_refused(tmp_path: Path) -> None:
    async with opened(await in_library(tmp_path)) as store:
        await store.add(content="harbour", user_id="alice")
    store = await in_library(tmp_path)
    store._service._embedder.fingerprint = "other:64"
    with pytest.raises(SetupError, match="collection_name"):
        await store.open()


@pytest.mark.parametrize("provider", ["faiss", "qdrant"])
async def test_one_process_at_a_time_has_an_embedded_vector_store(
    tmp_path: Path, provider: str
) -> None:
    config = {"vector_store": {"provider": provider}}
    async with opened(await in_library(tmp_path, **config)):
        second = await in_library(tmp_path, **config)
        with pytest.raises(SetupError, match="Another process"):
            await second.open()
    async with opened(second):
        await second.ping()


def test_several_workers_need_a_vector_store_that_is_a_server(tmp_path: Path) -> None:
    embedding = Choice("hash", {})
    context = BuildContext(data_dir=tmp_path, embedding=embedding, workers=2)
    with pytest.raises(SetupError, match="workers: 1"):
        Mem0FactAdapter.from_config(Mem0Settings(), context)
    server = {"provider": "qdrant", "config": {"host": "q", "port": 6333}}
    Mem0FactAdapter.from_config(Mem0Settings(vector_store=server), context)


async def test_a_refused_configuration_is_told_without_its_secrets(
    tmp_path: Path,
) -> None:
    options = {"provider": "qdrant", "config": {"api_key": "sk-secret", "colection": 1}}
    store = await in_library(tmp_path, vector_store=options)
    with pytest.raises(SetupError, match="colection") as caught:
        await store.open()
    assert "secret" not in str(caught.value)


async def test_facts_of_other_programs_are_seen_in_their_scope(tmp_path: Path) -> None:
    async with opened(await in_library(tmp_path)) as store:
        memory = store._service._memory
        await store._service._run(
            lambda: memory.add(
                "harbour lantern", user_id="alice", metadata={"a": 1}, infer=False
            )
        )
        (fact,) = await store.get_all(user_id="alice", filters={"a": 1})
        assert (fact.content, fact.metadata) == ("harbour lantern", {"a": 1})
        assert await store.get(fact_id=fact.id) == fact
        (found,) = await store.search(query="lantern", user_id="alice")
        assert found.id == fact.id
        changed = await store.update(fact_id=fact.id, content="lantern")
        assert (changed.metadata, changed.user_id) == ({"a": 1}, "alice")
        assert await store.delete_all(user_id="alice") == 1


async def test_facts_of_other_programs_keep_their_dates(tmp_path: Path) -> None:
    async with opened(await in_library(tmp_path)) as store:
        memory = store._service._memory
        before = datetime.now(UTC)
        added = await store._service._run(
            lambda: memory.add("harbour", user_id="alice", infer=False)
        )
        told = await store._service._run(
            lambda: memory.get(added["results"][0]["id"])["created_at"]
        )
        (fact,) = await store.get_all(user_id="alice")
        assert before <= fact.created_at <= datetime.now(UTC)
        assert fact.created_at == datetime.fromisoformat(told)


async def test_scopes_too_large_to_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "MOST_READ", 5)
    async with opened(await in_library(tmp_path)) as store:
        for n in range(5):
            await store.add(content=f"row {n}", user_id="alice")
        with pytest.raises(NotSupportedError, match="5 facts or more"):
            await store.get_all(user_id="alice")


@pytest.mark.parametrize("provider", ["chroma", "faiss", "qdrant"])
async def test_no_default_of_mem0s_hides_facts(tmp_path: Path, provider: str) -> None:
    """Mem0 lists and finds 20 by default, and none that are alike by less than 0.1."""
    config = {"vector_store": {"provider": provider}}
    async with opened(await in_library(tmp_path, **config)) as store:
        for n in range(25):
            await store.add(content=f"lantern number {n}", user_id="alice")
        assert len(await store.get_all(user_id="alice")) == 25
        found = await store.search(query="lantern", user_id="alice", limit=25)
        assert len(found) == 25
        assert all(0 <= fact.score <= 1 for fact in found)
        weak = await store.search(query="an unrelated question", limit=25)
        assert weak
        assert provider != "qdrant" or min(fact.score for fact in weak) < 0.1


@pytest.mark.parametrize("provider", ["chroma", "faiss", "qdrant"])
async def test_other_peoples_facts_do_not_starve_a_search(
    tmp_path: Path, provider: str
) -> None:
    config = {"vector_store": {"provider": provider}}
    async with opened(await in_library(tmp_path, **config)) as store:
        for _ in range(130):
            await store.add(content="lantern", user_id="bob")
        mine = await store.add(content="lantern of the harbour", user_id="alice")
        (found,) = await store.search(query="lantern", user_id="alice", limit=1)
        assert found.id == mine.id


async def test_what_is_updated_and_gone_is_not_found(tmp_path: Path) -> None:
    async with opened(await in_library(tmp_path)) as store:
        fact = await store.add(content="lantern", user_id="alice")
        row = await store._service.find(fact.id)
        await store.delete(fact_id=fact.id)
        assert await store._service.replace(row, row) is False


async def test_half_written_faiss_files_are_refused(tmp_path: Path) -> None:
    config = {"vector_store": {"provider": "faiss"}}
    async with opened(await in_library(tmp_path, **config)) as store:
        await store.add(content="lantern", user_id="alice")
    (written,) = (tmp_path / "mem0" / "faiss").glob("*.json")
    written.write_bytes(written.read_bytes()[:50])
    store = await in_library(tmp_path, **config)
    with pytest.raises(SetupError, match="do not belong together"):
        await store.open()


async def test_a_deletion_that_is_cancelled_stops_and_lets_others_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_MOST_DROPPED", 2)
    async with opened(await in_library(tmp_path)) as store:
        for n in range(60):
            await store.add(content=f"row {n}", user_id="alice")
        deleting = asyncio.create_task(store.delete_all(user_id="alice"))
        while len(await store.get_all(user_id="alice")) == 60:
            assert not deleting.done()
        deleting.cancel()
        await asyncio.wait([deleting])
        left = len(await store.get_all(user_id="alice"))
        assert 0 < left < 60
        await asyncio.sleep(0.1)
        assert len(await store.get_all(user_id="alice")) == left


async def test_closing_does_not_wait_for_a_call_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_PATIENCE", 0.05)
    store = await in_library(tmp_path)
    await store.open()
    running = store._service._thread.submit(lambda: time.sleep(0.5))
    await store.close()
    assert not running.done()
    second = await in_library(tmp_path)
    with pytest.raises(SetupError, match="Another process"):
        await second.open()  # what hangs may still write
    await asyncio.to_thread(running.result)
    await asyncio.sleep(0.2)
    async with opened(second):
        await second.ping()
