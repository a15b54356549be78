"""Facts in the embedded database."""

from __future__ import annotations

import sqlite3
from functools import partial

from memio.exceptions import NotFoundError
from memio.ids import uuid7
from memio.metadata import dump_metadata, load_metadata
from memio.models import KEEP, Fact, Filters, Keep, Metadata, Mode, Page
from memio.providers.local import index, rows, search, tables
from memio.providers.local.rows import Row
from memio.providers.local.store import LocalStore
from memio.providers.local.tables import FACTS
from memio.retrieval.passages import Text
from memio.retrieval.text import capitalised


class LocalFactAdapter(LocalStore):
    """``FactStore`` in the embedded database."""

    TABLE = FACTS

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Fact:
        stored = dump_metadata(metadata)
        (entry,) = await self._embed(_text(content))

        def work(conn: sqlite3.Connection) -> Row:
            fact_id, now = uuid7(), rows.now()
            row = {
                "id": fact_id,
                "user_id": user_id,
                "agent_id": agent_id,
                "content": content,
                "metadata": stored,
                "created_at": now,
                "updated_at": now,
            }
            seq = rows.insert(conn, FACTS, row)
            index.put(conn, FACTS, seq, (user_id, agent_id), entry)
            return row

        return _fact(await self._db.write("add", work))

    async def get(self, *, fact_id: str) -> Fact:
        work = partial(_row, fact_id=fact_id)
        return _fact(await self._db.read("get", work, is_short=True))

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Fact]:
        found, following = await self._page(
            (user_id, agent_id), limit=limit, cursor=cursor, filters=filters
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
        scope = (user_id, agent_id)
        chosen = self._chosen(filters)
        return await search.run(
            self._db,
            search.Search(
                "search", FACTS, scope, query, limit, mode, min_score, chosen
            ),
            _fact,
        )

    async def update(
        self, *, fact_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Fact:
        given = None if metadata is KEEP else dump_metadata(metadata)
        (entry,) = await self._embed(_text(content))

        def work(conn: sqlite3.Connection) -> Row:
            row = _row(conn, fact_id)
            stored = row["metadata"] if metadata is KEEP else given
            now = max(rows.now(), row["updated_at"] + 1)
            conn.execute(
                "UPDATE facts SET content = ?, metadata = ?, updated_at = ?"
                " WHERE seq = ?",
                (content, stored, now, row["seq"]),
            )
            scope = (row["user_id"], row["agent_id"])
            index.put(conn, FACTS, row["seq"], scope, entry)
            return _row(conn, fact_id)

        return _fact(await self._db.write("update", work))

    async def delete(self, *, fact_id: str) -> None:
        def work(conn: sqlite3.Connection) -> None:
            index.delete(conn, FACTS, [_row(conn, fact_id)["seq"]])

        await self._db.write("delete", work)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        condition = tables.where(FACTS, (user_id, agent_id))
        chosen = self._chosen(filters)
        work = partial(
            rows.delete_where,
            table=FACTS,
            condition=condition,
            chosen=chosen,
            dry_run=dry_run,
        )
        run = self._db.read if dry_run else self._db.write
        return await run("delete_all", work)

    def _text(self, row: Row) -> Text:
        return _text(row["content"])


def _text(content: str) -> Text:
    """Return a fact's text; the first name in it is taken for whom it is about."""
    return Text(content, next(iter(capitalised(content)), ""))


def _row(conn: sqlite3.Connection, fact_id: str) -> Row:
    row = rows.fetch_id(conn, FACTS, fact_id)
    if row is None:
        raise NotFoundError("fact", fact_id)
    return row


def _fact(row: Row, score: float | None = None) -> Fact:
    return Fact(
        id=row["id"],
        content=row["content"],
        user_id=row["user_id"],
        agent_id=row["agent_id"],
        metadata=load_metadata(row["metadata"]),
        score=score,
        created_at=rows.as_moment(row["created_at"]),
        updated_at=rows.as_moment(row["updated_at"]),
    )
