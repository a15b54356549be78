"""Facts in a hosted service."""

from __future__ import annotations

import functools

from memio.exceptions import NotFoundError
from memio.hosted.collection import Collection, Service
from memio.hosted.rows import Row, Scope, as_moment, new_row
from memio.hosted.store import (
    HostedStore,
    chosen_by,
    matching,
    page_of,
    require_ready,
)
from memio.models import KEEP, Fact, Filters, Keep, Metadata, Mode, Page


class HostedFacts(HostedStore):
    """``FactStore`` over a collection of rows."""

    def __init__(
        self, provider: str, service: Service, rows: Collection, *, timeout: float
    ) -> None:
        super().__init__(provider, service, timeout=timeout)
        self._rows = rows

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Fact:
        row = new_row(content, metadata, scope=Scope(user_id, agent_id))
        return _fact(await self._write("add", row.id, lambda: self._rows.put(row)))

    async def get(self, *, fact_id: str) -> Fact:
        row = await self._read("get", lambda: self._require(fact_id))
        return _fact(require_ready(row))

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Fact]:
        chosen, scope = chosen_by(filters), Scope(user_id, agent_id)
        rows = await self._read("get_all", lambda: self._rows.scan(scope))
        page, following = page_of(matching(rows, chosen), limit, cursor)
        return Page(map(_fact, page), following)

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
        scope = Scope(user_id, agent_id)
        ranked = functools.partial(
            self._ranked,
            query,
            limit=limit,
            filters=filters,
            mode=mode,
            min_score=min_score,
            scan=lambda: self._rows.scan(scope),
            rank=lambda most: self._rows.rank(query, scope, most),
        )
        hits = await self._read("search", ranked)
        return [_fact(row, score) for row, score in hits]

    async def update(
        self, *, fact_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Fact:
        async def work() -> Row:
            old = await self._require(fact_id)
            new = old.changed(content, metadata)
            if not await self._rows.replace(old, new):
                raise NotFoundError("fact", fact_id)
            return new

        return _fact(await self._write("update", fact_id, work))

    async def delete(self, *, fact_id: str) -> None:
        async def work() -> None:
            if not await self._rows.drop([await self._require(fact_id)]):
                raise NotFoundError("fact", fact_id)

        await self._write("delete", fact_id, work)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        chosen, scope = chosen_by(filters), Scope(user_id, agent_id)

        async def work() -> int:
            rows = matching(await self._rows.scan(scope), chosen)
            return len(rows) if dry_run or not rows else await self._rows.drop(rows)

        return await self._calls.run("delete_all", work)

    async def _require(self, fact_id: str) -> Row:
        row = await self._rows.find(fact_id)
        if row is None:
            raise NotFoundError("fact", fact_id)
        return row


def _fact(row: Row, score: float | None = None) -> Fact:
    return Fact(
        id=row.id,
        content=row.text,
        user_id=row.user_id,
        agent_id=row.agent_id,
        metadata=row.metadata,
        score=score,
        created_at=as_moment(row.created),
        updated_at=as_moment(row.updated),
    )
