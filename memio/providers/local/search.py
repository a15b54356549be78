"""Search in the embedded database: the best rows of a scope, and what they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from memio.filters import Predicate
from memio.models import Mode
from memio.providers.local import rows
from memio.providers.local.cache import SMALL
from memio.providers.local.database import LocalDatabase
from memio.providers.local.ranking import Ranking, frequent_names, nearness
from memio.providers.local.rows import Row
from memio.providers.local.snapshot import Places, Snapshot
from memio.providers.local.tables import Scope, Table
from memio.retrieval.scoring import Floats
from memio.retrieval.text import without

_FEW_CANDIDATES = 400

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Search:
    """A search as a store asks for it.

    Attributes:
        operation: Name of the store's method, for errors.
        table: Where to look.
        scope: Whose rows to look at.
        chosen: Which of them, by metadata; None for all.
    """

    operation: str
    table: Table
    scope: Scope
    query: str
    limit: int
    mode: Mode
    min_score: float | None
    chosen: Predicate | None


async def run(
    db: LocalDatabase, search: Search, make: Callable[[Row, float], T]
) -> list[T]:
    """Return the best rows, best first, as ``make`` makes them of row and score."""
    snapshot = await _snapshot(db, search)
    names: list[str] = []
    meaning = np.zeros(0, np.float32)
    if search.mode != "keyword":
        names = frequent_names(snapshot, search.query)
        meaning = (await db.embedder.embed([without(search.query, names)]))[0]

    def rank() -> tuple[Ranking, Places]:
        ranking = Ranking(
            snapshot,
            search.query,
            search.mode,
            meaning=meaning,
            names=names,
            weight=db.embedder.weight,
            in_context=search.table.has_context,
        )
        return ranking, ranking.candidates(search.limit)

    is_small = snapshot.codes.size <= SMALL
    ranking, first = rank() if is_small else await db.compute(rank)

    def work(conn: sqlite3.Connection) -> list[T]:
        walked = _walk(conn, search, ranking, meaning, first)
        return [make(row, score) for row, score in walked]

    is_short = search.chosen is None and len(first) <= _FEW_CANDIDATES
    return await db.read(search.operation, work, is_short=is_short)


async def _snapshot(db: LocalDatabase, search: Search) -> Snapshot:
    scope = search.table, search.scope
    soon = await db.read(
        search.operation, lambda conn: db.cache.peek(conn, *scope), is_short=True
    )
    if soon is not None:
        return soon
    return await db.read(search.operation, lambda conn: db.cache.at(conn, *scope))


def _walk(
    conn: sqlite3.Connection,
    search: Search,
    ranking: Ranking,
    meaning: Floats,
    candidates: Places,
) -> Iterator[tuple[Row, float]]:
    """Walk from the best row down until there are enough that the filter lets by."""
    least = search.min_score or 0.0
    pairs = zip(search.table.scope, search.scope, strict=True)
    narrowed = [(column, value) for column, value in pairs if value is not None]
    count, found, done = search.limit, 0, 0
    while True:
        seqs, scores = _order(conn, search, ranking, meaning, candidates, count)
        stored = rows.select(conn, search.table, seqs[done:])
        for seq, value in zip(seqs[done:], scores[done:], strict=True):
            score = max(0.0, min(1.0, value))
            if score < least:
                return
            row = stored.get(seq)
            if row is None or not rows.selected(row, search.chosen):
                continue
            # In the scope it is, but nothing may ever be shown to another.
            if all(row[column] == value for column, value in narrowed):
                yield row, score
                found += 1
                if found == search.limit:
                    return
        done = len(seqs)
        if count >= ranking.total:
            return
        count *= 4
        candidates = ranking.candidates(count)


def _order(  # noqa: PLR0917 (as _walk)
    conn: sqlite3.Connection,
    search: Search,
    ranking: Ranking,
    meaning: Floats,
    candidates: Places,
    count: int,
) -> tuple[list[int], list[float]]:
    """Return the numbers and scores of the best ``count`` of the candidates."""
    cosine: Floats | None = None
    if search.mode != "keyword":
        seqs = ranking.seqs(candidates).tolist()
        vectors = rows.vectors(conn, search.table, seqs)
        # Whatever was deleted may have been among the best.
        count -= len(candidates) - len(vectors)
        candidates = candidates[[seq in vectors for seq in seqs]]
        cosine = nearness(meaning, [vectors[seq] for seq in seqs if seq in vectors])
    ordered, scores = ranking.ordered(candidates, cosine)
    best = slice(max(count, 0))
    return ordered[best].tolist(), scores[best].tolist()
