"""Search where indexes matter, held against the exact answer and against `local`."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import numpy as np
import pytest

from memio.embedding import make_embedder
from memio.ids import uuid7
from memio.models import Message, Mode, Triple
from memio.providers.local import LocalDatabase, LocalFactAdapter
from memio.providers.postgres import (
    PostgresDatabase,
    PostgresDocumentAdapter,
    PostgresFactAdapter,
    PostgresGraphAdapter,
    PostgresHistoryAdapter,
    migrations,
)
from memio.providers.postgres.connection import Connection
from memio.providers.postgres.statements import MOST_EXACT
from memio.providers.postgres.tables import FACTS
from memio.providers.postgres.vectors import packed, teach
from memio.retrieval.scoring import prior

SHARES = {"tiny": 0.001, "some": 0.02, "half": 0.5}
"""Users, and marks in metadata, with the share of all rows that each of them holds."""

QUERIES = 20
DIM = 64


@dataclass
class World:
    """Rows whose vectors lie together in clusters, as those of texts do."""

    size: int
    schema: str = field(default_factory=lambda: f"test_{uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        random_ = np.random.default_rng(7)
        centres = random_.normal(size=(300, DIM))
        drawn = centres[random_.integers(len(centres), size=self.size + QUERIES)]
        drawn += random_.normal(scale=0.7, size=drawn.shape)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        self.rows, self.queries = np.split(drawn.astype(np.float32), [self.size])
        self.words = random_.integers(3, 60, size=self.size)
        self.priors = np.array([prior(int(words)) for words in self.words])
        choose = random.Random(7).choices
        names, weights = [*SHARES, "none"], [*SHARES.values(), 0.479]
        self.users = choose(names, weights, k=self.size)
        self.marks = choose(names, weights, k=self.size)

    def best(self, query: int, mode: Mode, *, user: str | None, mark: str | None):
        """Return the numbers of the ten best rows, by comparing with every one."""
        scores = self.rows @ self.queries[query]
        if mode == "hybrid":
            scores = scores + self.priors
        scores = np.where(self._meant(user, mark), scores, -9)
        return [f"row{n}" for n in np.argsort(-scores)[:10]]

    def count(self, *, user: str | None, mark: str | None) -> int:
        return int(self._meant(user, mark).sum())

    def _meant(self, user: str | None, mark: str | None) -> np.ndarray:
        is_theirs = user is None or np.array(self.users) == user
        return (
            np.ones(self.size, bool)
            & is_theirs
            & (mark is None or np.array(self.marks) == mark)
        )


class Numbered:
    """An embedder that takes a text for the number of a query."""

    fingerprint, dim, weight = "numbered", DIM, 0.65

    def __init__(self, world: World) -> None:
        self._queries = world.queries

    async def embed(self, texts: list[str]) -> np.ndarray:
        return self._queries[[int(text) for text in texts]]


async def fill(conn: Connection, world: World, embedder: Numbered) -> None:
    """Store the rows, and index their vectors afterwards, which is faster."""
    await migrations.replace_vectors(conn, FACTS, embedder)
    await teach(conn, await migrations.home_of_vectors(conn))
    await conn.execute("SET maintenance_work_mem = '512MB'")
    await conn.execute(
        "INSERT INTO facts (id, user_id, content, metadata, filterable, created_at,"
        " updated_at) SELECT id, user_id, 'row' || place - 1, mark, mark::jsonb, now(),"
        " now() FROM unnest($1::text[], $2::text[], $3::json[]) WITH ORDINALITY"
        " AS new (id, user_id, mark, place) ORDER BY place",
        [uuid7() for _ in world.rows],
        world.users,
        [json.dumps({"mark": mark}) for mark in world.marks],
    )
    await conn.execute(
        "INSERT INTO facts_parts (seq, part, user_id, words, who, lexemes, embedding)"
        " SELECT seq, 0, user_id, new.words, '',"
        " setweight(to_tsvector('words', content), 'A'), new.embedding"
        " FROM facts JOIN unnest($1::integer[], $2::vector[]) WITH ORDINALITY"
        " AS new (words, embedding, place) ON content = 'row' || place - 1",
        world.words.tolist(),
        [
            packed(row, worth)
            for row, worth in zip(world.rows, world.priors, strict=True)
        ],
    )
    await migrations.finish_vectors(conn, FACTS, embedder)
    await conn.execute("VACUUM (ANALYZE)")  # as autovacuum does after a while


@pytest.fixture(
    scope="module",
    params=[20_000, pytest.param(50_000, marks=pytest.mark.long)],
    ids="{:,} rows".format,
)
def world(request: pytest.FixtureRequest, postgres: str) -> Iterator[World]:
    world = World(request.param)

    async def prepare() -> None:
        embedder = Numbered(world)
        database = PostgresDatabase(postgres, embedder, schema=world.schema)
        store = PostgresFactAdapter(database)
        await store.open()
        async with database.administer() as conn:
            await fill(conn, world, embedder)
        await store.close()

    async def tidy() -> None:
        conn = await asyncpg.connect(postgres)
        await conn.execute(f"DROP SCHEMA IF EXISTS {world.schema} CASCADE")
        await conn.close()

    try:
        asyncio.run(prepare())
        yield world
    finally:
        asyncio.run(tidy())


@pytest.fixture
async def store(postgres: str, world: World):
    database = PostgresDatabase(postgres, Numbered(world), schema=world.schema)
    store = PostgresFactAdapter(database)
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
@pytest.mark.parametrize("mark", [None, *SHARES])
@pytest.mark.parametrize("user", [None, *SHARES])
async def test_the_ten_best_are_found(
    store: PostgresFactAdapter,
    world: World,
    user: str | None,
    mark: str | None,
    mode: Mode,
) -> None:
    filters = None if mark is None else {"mark": mark}
    there = world.count(user=user, mark=mark)
    found = 0
    for query in range(QUERIES):
        answer = await store.search(
            query=str(query), user_id=user, filters=filters, mode=mode
        )
        assert len(answer) == min(10, there)
        best = world.best(query, mode, user=user, mark=mark)[: len(answer)]
        found += len({fact.content for fact in answer} & set(best))
    assert found >= 0.99 * QUERIES * min(10, there)


class Explaining:
    """A connection that notes the plan of every statement before it runs it."""

    def __init__(self, conn: Connection, scans: list[tuple[str, str]]) -> None:
        self._conn, self._scans = conn, scans

    def __getattr__(self, name: str):
        return getattr(self._conn, name)

    async def fetch(self, sql: str, *values: object):
        return await self._explained("fetch", sql, values)

    async def fetchrow(self, sql: str, *values: object):
        return await self._explained("fetchrow", sql, values)

    async def fetchval(self, sql: str, *values: object):
        return await self._explained("fetchval", sql, values)

    async def execute(self, sql: str, *values: object):
        return await self._explained("execute", sql, values)

    async def _explained(self, how: str, sql: str, values: tuple[object, ...]):
        if sql.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            told = await self._conn.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values)
            self._note(json.loads(told)[0]["Plan"])
        return await getattr(self._conn, how)(sql, *values)

    def _note(self, node: dict) -> None:
        used = node.get("Index Name") or node.get("Relation Name") or ""
        self._scans.append((node["Node Type"], used))
        for inner in node.get("Plans", ()):
            self._note(inner)


def explained(store, setting: str = "SELECT 1") -> list[tuple[str, str]]:
    """Let a store note its plans: the scans, each with its index or table."""
    scans: list[tuple[str, str]] = []
    lend = store._db._connection

    @asynccontextmanager
    async def connection():
        async with lend() as conn:
            await conn.execute(setting)
            yield Explaining(conn, scans)

    store._db._connection = connection
    return scans


def scanned(scans: list[tuple[str, str]]) -> set[str]:
    """Return the tables that were read from end to end."""
    return {table for kind, table in scans if kind == "Seq Scan"}


async def test_the_indexes_serve_every_statement(
    store: PostgresFactAdapter, world: World
) -> None:
    scans = explained(store)
    # Half of a table is read whole with good reason, unless it is too much to compare.
    is_large = world.size * SHARES["half"] > MOST_EXACT * 1.1
    users = ("tiny", "some", "half") if is_large else ("tiny", "some")
    fact = await store.add(content="7", user_id="some", metadata={"mark": "new"})
    for filters in (None, {"mark": "tiny"}, {"mark": {"$in": ["tiny", "new"]}}):
        for user in users:
            await store.get_all(user_id=user, limit=10, filters=filters)
            await store.delete_all(user_id="nobody", filters=filters)
            for mode in ("keyword", "semantic", "hybrid"):
                await store.search(query="7", user_id=user, filters=filters, mode=mode)
    await store.get_all(limit=10)
    await store.get_all(limit=10, filters={"mark": "tiny"})
    await store.get(fact_id=fact.id)
    await store.update(fact_id=fact.id, content="8")
    await store.delete(fact_id=fact.id)
    assert scanned(scans) == set()
    used = {name for _, name in scans}
    assert {"facts_parts_lexemes", "facts_filterable"} <= used
    assert ("facts_nearest" in used) == is_large


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
async def test_everybodys_rows_are_searched_by_index(store, mode: Mode) -> None:
    scans = explained(store)
    await store.search(query="7", mode=mode)
    assert scanned(scans) == set()
    used = {name for _, name in scans}
    assert ("facts_nearest" in used) == (mode != "keyword")


@pytest.mark.parametrize(
    "kind", [PostgresHistoryAdapter, PostgresDocumentAdapter, PostgresGraphAdapter]
)
async def test_other_stores_have_indexes_too(connect, kind) -> None:
    """On tables as small as these a scan is cheaper, and so is forbidden."""
    store = await connect(kind)
    scans = explained(store, "SET enable_seqscan = off")
    if kind is PostgresGraphAdapter:
        await store.add(triples=[Triple("tea", "is", "hot")], user_id="ann")
        await store.get(entity="tea")
        await store.get(entity="hot", user_id="ann")
        await store.delete(entity="hot", user_id="ann")
    elif kind is PostgresDocumentAdapter:
        await store.add(content="hot tea", doc_id="tea", metadata={"a": 1})
        await store.get(doc_id="tea")
        await store.update(doc_id="tea", content="green tea")
        await store.upsert(doc_id="tea", content="hot tea")
        await store.get_all(filters={"a": 1})
        await store.search(query="hot tea")
        await store.delete_all(filters={"a": 1})
    else:
        await store.add(session_id="s", messages=[Message("user", "hi")], user_id="ann")
        await store.get(session_id="s")
        await store.search(query="hi", session_id="s")
        await store.delete(session_id="s")
        await store.delete_all(user_id="ann")
    if kind is not PostgresDocumentAdapter:
        await store.get_all(user_id="ann")
        await store.search(query="hot tea", user_id="ann")
    assert scanned(scans) == set()


SENTENCES = 400
WORDS = ("ban", "dor", "fil", "gam", "hex", "jun", "nip", "sot", "vam", "zur")


async def test_scores_are_those_of_the_embedded_provider(connect, tmp_path) -> None:
    """Same rows, same question: the same rows first, with about the same scores."""
    embedder = make_embedder("hash", {"dim": 64})
    await embedder.open()
    local = LocalFactAdapter(LocalDatabase(tmp_path / "memio.db", embedder))
    await local.open()
    remote = await connect(PostgresFactAdapter)
    choose = random.Random(3)
    vocabulary = [f"{a}{b}" for a in ("ka", "lo", "mi", "ru", "te") for b in WORDS]
    names = ("Ann", "Bob", "Cleo")
    said = [
        " ".join(
            [choose.choice(names), *choose.choices(vocabulary, k=choose.randint(3, 30))]
        )
        for _ in range(SENTENCES)
    ]
    for sentence in said:
        for store in (local, remote):
            await store.add(content=sentence, user_id="ann")
    same = total = 0
    for sentence in said[:40]:
        query = " ".join(sentence.split()[:5])
        for mode in ("semantic", "keyword", "hybrid"):
            one, other = [
                {
                    fact.content: fact.score
                    for fact in await store.search(
                        query=query, user_id="ann", mode=mode
                    )
                }
                for store in (local, remote)
            ]
            # The usual length of a row, of which BM25 makes use, is here that of rows
            # with a word of the query: those with nearly the same score may swap.
            first = next(iter(one))
            assert other[first] > max(other.values()) - 0.01
            same += len(one.keys() & other.keys())
            total += len(one)
            for content in one.keys() & other.keys():
                assert one[content] == pytest.approx(other[content], abs=0.05)
    await local.close()
    assert same / total > 0.95
