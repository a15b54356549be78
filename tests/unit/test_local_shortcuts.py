"""What the embedded stores leave out for speed changes nothing that is promised."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.exceptions import ConflictError
from memio.providers.local import (
    LocalDatabase,
    LocalDocumentAdapter,
    LocalFactAdapter,
    search,
)
from memio.providers.local.writer import Writer

RARE = ("granite", "harbour", "lantern", "melon")


@pytest.fixture
async def facts(tmp_path):
    embedder = make_embedder("hash", {"dim": 32})
    await embedder.open()
    store = LocalFactAdapter(LocalDatabase(tmp_path / "memio.db", embedder))
    await store.open()
    yield store
    await store.close()


async def _fill(store: LocalFactAdapter, user: str, count: int) -> None:
    for number in range(count):
        text = f"common {RARE[number % len(RARE)]} number {number}"
        await store.add(content=text, user_id=user)


async def test_a_scope_of_nearly_all_rows_is_searched_as_any_other(facts, monkeypatch):
    await _fill(facts, "ann", 40)
    await _fill(facts, "bob", 3)
    asked = [
        {"query": query, "user_id": "ann", "limit": limit}
        for query in ("granite", "melon lantern", "number 7", "common")
        for limit in (1, 10)
    ]
    monkeypatch.setattr(search, "MOST_HITS", 1)
    found = [await facts.search(**each) for each in asked]
    monkeypatch.setattr(search, "FEW_OTHERS", -1.0)
    assert found == [await facts.search(**each) for each in asked]
    assert all(fact.user_id == "ann" for each in found for fact in each)


async def test_a_common_word_does_not_hide_a_rare_one(facts, monkeypatch):
    monkeypatch.setattr(search, "MANY_ROWS", 20)
    monkeypatch.setattr(search, "COMMON", 0.5)
    await _fill(facts, "ann", 40)
    best = await facts.search(query="common granite", user_id="ann", limit=10)
    assert all("granite" in fact.content for fact in best)
    monkeypatch.setattr(search, "MANY_ROWS", 1_000)
    slower = await facts.search(query="common granite", user_id="ann", limit=10)
    assert [fact.id for fact in best] == [fact.id for fact in slower]
    for one, other in zip(best, slower, strict=True):
        assert one.score == pytest.approx(other.score)
    assert len(await facts.search(query="common", user_id="ann", limit=40)) == 40


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
