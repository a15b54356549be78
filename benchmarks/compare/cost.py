"""What memio costs beyond its parts: each part within a request, and called bare."""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import uvloop

from benchmarks.filling import fill_facts
from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import Request, send
from benchmarks.rivals import STARLETTE, serve
from benchmarks.texts import Texts
from memio.embedding.static import StaticEmbedder, StaticSettings
from memio.providers.local.loaded import Loaded
from memio.providers.local.ranking import Ranking
from memio.providers.local.rows import vectors as select_vectors
from memio.providers.local.tables import FACTS
from memio.retrieval.terms import pack

TITLE = "Cost of ourselves"
BARE = "bare parts"
USER = "user-0"
LEAST = 0.67  # which is at most 1.5 times as long
LIMIT = 10
WEIGHT = StaticEmbedder.weight


class Bare:
    """The parts of a create and a search, called one after the other, in one thread.

    It works on a copy of the database: the same rows and indexes, the same fsync.
    """

    def __init__(self, database: Path, port: int) -> None:
        self.conn = sqlite3.connect(database, isolation_level=None)
        self.conn.execute("PRAGMA synchronous = FULL")
        self._embedder = StaticEmbedder(StaticSettings())
        uvloop.run(self._embedder.open())
        loaded = Loaded(FACTS, (USER, None), self._embedder.dim)
        loaded.update(self.conn)
        self._snapshot = loaded.snapshot()
        self._port = port

    def edge(self, requests: list[bytes], status: int) -> float:
        """Return the milliseconds of an answer by a bare ASGI function."""
        return send(self._port, requests, clients=1, status=status).p50

    def embed(self, text: str) -> Any:
        embedding = self._embedder.embed([text])
        try:
            embedding.send(None)  # a short text is embedded at once, without waiting
        except StopIteration as done:
            return done.value[0]
        raise RuntimeError("the embedder waits for something")

    def store(self, text: str, terms: bytes, vector: bytes, fact_id: str) -> None:
        """Insert a fact with its words and its vector, and wait for the disk."""
        execute = self.conn.execute
        execute("BEGIN IMMEDIATE")
        (seq,) = execute(
            "INSERT INTO facts (id, user_id, content, created_at, updated_at)"
            " VALUES (?, ?, ?, 0, 0) RETURNING seq",
            (fact_id, USER, text),
        ).fetchone()
        execute(
            "INSERT INTO facts_index VALUES (?, 28, '', NULL, ?, ?)",
            (seq, terms, vector),
        )
        execute("COMMIT")

    def rank(self, query: str, vector: Any) -> list[int]:
        """Return the best rows, of a scope that is in memory."""
        ranking = Ranking(
            self._snapshot, query, "hybrid", meaning=vector, weight=WEIGHT
        )
        rows = ranking.candidates(LIMIT)
        vectors = select_vectors(self.conn, FACTS, ranking.seqs(rows).tolist())
        seqs, _ = ranking.ordered(rows, vectors)
        return list(seqs[:LIMIT].tolist())

    def rows(self, seqs: list[int]) -> list[Any]:
        marks = ", ".join("?" * len(seqs))
        sql = f"SELECT * FROM facts WHERE seq IN ({marks})"
        return self.conn.execute(sql, seqs).fetchall()


def run(bench: Bench) -> Comparison:
    stored = bench.pick(full=10_000, quick=2_000, smoke=300)
    calls = bench.pick(full=300, quick=100, smoke=20)
    rounds = bench.rounds
    directory = bench.directory / "cost"
    fill_facts(directory / "ours", Texts().texts(), stored)
    shutil.copytree(directory / "ours" / "memio-data", directory / "bare")
    hand = serve(directory / "asgi", "by_hand.py", "asgi", python=STARLETTE.python)
    rows: list[Row] = []
    with hand:
        bare = Bare(directory / "bare" / "memio.db", hand.port)
        with closing(bare.conn):
            for what in ("create", "search"):
                place = directory / "ours"
                with serve(place) as server:
                    samples = alternate(
                        {
                            OURS: _ours(server.port, what, calls),
                            BARE: _bare(bare, what, calls),
                        },
                        rounds=rounds,
                    )
                whole = Row(
                    what, "ms", samples["whole"], better="lower", targets={BARE: LEAST}
                )
                clocked = _clocked(place, what, calls)
                rows += [whole, *_parts(what, samples, clocked)]
    return Comparison(
        TITLE,
        rows,
        [
            (
                f"One client; the median of {calls} requests on one user's {stored:,} "
                "facts. 'bare parts' is the sum of: an answer of a bare ASGI function "
                "on uvicorn, the embedder, SQL on sqlite3 with its fsync, the ranking "
                "of rows that are in memory, orjson: no validation, no threads, no "
                "log, nothing that other processes may outdate. The target of "
                f"{LEAST:.2f}x is at most 1.5 times their sum."
            ),
            (
                "A part's time within memio is taken by a clock around its function "
                "in a run of its own, as the mean; 'the rest' is what the client "
                "waits beyond them: sockets, uvicorn, routing, parameters, changing "
                "threads."
            ),
        ],
    )


def _requests(what: str, calls: int, seed: int) -> tuple[list[str], list[bytes], int]:
    texts = Texts(seed)
    if what == "create":
        said = list(islice(texts.texts(), calls))
        bodies: list[dict[str, Any]]
        bodies = [{"content": text, "user_id": USER} for text in said]
        path, status = "/v1/facts", 201
    else:
        said = list(islice(texts.queries(), calls))
        bodies = [{"query": text, "user_id": USER, "limit": LIMIT} for text in said]
        path, status = "/v1/facts/search", 200
    raw = [Request("POST", path, orjson.dumps(body)).raw for body in bodies]
    return said, raw, status


def _ours(port: int, what: str, calls: int) -> Callable[[], Mapping[str, float]]:
    seeds = iter(range(100, 200))

    def measure() -> Mapping[str, float]:
        _, raw, status = _requests(what, calls, next(seeds))
        return {"whole": send(port, raw, clients=1, status=status).p50}

    return measure


def _bare(bare: Bare, what: str, calls: int) -> Callable[[], Mapping[str, float]]:
    seeds = iter(range(100, 200))

    def measure() -> Mapping[str, float]:
        seed = next(seeds)
        said, raw, status = _requests(what, calls, seed)
        clock = _Clock()
        for number, text in enumerate(said):
            vector = clock.time("embedding", bare.embed, text)
            if what == "create":
                row = f"{seed}-{number}"
                words = clock.time("taking words apart", pack, text)
                stored = (text, words, vector.tobytes(), row)
                clock.time("transaction with fsync", bare.store, *stored)
                found: list[Any] = [[row, text, USER, None, None, 0, 0]]
            else:
                seqs = clock.time("ranking", bare.rank, text, vector)
                found = clock.time("rows", bare.rows, seqs)
            clock.time("serialisation", orjson.dumps, found)
        parts = clock.medians()
        # Last, so that searches of the bare function find something to answer with.
        parts["edge"] = bare.edge(raw, status)
        return {"whole": sum(parts.values()), **parts}

    return measure


class _Clock:
    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def time(self, part: str, function: Callable[..., Any], *args: Any) -> Any:
        started = time.perf_counter()
        result = function(*args)
        taken = (time.perf_counter() - started) * 1000
        self._times.setdefault(part, []).append(taken)
        return result

    def medians(self) -> dict[str, float]:
        return {part: statistics.median(times) for part, times in self._times.items()}


def _clocked(place: Path, what: str, calls: int) -> dict[str, float]:
    """Return the milliseconds per request of each part of memio, and of the rest."""
    warming = calls // 5
    with serve(place, "timed_memio.py") as server:
        _, raw, status = _requests(what, calls + warming, 50)
        send(server.port, raw[:warming], clients=1, status=status)
        load = send(server.port, raw[warming:], clients=1, status=status)
    durations = json.loads((place / "parts.json").read_text())
    parts = {}
    for part, times in durations.items():
        each = round(len(times) / (calls + warming))  # times in a request
        if each:  # else it belongs to the start
            parts[part] = sum(times[-each * calls :]) * 1000 / calls
    outer = {part: taken for part, taken in parts.items() if ": " not in part}
    parts["the rest"] = load.seconds * 1000 / load.requests - sum(outer.values())
    return parts


def _parts(
    what: str,
    samples: Mapping[str, Mapping[str, list[float]]],
    clocked: Mapping[str, float],
) -> Iterator[Row]:
    bare = {part: by_who[BARE] for part, by_who in samples.items() if part != "whole"}
    for part in dict.fromkeys([*clocked, *bare]):
        both = {OURS: [clocked[part]]} if part in clocked else {}
        if part in bare:
            both[BARE] = bare[part]
        yield Row(f"{what}: {part}", "ms", both, better="lower")
