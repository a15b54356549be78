"""Search in PostgreSQL: candidates by meaning and by words, then one rank.

In a scope of up to ``MOST_EXACT`` passages every vector is compared; in a larger one
the index names the nearest. The best rows by their words are joined in;
``memio.retrieval.scoring`` makes one score of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from memio.models import Mode
from memio.providers.postgres.connection import Row
from memio.providers.postgres.database import PostgresDatabase
from memio.providers.postgres.index import plain
from memio.providers.postgres.rows import Where
from memio.providers.postgres.statements import (
    MOST_EXACT,
    Candidates,
    Statement,
    rarity,
    survey,
)
from memio.providers.postgres.tables import vector_type
from memio.providers.postgres.vectors import packed
from memio.retrieval.scoring import FREQUENT, Floats, hybrid, lexical
from memio.retrieval.text import capitalised, telling_words, without

MOST_HITS: Final = 200
"""Rows that are taken by their words, if no more results are asked for."""

MOST_NEAREST: Final = 200
"""Passages that are taken from the index of the vectors, likewise."""

_GROWTH: Final = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Search:
    """A search as a store asks for it."""

    where: Where
    query: str
    limit: int
    mode: Mode
    min_score: float | None


async def run(
    db: PostgresDatabase, search: Search, make: Callable[[Row, float], T]
) -> list[T]:
    """Return the best rows, best first, as ``make`` makes them of row and score."""
    asked = await _prepare(db, search)
    while True:
        found = await _fetch(db, asked.statement())
        seqs = np.array([row["seq"] for row in found], np.int64)
        scores, highest = _score(search, asked, found)
        best = await _best(db, search, seqs, scores)
        is_all = _is_all(asked, found)
        if len(best) == search.limit or highest < (search.min_score or 0.0):
            break
        if is_all and asked.is_exact:
            break
        # Either a filter that SQL cannot express dropped some, or rows have many
        # passages, or the index gave up the search for rows that a filter lets by.
        asked = replace(
            asked,
            is_exact=asked.is_exact or is_all,
            most=asked.most * _GROWTH,
            hits=asked.hits * _GROWTH,
        )
    return [make(row, score) for row, score in best]


async def _prepare(db: PostgresDatabase, search: Search) -> Candidates:
    """Find out what there is to know before candidates are looked for."""
    where, mode = search.where, search.mode
    names = [] if mode == "keyword" else capitalised(search.query)
    words = "" if mode == "semantic" else plain(" ".join(telling_words(search.query)))
    (scope,) = await _fetch(db, survey(where, [plain(name) for name in names], words))
    least = max(2, int(np.ceil(FREQUENT * scope["newest"])))
    mentioned = zip(names, scope["mentions"], strict=True)
    frequent = [name for name, count in mentioned if count >= least]
    size, lexemes = scope["size"], dict.fromkeys(scope["lexemes"], 0)
    if lexemes and size > MOST_EXACT:
        counted = await _fetch(db, rarity(where, list(lexemes)))
        lexemes = {row["lexeme"]: row["rows"] for row in counted}
    vector = None
    if mode != "keyword":
        (meaning,) = await db.embedder.embed([without(search.query, frequent)])
        by_prior = mode == "hybrid" and where.table.has_prior
        vector = packed(meaning, 1.0 if by_prior else 0.0)
    is_exact = size <= MOST_EXACT or mode == "keyword"
    return Candidates(
        where=where,
        size=size,
        is_exact=is_exact,
        vector=vector,
        kind=vector_type(db.embedder.dim),
        weight=db.embedder.weight,
        names=[name.lower() for name in frequent] if mode == "hybrid" else [],
        lexemes=lexemes,
        only_own=mode == "keyword",
        most=search.limit if is_exact else max(MOST_NEAREST, 2 * search.limit),
        hits=max(MOST_HITS, 4 * search.limit),
    )


def _score(
    search: Search, asked: Candidates, found: Sequence[Row]
) -> tuple[Floats, float]:
    """Return the scores of the candidates, and the highest that others may have."""
    words = lexical(_column(found, "bm25"))
    if search.mode == "keyword":
        return words, float(words.min(initial=1.0))
    evidence = _column(found, "evidence")
    near = np.array([row["near"] for row in found], np.bool_)
    if search.mode == "semantic":
        return evidence, float(evidence[near].min(initial=1.0))
    who = _who(found, asked.names)
    none = np.zeros_like(evidence)
    weight = asked.weight
    beyond = hybrid(evidence, none, none, who, weight=weight)[near]
    scores = hybrid(evidence, none, words, who, weight=weight)
    return scores, float(beyond.min(initial=1.0))


def _is_all(asked: Candidates, found: Sequence[Row]) -> bool:
    """Tell whether there can be no more candidates of this kind."""
    if asked.vector is None:
        return len(found) < asked.hits
    return not found or bool(found[0]["found"] < asked.most)


def _who(found: Sequence[Row], names: list[str]) -> Floats:
    """Return for each row the share of the asked names that are its ``who``."""
    asked = set(names)
    shares = [len(asked & set(row["who"].split())) for row in found]
    return np.array(shares, np.float32) / np.float32(max(len(asked), 1))


async def _best(
    db: PostgresDatabase, search: Search, seqs: NDArray[np.int64], scores: Floats
) -> list[tuple[Row, float]]:
    """Walk from the best row down until there are enough that the filter lets by."""
    least = search.min_score or 0.0
    best: list[tuple[Row, float]] = []
    ranked = np.lexsort((-seqs, -scores))  # newer first among equals
    for start in range(0, len(ranked), search.limit):
        part = ranked[start : start + search.limit]
        rows = await _rows(db, search.where, seqs[part].tolist())
        for place in part:
            score = max(0.0, min(1.0, float(scores[place])))
            row = rows.get(int(seqs[place]))
            if score < least or len(best) == search.limit:
                return best
            if row is not None and search.where.lets_by(row):
                best.append((row, score))
    return best


async def _rows(
    db: PostgresDatabase, where: Where, seqs: list[int]
) -> Mapping[int, Row]:
    """Return the rows with these numbers, those that are (still) there."""
    table = where.table
    sql = f"SELECT {table.columns} FROM {table.name} AS r WHERE r.seq = ANY($1)"
    rows = await db.read("search", lambda conn: conn.fetch(sql, seqs))
    return {row["seq"]: row for row in rows}


async def _fetch(db: PostgresDatabase, statement: Statement) -> list[Row]:
    sql, given = statement
    return await db.read("search", lambda conn: conn.fetch(sql, *given))


def _column(found: Sequence[Row], name: str) -> Floats:
    return np.array([row[name] for row in found], np.float32)
