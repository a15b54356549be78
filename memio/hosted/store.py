"""What all stores in hosted services do alike: deadlines, pages, filters, search."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import httpx

from memio.calls import Calls
from memio.exceptions import OverloadedError
from memio.filters import Predicate, matcher, parse
from memio.hosted.collection import Hits, Service
from memio.hosted.rows import Row
from memio.models import Filters, Mode
from memio.retrieval import keywords

T = TypeVar("T")

MOST_HITS = 100
"""How many hits a service is asked for where not all of them will count."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LATE = frozenset({408, 504})


class HostedStore:
    """The calls of a store, its locks, and what it does with rows once it has them.

    Args:
        provider: Its name, for errors.
        service: Where the store is kept.
        timeout: Seconds that an operation may take, all its requests together.
    """

    def __init__(self, provider: str, service: Service, *, timeout: float) -> None:
        self._provider, self._service = provider, service
        self._calls = Calls(
            provider,
            timeout=timeout,
            is_transient=_is_transient,
            is_timeout=_is_timeout,
        )
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock]
        self._locks = weakref.WeakValueDictionary()

    async def open(self) -> None:
        """Make the client; nothing is asked of the service yet."""
        await self._service.open()

    async def close(self) -> None:
        """Let go of the client."""
        await self._service.close()

    async def ping(self) -> None:
        """Ask the service for something small."""
        await self._read("ping", self._service.ping)

    async def _read(self, operation: str, work: Callable[[], Awaitable[T]]) -> T:
        return await self._calls.run(operation, work, idempotent=True)

    async def _write(
        self, operation: str, key: str, work: Callable[[], Awaitable[T]]
    ) -> T:
        """Run a write; those of one key wait for each other, within this process."""
        lock = self._locks.setdefault(key, asyncio.Lock())

        async def locked() -> T:
            async with lock:
                return await work()

        return await self._calls.run(operation, locked)

    async def _ranked(
        self,
        query: str,
        *,
        limit: int,
        filters: Filters | None,
        mode: Mode,
        min_score: float | None,
        scan: Callable[[], Awaitable[Iterable[Row]]],
        rank: Callable[[int], Awaitable[Hits]],
    ) -> list[tuple[Row, float]]:
        """Search the rows that ``scan`` returns and ``rank`` ranks.

        Both meaning and meaning with words are the service's own ranking. Where that
        ends before ``limit`` rows match the filter, the others follow by their words.
        """
        chosen = chosen_by(filters)
        if is_blank(query):
            return []
        if mode == "keyword":
            scored = by_words(query, matching(await scan(), chosen))
            found = [(row, score) for row, score in scored if score > 0]
        else:
            hits = await rank(limit if chosen is None else max(limit, MOST_HITS))
            found = [
                (row, score)
                for row, score in hits.rows
                if row.ready and (chosen is None or chosen(row.metadata))
            ]
            if len(found) < limit and not hits.whole:
                seen = {row.id for row, _ in found}
                rest = [r for r in matching(await scan(), chosen) if r.id not in seen]
                least = min((score for _, score in found), default=1.0)
                found += [(row, least * score) for row, score in by_words(query, rest)]
        least = min_score or 0.0
        return [(row, score) for row, score in found[:limit] if score >= least]


def chosen_by(filters: Filters | None) -> Predicate | None:
    """Return what a filter tests; None if it lets everything pass."""
    return matcher(parse(filters)) if filters else None


def matching(rows: Iterable[Row], chosen: Predicate | None) -> list[Row]:
    """Return the rows that a filter lets pass."""
    return [row for row in rows if chosen is None or chosen(row.metadata)]


def is_blank(query: str) -> bool:
    """Tell whether a query holds nothing that a service could search for."""
    return not any(char.isprintable() and not char.isspace() for char in query)


def require_ready(row: Row) -> Row:
    """Return the row.

    Raises:
        OverloadedError: Its text cannot be read yet.
    """
    if not row.ready:
        raise OverloadedError("The text is still being processed; try again.")
    return row


def by_words(query: str, rows: list[Row]) -> list[tuple[Row, float]]:
    """Return rows and how well their words answer the query, best first."""
    rows = [row for row in rows if row.ready]
    scores = map(float, keywords.rank(query, [row.text for row in rows]))
    return best_first(zip(rows, scores, strict=True))


def best_first(hits: Iterable[tuple[Row, float]]) -> list[tuple[Row, float]]:
    """Return hits by falling score; of equals the one that came first."""
    return sorted(hits, key=lambda hit: hit[1], reverse=True)


def page_of(
    rows: Iterable[Row], limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """Return the newest rows behind the cursor, and the cursor to go on with."""
    before = None if cursor is None else _position(cursor)
    ordered = sorted(
        (r for r in rows if r.ready and (before is None or r.order < before)),
        key=lambda row: row.order,
        reverse=True,
    )
    page = ordered[:limit]
    return page, _cursor(page[-1]) if len(ordered) > limit else None


def _cursor(row: Row) -> str:
    return f"{row.created:016x}{row.id.encode().hex()}"


def _position(cursor: str) -> tuple[int, str]:
    """Read a cursor; any hex string has a meaning."""
    return int(cursor[:16], 16), bytes.fromhex(cursor[16:]).decode(errors="replace")


def _is_transient(error: Exception) -> bool:
    passing = (httpx.TransportError, ConnectionError, TimeoutError)
    return (
        isinstance(error, passing)
        or isinstance(error.__cause__, httpx.TransportError)
        or getattr(error, "status_code", None) in _PASSING
    )


def _is_timeout(error: Exception) -> bool:
    return (
        isinstance(error, httpx.TimeoutException)
        or isinstance(error.__cause__, httpx.TimeoutException)
        or getattr(error, "status_code", None) in _LATE
    )
