"""What the embedded stores leave out for speed changes nothing that is promised."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.exceptions import ConflictError
from memio.models import Message
from memio.providers.local import (
    LocalDatabase,
    LocalDocumentAdapter,
    LocalFactAdapter,
    LocalHistoryAdapter,
    cache,
    loaded,
    search,
)
from memio.providers.local.writer import Writer
from memio.retrieval.terms import pack


@pytest.fixture
async def facts(tmp_path):
    embedder = make_embedder("hash", {"dim": 32})
    await embedder.open()
    store = LocalFactAdapter(LocalDatabase(tmp_path / "memio.db", embedder))
    await store.open()
    yield store
    await store.close()


async def test_what_a_create_returns_is_what_is_read(facts):
    given = {"content": "x", "agent_id": "a", "metadata": {"n": 2**70, "k": None}}
    fact = await facts.add(**given)
    assert fact == await facts.get(fact_id=fact.id)


async def test_one_refused_document_leaves_those_written_with_it(tmp_path):
    embedder = make_embedder("hash", {"dim": 32})
    await embedder.open()
    store = LocalDocumentAdapter(LocalDatabase(tmp_path / "memio.db", embedder))
    await store.open()
    names = ["a", "b", "a", "c", "b"]
    results = await asyncio.gather(
        *(store.add(content=f"text {name}", doc_id=name) for name in names),
        return_exceptions=True,
    )
    refused = [isinstance(result, ConflictError) for result in results]
    assert refused == [False, False, True, False, True]
    assert {document.id for document in await store.get_all()} == {"a", "b", "c"}
    await store.close()


async def test_a_large_scope_is_searched_as_a_small_one(facts, monkeypatch):
    for number in range(30):
        await facts.add(content=f"puffin number {number} nests", user_id="ann")
    asked = {"query": "which puffin is number 7", "user_id": "ann", "limit": 5}
    here = await facts.search(**asked)
    assert here[0].content == "puffin number 7 nests"
    monkeypatch.setattr(cache, "SMALL", -1)
    monkeypatch.setattr(search, "SMALL", -1)
    monkeypatch.setattr(search, "_FEW_CANDIDATES", -1)
    monkeypatch.setattr(loaded, "_BATCH", 4)
    facts._db.cache.clear()
    assert await facts.search(**asked) == here
    await facts.add(content="a puffin that no one counted", user_id="ann")
    in_a_thread = await facts.search(**asked)
    assert in_a_thread[0].id == here[0].id


@pytest.mark.parametrize("few", [-1, 8, 1000])
@pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
async def test_a_filter_that_lets_few_by_finds_them(facts, monkeypatch, mode, few):
    monkeypatch.setattr(search, "_FEW_CANDIDATES", few)
    for number in range(60):
        text = f"puffin {'nests ' * (number % 7)}on rock {number}"
        metadata = {"rare": number % 20 == 0, "odd": number % 2 == 1}
        await facts.add(content=text, user_id="ann", metadata=metadata)
    await facts.add(content="puffin nests", user_id="bob", metadata={"rare": True})
    asked = {"query": "puffin nests", "user_id": "ann", "mode": mode}
    every = await facts.search(**asked, limit=100)
    assert len(every) == 60
    for filters, limit in (
        ({"rare": True}, 2),
        ({"rare": True}, 9),
        ({"odd": True}, 5),
    ):
        (key,) = filters
        meant = [fact for fact in every if fact.metadata[key]][:limit]
        assert await facts.search(**asked, filters=filters, limit=limit) == meant
        least = meant[1].score
        found = await facts.search(
            **asked, filters=filters, limit=limit, min_score=least
        )
        assert found == [fact for fact in meant if fact.score >= least]


async def test_what_was_deleted_or_changed_often_leaves_no_trace(facts, monkeypatch):
    monkeypatch.setattr(loaded, "_FEW_REMOVED", 2)
    stored = [
        await facts.add(content=f"lantern {word}", user_id="ann")
        for word in ("granite", "harbour", "melon", "puffin")
    ]
    for turn in range(6):
        content = f"lantern saddle {turn}"
        await facts.update(fact_id=stored[0].id, content=content)
        await facts.delete(fact_id=stored[turn % 3 + 1].id) if turn < 3 else None
        for mode in ("hybrid", "keyword"):
            found = await facts.search(query="granite saddle", mode=mode)
            assert found[0].content == content
    assert len(await facts.search(query="lantern", mode="keyword")) == 1


async def test_a_read_that_must_wait_does_not_hold_up_the_others(tmp_path):
    embedder = make_embedder("hash", {"dim": 32})
    await embedder.open()
    db = LocalDatabase(tmp_path / "memio.db", embedder)
    db.open()
    waited: list[str] = []

    def work(_: sqlite3.Connection) -> str:
        waited.append(threading.current_thread().name)
        if len(waited) == 1:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy
        return "read"

    assert await db.read("get", work, is_short=True) == "read"
    assert waited[0] == threading.main_thread().name != waited[1]
    db.close()


async def test_what_a_deleted_session_said_colours_no_later_one(tmp_path, monkeypatch):
    embedder = make_embedder("hash", {"dim": 32})
    await embedder.open()
    store = LocalHistoryAdapter(LocalDatabase(tmp_path / "memio.db", embedder))
    await store.open()
    await store.add(session_id="s", messages=[Message("user", "secret puffins")])
    embed = store._embed

    async def delete_meanwhile(*texts):
        if texts[0].previous:
            await store.delete(session_id="s")
        return await embed(*texts)

    monkeypatch.setattr(store, "_embed", delete_meanwhile)
    await store.add(session_id="s", messages=[Message("user", "a lantern")])
    found = await store.search(session_id="s", query="secret puffins")
    assert [message.content for message in found] == ["a lantern"]
    with closing(sqlite3.connect(tmp_path / "memio.db")) as conn:
        (terms,) = conn.execute("SELECT terms FROM messages_index").fetchone()
    assert terms == pack("user: a lantern")
    await store.close()


@pytest.mark.parametrize("error", [sqlite3.IntegrityError, ValueError])
async def test_a_job_that_fails_half_way_leaves_no_trace(tmp_path: Path, error):
    path = tmp_path / "jobs.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    conn.close()
    writer = Writer(lambda: sqlite3.connect(path, isolation_level=None))

    def insert(*numbers: int):
        def work(conn: sqlite3.Connection) -> int:
            for number in numbers:
                if number < 0:
                    raise error("stop")
                conn.execute("INSERT INTO t VALUES (?)", (number,))
            return len(numbers)

        return work

    jobs = [insert(1), insert(2, 3, -1), insert(-1), insert(4), insert(1), insert(5, 6)]
    results = await asyncio.gather(*map(writer.submit, jobs), return_exceptions=True)
    assert [type(result) for result in results] == [
        int, error, error, int, sqlite3.IntegrityError, int
    ]  # fmt: skip
    writer.close()
    with sqlite3.connect(path) as conn:
        stored = [n for (n,) in conn.execute("SELECT n FROM t ORDER BY n")]
    conn.close()
    assert stored == [1, 4, 5, 6]
