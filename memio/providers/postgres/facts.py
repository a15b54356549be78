"""Facts in PostgreSQL."""

from __future__ import annotations

from typing import cast

from memio.exceptions import NotFoundError
from memio.ids import uuid7
from memio.metadata import load_metadata
from memio.models import KEEP, Fact, Filters, Keep, Metadata, Mode, Page
from memio.providers.postgres import index, rows, search
from memio.providers.postgres.connection import Connection, Row
from memio.providers.postgres.rows import Where
from memio.providers.postgres.store import PostgresStore
from memio.providers.postgres.tables import FACTS, Parameters
from memio.retrieval.passages import Text
from memio.retrieval.text import capitalised


class PostgresFactAdapter(PostgresStore):
    """``FactStore`` in PostgreSQL."""

    TABLE = FACTS
    TAKEN_OVER = ("facts",)

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Fact:
        fact_id, stored = uuid7(), rows.dump(metadata)
        parts = await self._embed([_text(content)], [fact_id])
        given = Parameters((fact_id, user_id, agent_id, content, *stored))
        sql = (
            "WITH r AS (INSERT INTO facts (id, user_id, agent_id, content, metadata,"
            " filterable, created_at, updated_at)"
            " SELECT $1, $2, $3, $4, $5, $6, now, now FROM clock_timestamp() AS now"
            f" RETURNING *), parts AS ({index.store(FACTS, 'r', parts, given)})"
            f" SELECT {FACTS.columns} FROM r"
        )
        row = await self._db.write("add", lambda conn: conn.fetchrow(sql, *given))
        return _fact(cast("Row", row))

    async def get(self, *, fact_id: str) -> Fact:
        row = await rows.fetch_id(self._db, FACTS, fact_id)
        if row is None:
            raise NotFoundError("fact", fact_id)
        return _fact(row)

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Fact]:
        where = Where(FACTS, (user_id, agent_id), filters)
        found, following = await rows.page(
            self._db, "get_all", where, limit=limit, cursor=cursor
        )
        return Page(map(_fact, found), following)

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
        where = Where(FACTS, (user_id, agent_id), filters)
        return await search.run(
            self._db, search.Search(where, query, limit, mode, min_score), _fact
        )

    async def update(
        self, *, fact_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Fact:
        stored = None if metadata is KEEP else rows.dump(metadata)
        parts = await self._embed([_text(content)], [fact_id])

        async def work(conn: Connection) -> Row:
            async with conn.transaction():
                row = await rows.replace(conn, FACTS, fact_id, content, stored)
                if row is None:
                    raise NotFoundError("fact", fact_id)
                await self._put_parts(conn, [row["seq"]], parts)
                return row

        return _fact(await self._db.write("update", work))

    async def delete(self, *, fact_id: str) -> None:
        where = Where(FACTS, (None, None), also=("r.id = {}", fact_id))
        if not await rows.delete_where(self._db, "delete", where):
            raise NotFoundError("fact", fact_id)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        where = Where(FACTS, (user_id, agent_id), filters)
        return await rows.delete_where(self._db, "delete_all", where, dry_run=dry_run)

    def _text(self, row: Row) -> Text:
        return _text(row["content"])


def _text(content: str) -> Text:
    """Return a fact's text; the first name in it is taken for whom it is about."""
    return Text(content, next(iter(capitalised(content)), ""))


def _fact(row: Row, score: float | None = None) -> Fact:
    return Fact(
        id=row["id"],
        content=row["content"],
        user_id=row["user_id"],
        agent_id=row["agent_id"],
        metadata=load_metadata(row["metadata"]),
        score=score,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
