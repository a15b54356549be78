"""Many tenants on PostgreSQL: what one user's requests take, the more others there are.

PostgreSQL with pgvector comes from PyPI, with its defaults but for memory (OPTIONS).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import asyncpg
import orjson
import uvloop

from benchmarks.compare.documents import ChromaServer
from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import Load, Request, send
from benchmarks.rivals import MEMIO_031, SERVERS, serve
from benchmarks.texts import Texts
from memio.embedding.static import StaticEmbedder, StaticSettings
from memio.ids import uuid7
from memio.providers.postgres import PostgresDatabase, PostgresFactAdapter, index
from memio.providers.postgres.migrations import finish_vectors, replace_vectors
from memio.providers.postgres.tables import FACTS, Parameters
from memio.providers.postgres.vectors import teach
from memio.retrieval.passages import Text
from tests.postgres.server import Postgres
from tests.serving import Server

TITLE = "Many users on PostgreSQL"
ORIGINAL = "memio 0.3.1 + chroma run"
PER_USER = 100
CLIENTS = 16
MILLION = 1_000_000
P50_LIMITS = {"search: p50": 25.0, "search of everybody: p50": 250.0}
OPTIONS = (
    "shared_buffers=1GB",
    "maintenance_work_mem=2GB",
    "max_parallel_maintenance_workers=1",
    "max_wal_size=8GB",
)
_AT_ONCE = 2_000


def run(bench: Bench) -> Comparison:
    sizes = bench.pick(full=(10_000, 100_000), quick=(2_000, 20_000), smoke=(200, 400))
    if bench.million:
        sizes = (*sizes, MILLION)
    rivals_size = bench.pick(full=20_000, quick=2_000, smoke=200)
    directory = bench.directory / "postgres"
    with Postgres(OPTIONS) as postgres, ExitStack() as stack:
        built: dict[int, Mapping[str, float]] = {}
        servers: dict[str, tuple[Server, int]] = {}
        for size in sizes:
            schema = f"memio_{size}"
            built[size] = uvloop.run(_fill(postgres.dsn(), schema, size))
            place = directory / schema
            server = serve(place, config=_config(postgres.dsn(), schema))
            servers[f"{size:,}"] = stack.enter_context(server), size
        rows = _measure(bench, servers, {})
        rows += [
            Row(f"{size:,}: {what}", unit, {OURS: [figures[what]]}, better=better)
            for size, figures in built.items()
            for what, unit, better in (
                ("stored", "facts/s", "higher"),
                ("vectors indexed in", "s", "lower"),
                ("words and keys indexed in", "s", "lower"),
                ("on disk", "MiB", "lower"),
            )
        ]
        for server, _ in servers.values():
            server.stop()
        rows += _beside(bench, postgres.dsn(), directory, rivals_size)
    return Comparison(
        TITLE,
        rows,
        [
            (
                f"memio-server on PostgreSQL over HTTP, {PER_USER} facts of about 200 "
                "bytes per user, 256 dimensions; each request is another user's. "
                f"Creates are durable (fsync on), by {CLIENTS} clients; searches are "
                "hybrid, by one client; 'everybody' searches all users' facts at once."
            ),
            (
                "memio 0.3.1 has no store of facts that runs here: its documents on a "
                f"Chroma server are searched by a filter on the user, {rivals_size:,} "
                "of them, as Chroma takes 30 minutes and more to load a million."
            ),
        ],
    )


def _config(dsn: str, schema: str) -> str:
    store = f"{{provider: postgres, config: {{dsn: '{dsn}', schema: {schema}}}}}"
    return f"stores: {{facts: {store}}}"


async def _fill(dsn: str, schema: str, size: int) -> Mapping[str, float]:
    """Store facts as the provider does, many per statement, and index them at last."""
    embedder = StaticEmbedder(StaticSettings())
    await embedder.open()
    database = PostgresDatabase(dsn, embedder, schema=schema)
    store = PostgresFactAdapter(database)
    await store.open()
    conn = await asyncpg.connect(
        dsn, server_settings={"search_path": f"{schema}, public"}
    )
    await teach(conn, "public")
    await replace_vectors(conn, FACTS, embedder)
    indexes = await conn.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = $1"
        " AND tablename LIKE 'facts%' AND indexdef NOT LIKE 'CREATE UNIQUE%'",
        schema,
    )
    for name, _ in indexes:
        await conn.execute(f"DROP INDEX {name}")
    started = time.perf_counter()
    texts = Texts().texts()
    storing = asyncio.create_task(asyncio.sleep(0))
    for start in range(0, size, _AT_ONCE):
        batch = list(islice(texts, min(_AT_ONCE, size - start)))
        ids = [uuid7() for _ in batch]
        parts = await index.embed(embedder, FACTS, [Text(text) for text in batch], ids)
        await storing  # PostgreSQL works on a batch while the next one is embedded
        owners = [f"user-{(start + n) % (size // PER_USER)}" for n in range(len(batch))]
        storing = asyncio.create_task(_store(conn, ids, owners, batch, parts))
        await asyncio.sleep(0.001)
    await storing
    stored = time.perf_counter()
    for _, definition in indexes:
        await conn.execute(definition)
    indexed = time.perf_counter()
    await finish_vectors(conn, FACTS, embedder)
    finished = time.perf_counter()
    await conn.execute("VACUUM (ANALYZE)")
    bytes_ = await conn.fetchval(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
        " WHERE relnamespace = $1::regnamespace AND relkind = 'r'",
        schema,
    )
    await conn.close()
    await store.close()
    return {
        "stored": size / (stored - started),
        "words and keys indexed in": indexed - stored,
        "vectors indexed in": finished - indexed,
        "on disk": int(bytes_) / 2**20,
    }


async def _store(
    conn: asyncpg.Connection,
    ids: list[str],
    owners: list[str],
    texts: list[str],
    parts: index.Parts,
) -> None:
    given = Parameters((ids, owners, texts, '{"lang": "en"}'))
    await conn.execute(
        "WITH r AS (INSERT INTO facts (id, user_id, content, metadata, filterable,"
        " updated_at) SELECT id, user_id, content, $4::text::json, $4::text::jsonb,"
        " now() FROM unnest($1::text[], $2::text[], $3::text[])"
        " AS new (id, user_id, content) RETURNING *)"
        f" {index.store(FACTS, 'r', parts, given)}",
        *given,
    )


class _Ours:
    """What clients of memio send, each request for another user."""

    SEARCH = "/v1/facts/search"

    def __init__(self, users: int) -> None:
        self._users, self._turn = users, 0
        texts = Texts(2)
        self._texts, self._queries = texts.texts(), texts.queries()

    def creates(self) -> Iterator[bytes]:
        for text in self._texts:
            body = {"content": text, "user_id": self._user(), "metadata": {"n": 1}}
            yield Request("POST", "/v1/facts", orjson.dumps(body)).raw

    def searches(self) -> Iterator[bytes]:
        for query in self._queries:
            body = {"query": query, "user_id": self._user(), "limit": 10}
            yield Request("POST", self.SEARCH, orjson.dumps(body)).raw

    def searches_of_all(self) -> Iterator[bytes]:
        for query in self._queries:
            body = {"query": query, "limit": 10}
            yield Request("POST", self.SEARCH, orjson.dumps(body)).raw

    def _user(self) -> str:
        self._turn += 7919  # a prime: users who follow each other are not neighbours
        return f"user-{self._turn % self._users}"


class _Theirs(_Ours):
    """The same of the original's documents, whose metadata name the user."""

    SEARCH = "/v1/documents/search"

    def creates(self) -> Iterator[bytes]:
        for text in self._texts:
            body = {"content": text, "metadata": {"user": self._user(), "n": 1}}
            yield Request("POST", "/v1/documents", orjson.dumps(body)).raw

    def searches(self) -> Iterator[bytes]:
        for query in self._queries:
            body = {"query": query, "limit": 10, "filters": {"user": self._user()}}
            yield Request("POST", self.SEARCH, orjson.dumps(body)).raw


def _measure(
    bench: Bench,
    servers: Mapping[str, tuple[Server, int]],
    kinds: Mapping[str, type[_Ours]],
) -> list[Row]:
    """Measure servers by turns; each is a row of its own, or a rival if kinds say."""
    samples = alternate(
        {
            name: _client(bench, server.port, kinds.get(name, _Ours)(size // PER_USER))
            for name, (server, size) in servers.items()
        },
        rounds=min(bench.rounds, 3),
    )
    rows = []
    for what, by_name in samples.items():
        unit = "requests/s" if what.endswith("rate") else "ms"
        better = "higher" if unit == "requests/s" else "lower"
        if kinds:
            rows.append(Row(f"beside: {what}", unit, by_name, better=better))
            continue
        for name, values in by_name.items():
            limit = P50_LIMITS.get(what)
            rows.append(
                Row(f"{name}: {what}", unit, {OURS: values}, better, limit=limit)
            )
    return rows


def _client(
    bench: Bench, port: int, client: _Ours
) -> Callable[[], Mapping[str, float]]:
    seconds = bench.pick(full=3.0, quick=0.7, smoke=0.5)

    def load(requests: Iterator[bytes], clients: int, status: int) -> Load:
        until = time.perf_counter() + seconds
        return send(port, requests, clients=clients, status=status, until=until)

    def measure() -> Mapping[str, float]:
        created = load(client.creates(), CLIENTS, 201)
        searched = load(client.searches(), 1, 200)
        everybody = load(client.searches_of_all(), 1, 200)
        return {
            "create: rate": created.rate,
            "create: p50": created.p50,
            "create: p99": created.p99,
            "search: p50": searched.p50,
            "search: p99": searched.p99,
            "search of everybody: p50": everybody.p50,
            "search of everybody: p99": everybody.p99,
        }

    return measure


def _beside(bench: Bench, dsn: str, directory: Path, size: int) -> list[Row]:
    schema = f"memio_{size}"
    if size not in {2_000, 200}:  # those that were measured above are there
        uvloop.run(_fill(dsn, schema, size))
    lines = [
        json.dumps([f"doc-{n}", text, {"user": f"user-{n % (size // PER_USER)}"}])
        for n, text in enumerate(islice(Texts().texts(), size))
    ]
    place = directory / "chroma"
    place.mkdir(parents=True)
    subprocess.run(
        [MEMIO_031.python, SERVERS / "chroma_load.py", place / "chroma", "documents"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    chroma = ChromaServer(
        place,
        command=(str(MEMIO_031.python.with_name("chroma")), "run"),
        arguments=("--path", "chroma"),
    )
    with chroma:
        config = (
            "stores: {documents: {provider: chroma,"
            f" config: {{port: {chroma.port}, collection_name: documents}}}}}}"
        )
        ours = serve(directory / "ours", config=_config(dsn, schema))
        theirs = serve(
            directory / "031",
            "memio031_on_chroma.py",
            python=MEMIO_031.python,
            config=config,
        )
        with ours, theirs:
            servers = {OURS: (ours, size), ORIGINAL: (theirs, size)}
            return _measure(bench, servers, {OURS: _Ours, ORIGINAL: _Theirs})
