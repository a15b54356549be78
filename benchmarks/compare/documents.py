"""Durable documents over HTTP: memio, the original over Chroma, a Chroma server."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import uvloop

from benchmarks.filling import fill_documents
from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import Request, ask, send
from benchmarks.rivals import MEMIO_031, SERVERS, serve
from benchmarks.texts import Texts
from memio.embedding.static import StaticEmbedder, StaticSettings
from tests.serving import Server

TITLE = "Documents"
ORIGINAL = "memio 0.3.1 + Chroma"
CHROMA = "chroma run"
SEMANTIC = "memio, by meaning alone"
TWO_WORKERS = "memio, 2 workers"
CLIENTS = 16

CONFIG_031 = """
stores:
  documents:
    provider: chroma
    config: {persist_directory: chroma, collection_name: documents}
"""
_ROOT = "/api/v2/tenants/default_tenant/databases/default_database/collections"


class ChromaServer(Server):
    """`chroma run`, which answers at another place when it is up."""

    def _wait(self) -> None:
        for _ in range(300):
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"no answer\n{self.log}")


class Client:
    """What a client sends to memio's API."""

    def __init__(self, texts: Texts) -> None:
        self._texts, self._queries = texts.texts(), texts.queries()

    def creates(self) -> Iterator[bytes]:
        for text in self._texts:
            body = {"content": text, "metadata": {"lang": "en", "n": 1}}
            yield Request("POST", "/v1/documents", orjson.dumps(body)).raw

    def searches(self, **options: Any) -> Iterator[bytes]:
        for query in self._queries:
            body = {"query": query, "limit": 10, **options}
            yield Request("POST", "/v1/documents/search", orjson.dumps(body)).raw


class ChromaClient:
    """What Chroma's client sends to its server, without the cost of that client.

    It embeds each text by the embedder that memio has, within the time measured.
    """

    def __init__(self, texts: Texts, collection: str) -> None:
        self._texts, self._queries = texts.texts(), texts.queries()
        self._path = f"{_ROOT}/{collection}"
        self._embedder = StaticEmbedder(StaticSettings())
        uvloop.run(self._embedder.open())
        self._ids = (f"new-{n}" for n in count())

    def creates(self) -> Iterator[bytes]:
        for text in self._texts:
            vector = base64.b64encode(self._embed(text).tobytes()).decode()
            body = {
                "ids": [next(self._ids)],
                "embeddings": [vector],
                "documents": [text],
                "metadatas": [{"lang": "en", "n": 1}],
            }
            yield Request("POST", f"{self._path}/add", orjson.dumps(body)).raw

    def searches(self) -> Iterator[bytes]:
        for query in self._queries:
            body = {"query_embeddings": [self._embed(query).tolist()], "n_results": 10}
            yield Request("POST", f"{self._path}/query", orjson.dumps(body)).raw

    def _embed(self, text: str) -> Any:
        # embed() of a short text never waits, so that one step ends it.
        embedding = self._embedder.embed([text])
        try:
            embedding.send(None)
        except StopIteration as done:
            return done.value[0].astype(np.float32)
        raise RuntimeError("the embedder waits for something")


def run(bench: Bench) -> Comparison:
    sizes = bench.pick(full=(1_000, 10_000, 100_000), quick=(10_000,), smoke=(100,))
    directory = bench.directory / "documents"
    rows: list[Row] = []
    stored = 0
    # One row of texts for each side, so that both store the same.
    ours, theirs = Texts().texts(), Texts().texts()
    for size in sizes:
        fill_documents(directory / "stock", ours, size - stored)
        collection = _fill_chroma(directory / "stock", theirs, stored, size)
        stored = size
        with ExitStack() as stack:
            rows += _measure(bench, directory, collection, size, stack)
    return Comparison(
        TITLE,
        rows,
        [
            (
                f"{CLIENTS} clients over HTTP, each waiting for its answer. Everybody "
                "embeds by the same vectors (WordLlama, 256 dimensions): memio and "
                "memio 0.3.1 in the server; for `chroma run` the client does it, "
                "within the time measured, and sends what Chroma's client sends."
            ),
            (
                "Every create is on disk before it is answered. memio's search is "
                "hybrid, by meaning (exact) and words; Chroma's is by meaning (HNSW, "
                "approximate), HNSW settings at their defaults. memio 0.3.1 is as "
                "shipped, over a Chroma directory. `chroma run` works on all cores at "
                "once, memio on as many as it has workers. The database of `chroma "
                "run` is switched to SQLite's write-ahead log, which it has no setting "
                "for: its creates are about three times as fast so."
            ),
        ],
    )


def _fill_chroma(stock: Path, texts: Iterator[str], stored: int, size: int) -> str:
    lines = [
        json.dumps([f"doc-{n}", text, {"lang": "en", "n": n}])
        for n, text in enumerate(islice(texts, size - stored), stored)
    ]
    done = subprocess.run(
        [MEMIO_031.python, SERVERS / "chroma_load.py", stock / "chroma", "documents"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]


def _measure(
    bench: Bench, directory: Path, collection: str, size: int, stack: ExitStack
) -> list[Row]:
    names = ("ours", "two", "031", "chroma")
    places = {name: directory / f"{name}-{size}" for name in names}
    stock = directory / "stock"
    for name in ("ours", "two"):
        shutil.copytree(stock / "memio-data", places[name] / "memio-data")
    for name in ("031", "chroma"):
        shutil.copytree(stock / "chroma", places[name] / "chroma")
    _tune_chroma(places["chroma"] / "chroma")
    servers = {
        OURS: serve(places["ours"]),
        TWO_WORKERS: serve(places["two"], None, "--workers", "2"),
        ORIGINAL: serve(
            places["031"], "memio031.py", python=MEMIO_031.python, config=CONFIG_031
        ),
        CHROMA: ChromaServer(
            places["chroma"],
            command=(str(MEMIO_031.python.with_name("chroma")), "run"),
            arguments=("--path", "chroma"),
        ),
    }
    for server in servers.values():
        stack.enter_context(server)
    chroma = ChromaClient(Texts(2), collection)
    clients: dict[str, Any] = {
        OURS: Client(Texts(2)),
        TWO_WORKERS: Client(Texts(2)),
        ORIGINAL: Client(Texts(2)),
        CHROMA: chroma,
    }
    # A round has an end by the clock, too: with some rivals it would take minutes.
    seconds = bench.pick(full=3.0, quick=1.5, smoke=1.0)
    creates = bench.pick(full=320, quick=128, smoke=32)
    searches = bench.pick(full=640, quick=256, smoke=32)

    def load(who: str, requests: Iterator[bytes], number: int, status: int) -> float:
        port = servers[who].port
        until = time.perf_counter() + seconds
        once = islice(requests, number)
        return send(port, once, clients=CLIENTS, status=status, until=until).rate

    def rival(who: str) -> Callable[[], Mapping[str, float]]:
        new = clients[who].creates()
        asked = clients[who].searches()

        def measure() -> Mapping[str, float]:
            return {
                "create": load(who, new, creates, 201),
                "search": load(who, asked, searches, 200),
            }

        return measure

    samples = alternate(
        {who: rival(who) for who in servers}, rounds=min(bench.rounds, 3)
    )
    by_meaning = Client(Texts(3)).searches(mode="semantic")
    for _ in range(min(bench.rounds, 3)):
        rate = load(OURS, by_meaning, searches, 200)
        samples["search"].setdefault(SEMANTIC, []).append(rate)
    _check(servers)
    return [
        Row(
            f"create at {size:,}",
            "requests/s",
            samples["create"],
            targets={ORIGINAL: 20.0, CHROMA: 5.0},
        ),
        Row(
            f"search at {size:,}",
            "requests/s",
            samples["search"],
            targets={CHROMA: 1.0, **({ORIGINAL: 5.0} if size == 10_000 else {})},
        ),
    ]


def _tune_chroma(directory: Path) -> None:
    """Set the journal before Chroma opens the file, which then keeps it.

    In SQLite's default, which Chroma leaves, each create waits for several fsyncs.
    """
    with closing(sqlite3.connect(directory / "chroma.sqlite3")) as conn:
        conn.execute("PRAGMA journal_mode = WAL")


def _check(servers: Mapping[str, Server]) -> None:
    """Raise if memio and the original do not find the same text by its own words."""
    wanted = next(Texts().texts())
    body = orjson.dumps({"query": wanted, "limit": 1})
    for who in (OURS, TWO_WORKERS, ORIGINAL):
        answer = ask(servers[who].port, Request("POST", "/v1/documents/search", body))
        (found,) = json.loads(answer)
        if found["content"] != wanted:
            raise RuntimeError(f"{who} did not find what was asked for: {found}")
