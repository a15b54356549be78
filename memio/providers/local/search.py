"""Search in the embedded database: every vector of the scope, the best words, one rank.

Every vector of the scope is scored exactly; the best rows of the full-text index are
joined in; ``memio.retrieval.scoring`` makes one score of both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from memio.filters import Predicate
from memio.models import Mode
from memio.providers.local.database import LocalDatabase
from memio.providers.local.index import scope_tokens
from memio.providers.local.rows import Row, select, selected
from memio.providers.local.tables import Scope, Table
from memio.providers.local.vectors import Vectors
from memio.retrieval.scoring import FREQUENT, Floats, hybrid, lexical
from memio.retrieval.text import capitalised, telling_words, without

MOST_HITS = 200
"""Rows taken from the full-text index, if no more results are asked for."""

FEW_OTHERS = 0.1
"""So many rows beside a scope's, by its own, and the index is asked about all."""

MANY_ROWS = 20_000
"""From here on, rows are found by a query's rarer words, and ranked by all."""

ENOUGH_FOUND = 4_000
COMMON = 0.1
"""Words are rarer until they find that many rows, or this share of all has them."""

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
    names: list[str] = []
    maybe = capitalised(search.query)
    if maybe and search.mode != "keyword":
        names = await db.read(
            search.operation,
            lambda conn: _frequent(
                conn, search, maybe, db.cache.at(conn, search.table, search.scope).rows
            ),
        )
    if search.mode == "keyword":
        meaning = np.zeros(0, np.float32)
    else:
        meaning = (await db.embedder.embed([without(search.query, names)]))[0]

    def work(conn: sqlite3.Connection) -> list[T]:
        if search.mode == "keyword":
            seqs, bm25 = _hits(conn, search)
            scores = lexical(bm25)
        else:
            vectors = db.cache.at(conn, search.table, search.scope)
            weight = db.embedder.weight
            seqs, scores = _score(conn, search, vectors, meaning, names, weight)
        best = _best(conn, search, seqs, scores)
        return [make(row, score) for row, score in best]

    return await db.read(search.operation, work)


def _score(  # noqa: PLR0917 (the evidence, in the order of the recipe)
    conn: sqlite3.Connection,
    search: Search,
    vectors: Vectors,
    meaning: Floats,
    names: list[str],
    weight: float,
) -> tuple[NDArray[np.int64], Floats]:
    """Return every row of the scope with its score."""
    cosine = vectors.cosine(meaning)
    each: slice | NDArray[np.intp] = slice(None)
    if vectors.starts is not None:  # a long row is as good as its best chunk
        each = vectors.starts
        cosine = np.maximum.reduceat(cosine, each)
    seqs, alive = vectors.seqs[each], vectors.alive[each]
    if search.mode == "semantic":
        scores = cosine
    else:
        words = np.zeros(len(seqs), np.float32)
        hits, bm25 = _hits_among(conn, search, seqs, int(np.count_nonzero(alive)))
        words[hits] = lexical(bm25)
        who = _who(vectors, names)[vectors.who[each]] if names else np.float32(0)
        scores = hybrid(cosine, vectors.priors[each], words, who, weight=weight)
    if alive.all():
        return seqs, scores
    return seqs[alive], scores[alive]


def _who(vectors: Vectors, names: list[str]) -> Floats:
    """Return for each of ``vectors.names`` the share of the asked names that it has."""
    asked = {name.lower() for name in names}
    shares = [len(asked & set(who.split())) for who in vectors.names] or [0]
    return np.array(shares, np.float32) / np.float32(len(asked))


def _best(
    conn: sqlite3.Connection,
    search: Search,
    seqs: NDArray[np.int64],
    scores: Floats,
) -> list[tuple[Row, float]]:
    """Walk from the best row down until there are enough that the filter lets by."""
    least = search.min_score or 0.0
    best: list[tuple[Row, float]] = []
    for part in _descending(seqs, scores, search.limit):
        rows = select(conn, search.table, [int(seq) for seq in seqs[part]])
        for place in part:
            score = max(0.0, min(1.0, float(scores[place])))
            row = rows.get(int(seqs[place]))
            if score < least:
                return best
            if row is not None and _is_wanted(row, search):
                best.append((row, score))
                if len(best) == search.limit:
                    return best
    return best


def _is_wanted(row: Row, search: Search) -> bool:
    """Tell whether a row is in the scope, beyond any doubt, and lets the filter by."""
    pairs = zip(search.table.scope, search.scope, strict=True)
    in_scope = all(value is None or row[column] == value for column, value in pairs)
    return in_scope and selected(row, search.chosen)


def _descending(
    seqs: NDArray[np.int64], scores: Floats, first: int
) -> Iterator[NDArray[np.intp]]:
    """Yield places by falling score, newer first among equals, in growing parts."""
    done, most = 0, min(max(first, 1), len(seqs))
    while done < len(seqs):
        if most < len(seqs):
            border = np.partition(scores, len(seqs) - most)[len(seqs) - most]
            top = np.flatnonzero(scores >= border)
        else:
            top = np.arange(len(seqs))
        ranked = top[np.lexsort((-seqs[top], -scores[top]))]
        yield ranked[done:]
        done, most = len(ranked), min(max(4 * most, len(ranked)), len(seqs))


def _hits_among(
    conn: sqlite3.Connection, search: Search, seqs: NDArray[np.int64], alive: int
) -> tuple[NDArray[np.intp], Floats]:
    """Return where in ``seqs`` the rows are that share words with the query.

    The full-text index takes long to go through the word of a scope that nearly every
    row is in. So it is then asked without, for as many more as may be of others.
    """
    if not len(seqs):
        return np.zeros(0, np.intp), np.zeros(0, np.float32)
    (last,) = conn.execute(f"SELECT max(seq) FROM {search.table.name}").fetchone()
    others = max((last or 0) - alive, 0)
    if others <= FEW_OTHERS * alive:
        hits, bm25 = _hits(conn, replace(search, scope=()), alive, extra=others)
    else:
        hits, bm25 = _hits(conn, search, alive)
    places = np.minimum(np.searchsorted(seqs, hits), len(seqs) - 1)
    found = seqs[places] == hits
    return places[found], bm25[found]


def _hits(
    conn: sqlite3.Connection, search: Search, rows: int = 0, *, extra: int = 0
) -> tuple[NDArray[np.int64], Floats]:
    """Return the rows that share words with the query, by falling BM25.

    ``rows`` is how many the scope has, ``extra`` how many more to return than needed.
    """
    # By keyword alone, a row is found for what it says, not for what it answers.
    in_context = search.table.has_context and search.mode != "keyword"
    columns = "text previous" if in_context else "text"
    words = telling_words(search.query)
    if not words:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    # A filter may drop hits, so more than are needed are taken; with one, all.
    most = max(MOST_HITS, 4 * search.limit) + extra
    rarer = _rarer(conn, search, words, rows)
    wanted, times = _match(search, rarer, columns), 1
    if others := [word for word in words if word not in rarer]:
        # Each word stands twice, so that none counts for more than another.
        either = _either([*rarer, *others, *others], columns)
        wanted, times = f"{wanted} AND {either}", 2
    name = search.table.name
    found = conn.execute(
        f"SELECT rowid, -bm25({name}_fts, 0, 1, 0.2) AS bm25 FROM {name}_fts"
        f" WHERE {name}_fts MATCH ? ORDER BY bm25 DESC, rowid DESC LIMIT ?",
        (wanted, most if search.chosen is None else -1),
    ).fetchall()
    seqs, bm25 = zip(*found, strict=True) if found else ((), ())
    return np.array(seqs, np.int64), np.array(bm25, np.float32) / np.float32(times)


def _frequent(
    conn: sqlite3.Connection,
    search: Search,
    names: list[str],
    rows: int,
) -> list[str]:
    """Return the names that a good part of the scope's ``rows`` mention."""
    least = max(2, int(np.ceil(FREQUENT * rows)))
    return [word for word in names if _count(conn, search, word, least) >= least]


def _rarer(
    conn: sqlite3.Connection, search: Search, words: list[str], rows: int
) -> list[str]:
    """Return the words by which to find enough of the ``rows``, the rarest first.

    BM25 takes about as long for every row that is found, however little it says: those
    that have none of these words would hardly be among the best.
    """
    if rows < MANY_ROWS:
        return words
    common = int(COMMON * rows)
    counts = sorted((_count(conn, search, word, common), word) for word in words)
    rarer: list[str] = []
    found = 0
    for count, word in counts:
        if rarer and (found >= ENOUGH_FOUND or count == common):
            break
        rarer.append(word)
        found += count
    return rarer


def _count(conn: sqlite3.Connection, search: Search, word: str, most: int) -> int:
    """Return how many rows of the scope have a word, at most ``most``."""
    name = search.table.name
    found: tuple[int] = conn.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {name}_fts"
        f" WHERE {name}_fts MATCH ? LIMIT ?)",
        (_match(search, [word], "text"), most),
    ).fetchone()
    return found[0]


def _match(search: Search, words: list[str], columns: str) -> str:
    """Return an FTS5 expression: in the scope, any of the words."""
    tokens = scope_tokens(search.table, search.scope)
    scoped = f"scope : ({tokens}) AND " if tokens else ""
    return scoped + _either(words, columns)


def _either(words: list[str], columns: str) -> str:
    quoted = " OR ".join(f'"{word}"' for word in words)
    return f"{{{columns}}} : ({quoted})"
