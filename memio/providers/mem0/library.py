"""Mem0's open source library, on one thread of its own."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from memio.calls import Threads
from memio.embedding import Embedder
from memio.exceptions import (
    NotSupportedError,
    ProviderTimeoutError,
    SetupError,
)
from memio.hosted import Collection, Hits, Row, Scope, Service
from memio.providers.mem0 import assembly
from memio.providers.mem0.rows import (
    OWNER,
    Memory,
    entities,
    metadata_of,
    row_of,
    says_the_same,
    scope_of,
    share,
)
from memio.providers.mem0.sdk import failures, import_mem0
from memio.providers.mem0.settings import Mem0Settings

T = TypeVar("T")

EMBEDDER_FIELD = "memio_embedder"
"""The key, in a memory's metadata, of which of memio's embedders made its vector."""

MOST_READ = 10_000
"""How many memories are read at once: more than that, many vector stores refuse."""

_FILTERS_LATE = "faiss"
"""The vector store that searches everybody's memories and drops others' afterwards."""

_POOL = 4
"""Mem0 takes so many times more candidates from its vector store than it answers."""

_MOST_DROPPED = 50
"""How many memories are deleted before other calls have their turn on the thread."""

_PATIENCE = 5.0
"""Seconds that closing waits for the thread."""

_log = logging.getLogger("memio")


class LibraryMem0(Collection, Service):
    """Rows in Mem0's ``Memory``.

    Its embedded vector stores lose deletions when several threads write to them, so
    everything happens on one thread, one call after the other. What memio adds also
    has the ``run_id`` OWNER, because Mem0 lists and searches nothing without an id: so
    without a user and an agent these memories are meant, and no other program's.
    """

    def __init__(
        self, settings: Mem0Settings, embedder: Embedder | None, directory: Path
    ) -> None:
        self._settings, self._embedder = settings, embedder
        self._directory = directory
        self._thread = Threads("memio-mem0", 1)
        self._lock: IO[bytes] | None = None
        self._memory: Any = None

    async def open(self) -> None:
        """Import Mem0, make its ``Memory`` and see that the vectors are comparable.

        Raises:
            SetupError: It cannot be made as it is configured.
            ProviderTimeoutError: It takes too long to be made.
        """
        await asyncio.to_thread(import_mem0, self._directory)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._run(lambda: self._build(loop))
        except TimeoutError as error:
            await self.close()
            raise ProviderTimeoutError("mem0", "open", error) from error
        except BaseException:
            await self.close()
            raise
        _log.info(
            "mem0: embeds with %s; %s",
            "memio's embedder" if self._embedder else "an embedder of its own",
            "its LLM words the facts" if self._settings.infers else "infer is false",
        )

    async def close(self) -> None:
        closed = self._thread.submit(self._close)
        self._thread.close()
        # A call that hangs may hold the thread; it closes once that returns.
        with suppress(TimeoutError):
            await asyncio.to_thread(closed.result, _PATIENCE)

    async def ping(self) -> None:
        await self._run(lambda: self._list(Scope(), 1))

    async def put(self, row: Row) -> Row:
        return await self._run(lambda: self._put(row))

    async def find(self, row_id: str) -> Row | None:
        memory = await self._run(lambda: self._get(row_id))
        return None if memory is None else row_of(memory)

    async def scan(self, scope: Scope) -> list[Row]:
        found = await self._run(lambda: self._list(scope, MOST_READ))
        if len(found) >= MOST_READ:
            raise NotSupportedError(
                "mem0",
                "reading the whole scope",
                f"it holds {MOST_READ} facts or more and Mem0 has no pages; give a "
                "user_id or an agent_id, or search by meaning without filters.",
            )
        return [row for row in map(row_of, found) if scope.holds(row)]

    async def rank(self, query: str, scope: Scope, limit: int) -> Hits:
        # Of what Mem0 answers, foreign rows may be dropped below.
        def work() -> Hits:
            store = self._memory.vector_store
            late = self._memory.config.vector_store.provider == _FILTERS_LATE
            asked = max(limit, store.index.ntotal // _POOL + 1) if late else limit
            found = self._memory.search(
                query, filters=_filters(scope), top_k=asked, threshold=0.0
            )["results"]
            rows = [(row_of(each), share(each["score"])) for each in found]
            mine = [(row, score) for row, score in rows if scope.holds(row)]
            return Hits(mine, whole=len(found) < asked)

        return await self._run(work)

    async def replace(self, old: Row, new: Row) -> bool:
        def work() -> bool:
            if self._get(old.id) is None:
                return False
            self._memory.update(old.id, text=new.text, metadata=self._metadata(new))
            return True

        return await self._run(work)

    async def drop(self, rows: Sequence[Row]) -> int:
        ids, dropped = [row.id for row in rows], 0
        for start in range(0, len(ids), _MOST_DROPPED):
            batch = ids[start : start + _MOST_DROPPED]
            dropped += await self._run(partial(self._drop, batch))
        return dropped

    async def _run(self, work: Callable[[], T]) -> T:
        with failures():
            return await asyncio.wrap_future(self._thread.submit(work))

    # --- on the thread ----------------------------------------------------------------

    def _build(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._settings.is_embedded:
            self._lock = assembly.lock(self._settings, self._directory)
        self._memory = assembly.build(
            self._settings, self._embedder, self._directory, loop
        )
        if self._embedder is None:
            return
        for memory in self._list(Scope(), 1):
            mine = self._embedder.fingerprint
            theirs = (memory.get("metadata") or {}).get(EMBEDDER_FIELD, mine)
            if theirs != mine:
                raise SetupError(
                    f"Mem0's vectors were made by {theirs}, not {mine}: configure the "
                    "former embedder again, or another collection_name in "
                    "vector_store.config."
                )

    def _close(self) -> None:
        memory, self._memory = self._memory, None
        try:
            if memory is not None:
                assembly.close(memory)
        finally:
            if self._lock is not None:
                self._lock.close()

    def _put(self, row: Row) -> Row:
        """Add a text; of several memories that Mem0 makes of it the first counts."""
        if self._settings.infers:
            memory = self._add(row, infer=True)
            if memory is not None:
                return row_of(memory)
            # Mem0 found nothing new in it.
            there = map(row_of, self._list(scope_of(row), MOST_READ))
            same = next((each for each in there if says_the_same(each, row)), None)
            if same is not None:
                return same
        memory = self._add(row, infer=False)
        if memory is None:
            raise RuntimeError("Mem0 stored nothing")
        return row_of(memory)

    def _add(self, row: Row, *, infer: bool) -> Memory | None:
        answer = self._memory.add(
            row.text,
            **entities(scope_of(row)),
            run_id=OWNER,
            metadata=self._metadata(row),
            infer=infer,
        )
        made = answer["results"]
        return self._get(made[0]["id"]) if made else None

    def _metadata(self, row: Row) -> dict[str, str]:
        if self._embedder is None:
            return metadata_of(row)
        return {**metadata_of(row), EMBEDDER_FIELD: self._embedder.fingerprint}

    def _get(self, memory_id: str) -> Memory | None:
        if not _is_uuid(memory_id):
            return None  # all of Mem0's are, and some vector stores fail on others
        memory: Memory | None = self._memory.get(memory_id)
        return memory

    def _drop(self, ids: Sequence[str]) -> int:
        there = [memory_id for memory_id in ids if self._get(memory_id) is not None]
        for memory_id in there:
            self._memory.delete(memory_id)
        return len(there)

    def _list(self, scope: Scope, most: int) -> list[Memory]:
        # With the expired ones, for else Mem0 asks its vector store for more than this.
        answer = self._memory.get_all(
            filters=_filters(scope), top_k=most, show_expired=True
        )
        found: list[Memory] = answer["results"]
        return found


def _filters(scope: Scope) -> dict[str, str]:
    return entities(scope) or {"run_id": OWNER}


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
