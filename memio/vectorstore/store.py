"""What fact and document stores have in common: their life, and rows by key."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, ClassVar, Final

from memio.embedding import Embedder, make_embedder
from memio.exceptions import NotFoundError, SetupError
from memio.filters import Predicate, matcher, parse
from memio.ids import uuid7
from memio.models import KEEP, Filters, Keep, Metadata
from memio.retrieval.text import chunks
from memio.vectorstore.collection import Collection, Vectors, Where
from memio.vectorstore.narrow import narrow
from memio.vectorstore.record import Record

_LOCKS: Final = 64
_AT_LEAST: Final = 100  # rows that are read at a time
_AT_ONCE: Final = 1000  # rows that are deleted, or tested by a filter, at a time

Stored = tuple[Record, str]
"""A record and its text."""


class VectorStore:
    """A store in a collection of an engine.

    Args:
        collection: Where the rows are.
        embedder: Gives texts their vectors, and is open before the store is; if there
            is none, the built-in one is used, which the store opens and closes.
    """

    KIND: ClassVar[str]

    def __init__(self, collection: Collection, embedder: Embedder | None) -> None:
        self._collection = collection
        self._owns_embedder = embedder is None
        self._embedder = embedder or make_embedder("static", {})
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]
        self._last = 0

    async def open(self) -> None:
        """Connect to the collection, creating it if there is none.

        Raises:
            SetupError: It cannot be opened, or holds something else.
        """
        try:
            if self._owns_embedder:
                await self._embedder.open()
            await self._collection.open(self._embedder.dim)
            rows, _ = await self._collection.newest("open", Where(), None, 1)
            for row in rows[:1]:
                self._check(row)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the collection; may be called twice."""
        await self._collection.close()
        if self._owns_embedder:
            await self._embedder.close()

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        await self._collection.ping()

    def _check(self, row: Record) -> None:
        mine = self._embedder.fingerprint
        if row.kind != self.KIND:
            raise SetupError(
                f"{self._collection.name} holds {row.kind}s, not {self.KIND}s; "
                "set another collection_name."
            )
        if row.model != mine:
            raise SetupError(
                f"{self._collection.name} was embedded with {row.model}, and the "
                f"configuration asks for {mine}; set embedding back, or set another "
                "collection_name and add everything again."
            )

    def _make(self, key: str, metadata: Metadata | None, **scope: Any) -> Record:
        """Return a new row."""
        now, origin = self._now(), uuid7()
        model = self._embedder.fingerprint
        return Record(key, self.KIND, now, now, model, origin, metadata, **scope)

    async def _insert(self, operation: str, new: Record, text: str) -> Stored:
        """Store a row whose key is new."""
        vectors = await self._embed(text)
        await self._collection.insert(operation, new, text, vectors)
        return _as_stored(new), text

    async def _owner(self, operation: str, new: Record) -> Record:
        """Return the row that has the key of one that was just inserted.

        The engine leaves a row that is there alone and does not say so; but its origin
        tells whose it is, whichever process was faster.
        """
        found = await self._collection.fetch(operation, [new.key], texts=False)
        # Not there at all: it was, and somebody has deleted it since.
        return found[new.key][0] if new.key in found else new

    async def _read(self, operation: str, key: str, *, texts: bool = True) -> Stored:
        found = await self._collection.fetch(operation, [key], texts=texts)
        if key not in found:
            raise NotFoundError(self.KIND, key)
        return found[key]

    async def _update(
        self, operation: str, key: str, text: str, metadata: Metadata | Keep | None
    ) -> Stored:
        vectors = await self._embed(text)
        async with self._lock(key):
            old, _ = await self._read(operation, key, texts=False)
            return await self._replace(operation, old, text, metadata, vectors)

    async def _replace(
        self,
        operation: str,
        old: Record,
        text: str,
        metadata: Metadata | Keep | None,
        vectors: Vectors,
    ) -> Stored:
        """Store new content for a row; call it with the lock of its key."""
        new = replace(
            old,
            metadata=old.metadata if metadata is KEEP else metadata,
            updated=max(self._now(), old.updated + 1),
            model=self._embedder.fingerprint,
        )
        await self._collection.replace(operation, new, text, vectors, old)
        return _as_stored(new), text

    async def _delete(self, key: str) -> None:
        async with self._lock(key):
            await self._read("delete", key, texts=False)
            await self._collection.delete("delete", [key])

    async def _page(
        self, where: Where, limit: int, cursor: str | None, chosen: Predicate | None
    ) -> tuple[list[Stored], str | None]:
        """Return rows, newest first, and the cursor of the page after them if any."""
        found: list[Record] = []
        least = max(limit + 1, _AT_LEAST if chosen is None else _AT_ONCE)
        before, more = cursor, True
        while more and len(found) <= limit:
            rows, more = await self._collection.newest("get_all", where, before, least)
            found += [row for row in rows if chosen is None or chosen(row.metadata)]
            before = rows[-1].place if rows else None
        page = found[:limit]
        stored = await self._collection.fetch("get_all", [row.key for row in page])
        following = page[-1].place if len(found) > limit else None
        # Those that are gone by now were deleted meanwhile.
        return [stored[row.key] for row in page if row.key in stored], following

    async def _delete_all(
        self, where: Where, chosen: Predicate | None, *, dry_run: bool
    ) -> int:
        count, before, more = 0, None, True
        while more:
            rows, more = await self._collection.newest(
                "delete_all", where, before, _AT_ONCE
            )
            keys = [row.key for row in rows if chosen is None or chosen(row.metadata)]
            for start in range(0, 0 if dry_run else len(keys), _AT_ONCE):
                batch = keys[start : start + _AT_ONCE]
                await self._collection.delete("delete_all", batch)
            count += len(keys)
            before = rows[-1].place if rows else None
        return count

    async def _embed(self, text: str) -> Vectors:
        return await self._embedder.embed(chunks(text))

    def _lock(self, key: str) -> asyncio.Lock:
        """Return the lock under which a row is read and written again.

        It is this process's: of two processes that update a row at once the later one
        wins, with metadata that the other may just have replaced.
        """
        return self._locks[hash(key) % _LOCKS]

    def _now(self) -> int:
        """Return the time in microseconds since 1970, never the same one twice."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def where(
    filters: Filters | None, user_id: str | None = None, agent_id: str | None = None
) -> tuple[Where, Predicate | None]:
    """Return which rows are meant, and what is left to test of them.

    Raises:
        ValidationError: The filter is malformed.
    """
    if not filters:
        return Where(user_id, agent_id), None
    parsed = parse(filters)
    return Where(user_id, agent_id, narrow(parsed)), matcher(parsed)


def _as_stored(record: Record) -> Record:
    """Return a record as it comes back: with metadata of its own."""
    return Record.load(record.dump())
