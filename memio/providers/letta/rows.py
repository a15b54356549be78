"""Facts and documents in the archival memory of an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from letta_client import NotFoundError

from memio.hosted import (
    Hits,
    Row,
    Scope,
    VersionedCollection,
    created_within,
    newest,
    require,
)
from memio.providers.letta.client import PAGE, LettaService, received, sent

T = TypeVar("T")


class LettaRows(VersionedCollection):
    """The passages of the agent's archive that a store of memio put there."""

    def __init__(self, service: LettaService, store: str) -> None:
        self._letta, self._store = service, store
        self._archive: str | None = None
        self._resolving = asyncio.Lock()

    async def put(self, row: Row) -> Row:
        """Add a passage."""

        async def work(archive: str) -> None:
            made = await self._letta.api.archives.passages.create(
                archive, **sent(row, self._store)
            )
            require(made.id, "Letta")

        await self._in_archive(work)
        return row

    async def find(self, row_id: str) -> Row | None:
        """Look among the passages of the time that an id of memio's tells.

        An id of the caller's own tells none, so that the archive is read whole.
        """
        within = created_within(row_id)

        async def work(archive: str) -> list[Row]:
            found = await self._letta.passages(archive, *(within or ()))
            return newest(received(archive, found, self._store))

        rows = await self._in_archive(work)
        return next((row for row in rows if row.id == row_id), None)

    async def scan(self, scope: Scope) -> list[Row]:
        """Read the whole archive."""

        async def work(archive: str) -> list[Row]:
            found = await self._letta.passages(archive)
            return newest(received(archive, found, self._store))

        return [row for row in await self._in_archive(work) if scope.holds(row)]

    async def rank(self, query: str, scope: Scope, limit: int) -> Hits:  # noqa: ARG002
        """Search the archive, which other stores and the agent itself use too.

        So Letta is asked for as many hits as it gives, whatever the limit.
        """

        async def work(archive: str) -> Hits:
            hits = await self._letta.hits(archive, query)
            passages = [passage for passage, _ in hits]
            rows = received(archive, passages, self._store)
            if not all(passage.metadata for passage in passages):  # as in its cloud
                found = await self._letta.passages(archive)
                rows = received(archive, found, self._store)
            by_passage = {place[1]: row for row in newest(rows) for place in row.places}
            found_rows: dict[str, tuple[Row, float]] = {}
            for passage, score in hits:
                row = by_passage.get(str(passage.id))
                if row is not None and scope.holds(row):
                    found_rows.setdefault(row.id, (row, score))
            return Hits(list(found_rows.values()), whole=len(hits) < PAGE)

        return await self._in_archive(work)

    async def delete(self, places: Sequence[tuple[str, str]]) -> int:
        """Delete passages."""
        return await self._letta.delete(places)

    async def _in_archive(self, work: Callable[[str], Awaitable[T]]) -> T:
        """Do something in the agent's archive; if that was deleted, in a new one."""
        archive = await self._resolve()
        try:
            return await work(archive)
        except NotFoundError:
            if self._archive != archive:
                raise
            self._archive = None
            return await work(await self._resolve())

    async def _resolve(self) -> str:
        """Return the agent's archive, made and attached if it has none."""
        async with self._resolving:
            if self._archive is None:
                agent = self._letta.agent_id
                attached = await self._letta.archives(agent_id=agent)
                if attached:
                    self._archive = attached[0].id
                else:
                    made = await self._letta.make_archive(f"memio {agent}")
                    await self._letta.api.agents.archives.attach(
                        made.id, agent_id=agent
                    )
                    self._archive = made.id
            return str(self._archive)
