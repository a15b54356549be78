"""Facts in a collection of an engine."""

from __future__ import annotations

from memio.ids import uuid7
from memio.models import KEEP, Fact, Filters, Keep, Metadata, Mode, Page
from memio.vectorstore.record import Record, moment
from memio.vectorstore.search import Search, search
from memio.vectorstore.store import VectorStore, where


class VectorFactStore(VectorStore):
    """``FactStore`` in a collection."""

    KIND = "fact"

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Fact:
        new = self._make(uuid7(), metadata, user_id=user_id, agent_id=agent_id)
        return _fact(*await self._insert("add", new, content))

    async def get(self, *, fact_id: str) -> Fact:
        return _fact(*await self._read("get", fact_id))

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Fact]:
        rows, chosen = where(filters, user_id, agent_id)
        page, following = await self._page(rows, limit, cursor, chosen)
        return Page((_fact(*stored) for stored in page), following)

    async def search(
        self,
        *,
        query: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Fact]:
        rows, chosen = where(filters, user_id, agent_id)
        asked = Search(query, limit, mode, min_score, rows, chosen, has_prior=True)
        found = await search(self._collection, self._embedder, asked)
        return [_fact(*row) for row in found]

    async def update(
        self, *, fact_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Fact:
        return _fact(*await self._update("update", fact_id, content, metadata))

    async def delete(self, *, fact_id: str) -> None:
        await self._delete(fact_id)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        rows, chosen = where(filters, user_id, agent_id)
        return await self._delete_all(rows, chosen, dry_run=dry_run)


def _fact(row: Record, text: str, score: float | None = None) -> Fact:
    return Fact(
        id=row.key,
        content=text,
        user_id=row.user_id,
        agent_id=row.agent_id,
        metadata=row.metadata,
        score=score,
        created_at=moment(row.created),
        updated_at=moment(row.updated),
    )
