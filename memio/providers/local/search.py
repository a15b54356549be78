"""Search in the embedded database: the best rows of a scope, and what they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from memio.filters import Predicate
from memio.models import Mode
from memio.providers.local import rows
from memio.providers.local.cache import SMALL
from memio.providers.local.database import LocalDatabase
from memio.providers.local.ranking import Ranking, frequent_names
from memio.providers.local.rows import Row
from memio.providers.local.snapshot import Places, Snapshot
from memio.providers.local.tables import Scope, Table, where
from memio.retrieval.text import without

_FEW_CANDIDATES = 400
"""So many rows are read faster than a thread is asked to, or than all are filtered."""

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
        best = _best(conn, search, ranking, first)
        return [make(row, score) for row, score in best]

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


def _best(
    conn: sqlite3.Connection,
    search: Search,
    ranking: Ranking,
    candidates: Places,
) -> list[tuple[Row, float]]:
    """Return the best rows that the filter lets by, with their scores.

    The best are looked at first. If the filter lets few of them by, all rows of the
    scope are asked whether it does, and the best of those are taken.
    """
    count = search.limit
    is_narrowed = search.chosen is None
    while True:
        seqs, scores = _order(conn, search, ranking, candidates, count)
        best = _let_by(conn, search, seqs, scores)
        are_worse = bool(scores) and scores[-1] < (search.min_score or 0.0)
        if len(best) == search.limit or count >= ranking.total or are_worse:
            return best
        count *= 4
        if not is_narrowed and count > _FEW_CANDIDATES:
            condition = where(search.table, search.scope)
            kept = rows.matching(conn, search.table, condition, search.chosen)
            ranking.keep(kept)
            is_narrowed, count = True, search.limit
        candidates = ranking.candidates(count)


def _let_by(
    conn: sqlite3.Connection, search: Search, seqs: list[int], scores: list[float]
) -> list[tuple[Row, float]]:
    """Return the first rows that are good enough and that the filter lets by."""
    pairs = zip(search.table.scope, search.scope, strict=True)
    narrowed = [(column, value) for column, value in pairs if value is not None]
    stored = rows.select(conn, search.table, seqs)
    found: list[tuple[Row, float]] = []
    for seq, score in zip(seqs, scores, strict=True):
        row = stored.get(seq)
        if score < (search.min_score or 0.0) or len(found) == search.limit:
            break
        if row is None or not rows.selected(row, search.chosen):
            continue
        # In the scope it is, but nothing may ever be shown to another.
        if all(row[column] == value for column, value in narrowed):
            found.append((row, score))
    return found


def _order(
    conn: sqlite3.Connection,
    search: Search,
    ranking: Ranking,
    candidates: Places,
    count: int,
) -> tuple[list[int], list[float]]:
    """Return the numbers and scores of the best ``count`` of the candidates."""
    vectors: dict[int, bytes] | None = None
    if search.mode != "keyword":
        seqs = ranking.seqs(candidates).tolist()
        vectors = rows.vectors(conn, search.table, seqs)
        # Whatever was deleted may have been among the best.
        count -= len(candidates) - len(vectors)
        candidates = candidates[[seq in vectors for seq in seqs]]
    ordered, scores = ranking.ordered(candidates, vectors)
    best = slice(max(count, 0))
    return ordered[best].tolist(), np.clip(scores[best], 0, 1).tolist()
