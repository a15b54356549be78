"""Conversations in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from memio.exceptions import ConflictError, NotFoundError
from memio.ids import cursor_at, position_of, uuid7
from memio.metadata import load_metadata
from memio.models import Filters, Message, Mode, Page
from memio.providers.postgres import index, rows, search
from memio.providers.postgres.connection import Connection, Row, affected
from memio.providers.postgres.index import Parts
from memio.providers.postgres.rows import Where
from memio.providers.postgres.store import PostgresStore
from memio.providers.postgres.tables import MESSAGES, Parameters
from memio.retrieval.passages import Text


class PostgresHistoryAdapter(PostgresStore):
    """``HistoryStore`` in PostgreSQL."""

    TABLE = MESSAGES
    TAKEN_OVER = ("sessions", "messages")

    async def add(
        self, *, session_id: str, messages: list[Message], user_id: str | None = None
    ) -> list[Message]:
        new = _Batch(messages)
        previous = await self._db.read(
            "add", lambda conn: conn.fetchval(_LAST, session_id)
        )
        said = [previous or "", *(message.content for message in messages)]
        texts = [
            _text(message.content, message.name or message.role, before)
            for message, before in zip(messages, said, strict=False)
        ]
        parts = await self._embed(texts, new.ids) if messages else Parts()

        async def work(conn: Connection) -> Sequence[Row]:
            async with conn.transaction():
                session, owner = await _begin(conn, session_id, user_id)
                return await new.insert(conn, session, owner, parts)

        return [_message(row) for row in await self._db.write("add", work)]

    async def get(
        self,
        *,
        session_id: str,
        limit: int = 50,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Message]:
        where = Where(MESSAGES, (await self._session("get", session_id), None), filters)
        found, following = await rows.page(
            self._db, "get", where, limit=limit, cursor=cursor
        )
        return Page(map(_message, reversed(found)), following)

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[str]:
        given = Parameters((limit + 1,))
        wanted = []
        if user_id is not None:
            wanted.append(f" AND user_id = {given.add(user_id)}")
        if cursor is not None:
            wanted.append(f" AND seq < {given.add(position_of(cursor))}")
        sql = (
            f"SELECT seq, id FROM sessions WHERE true{''.join(wanted)}"
            " ORDER BY seq DESC LIMIT $1"
        )
        found = await self._db.read("get_all", lambda conn: conn.fetch(sql, *given))
        following = cursor_at(found[limit - 1]["seq"]) if len(found) > limit else None
        return Page((row["id"] for row in found[:limit]), following)

    async def search(
        self,
        *,
        query: str,
        session_id: str | None = None,
        user_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Message]:
        session = None
        if session_id is not None:
            session = await self._session("search", session_id)
        where = Where(MESSAGES, (session, user_id), filters)
        return await search.run(
            self._db, search.Search(where, query, limit, mode, min_score), _message
        )

    async def delete(self, *, session_id: str) -> None:
        sql = "DELETE FROM sessions WHERE id = $1"
        status = await self._db.write(
            "delete", lambda conn: conn.execute(sql, session_id)
        )
        if not affected(status):
            raise NotFoundError("session", session_id)

    async def delete_all(
        self, *, user_id: str | None = None, dry_run: bool = False
    ) -> int:
        condition = "true" if user_id is None else "user_id = $1"
        given = () if user_id is None else (user_id,)
        if dry_run:
            sql = f"SELECT count(*) FROM sessions WHERE {condition}"
            return int(
                await self._db.read(
                    "delete_all", lambda conn: conn.fetchval(sql, *given)
                )
            )
        sql = f"DELETE FROM sessions WHERE {condition}"
        status = await self._db.write(
            "delete_all", lambda conn: conn.execute(sql, *given)
        )
        return affected(status)

    async def _session(self, operation: str, session_id: str) -> int:
        sql = "SELECT seq FROM sessions WHERE id = $1"
        found = await self._db.read(
            operation, lambda conn: conn.fetchval(sql, session_id)
        )
        if found is None:
            raise NotFoundError("session", session_id)
        return int(found)

    def _text(self, row: Row) -> Text:
        return _text(row["content"], row["name"] or row["role"], row["previous"])


_LAST = (
    "SELECT content FROM messages WHERE session ="
    " (SELECT seq FROM sessions WHERE id = $1) ORDER BY seq DESC LIMIT 1"
)


class _Batch:
    """Messages that are to be added together, a list for each column."""

    def __init__(self, messages: Sequence[Message]) -> None:
        stored = [rows.dump(message.metadata) for message in messages]
        self.ids = [uuid7() for _ in messages]
        self._columns = [
            self.ids,
            [message.role for message in messages],
            [message.name for message in messages],
            [message.content for message in messages],
            [metadata for metadata, _ in stored],
            [filterable for _, filterable in stored],
            [(each.timestamp or datetime.now(UTC)).isoformat() for each in messages],
        ]

    async def insert(
        self, conn: Connection, session: int, owner: str | None, parts: Parts
    ) -> Sequence[Row]:
        """Append them to a session, in the caller's transaction."""
        if not self.ids:
            return []
        given = Parameters((session, owner, *self._columns))
        sql = (
            "WITH r AS (INSERT INTO messages (session, user_id, id, role, name,"
            " content, metadata, filterable, timestamp)"
            " SELECT $1, $2, id, role, name, content, metadata, filterable, timestamp"
            " FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::json[],"
            " $8::jsonb[], $9::text[]) WITH ORDINALITY AS new (id, role, name, content,"
            " metadata, filterable, timestamp, place) ORDER BY place RETURNING *),"
            f" parts AS ({index.store(MESSAGES, 'r', parts, given)})"
            f" SELECT {MESSAGES.columns} FROM r ORDER BY r.seq"
        )
        return await conn.fetch(sql, *given)


async def _begin(
    conn: Connection, session_id: str, user_id: str | None
) -> tuple[int, str | None]:
    """Return the session's number and owner, having made it if need be.

    The session is locked: batches follow each other, and it cannot be deleted.
    """
    row = None
    while row is None:  # somebody may delete what is there, or add what is not
        row = await conn.fetchrow(
            "SELECT seq, user_id FROM sessions WHERE id = $1 FOR NO KEY UPDATE",
            session_id,
        ) or await conn.fetchrow(
            "INSERT INTO sessions (id, user_id) VALUES ($1, $2)"
            " ON CONFLICT (id) DO NOTHING RETURNING seq, user_id",
            session_id,
            user_id,
        )
    owner = row["user_id"]
    if user_id not in {None, owner}:
        whose = "another user" if owner else "nobody"
        raise ConflictError(
            f"session '{session_id}' belongs to {whose}; choose another session"
        )
    return row["seq"], owner


def _text(content: str, speaker: str, previous: str) -> Text:
    return Text(content, speaker, previous, spoken=True)


def _message(row: Row, score: float | None = None) -> Message:
    return Message(
        role=row["role"],
        content=row["content"],
        metadata=load_metadata(row["metadata"]),
        timestamp=datetime.fromisoformat(row["timestamp"]),
        name=row["name"],
        id=row["id"],
        session_id=row["session_id"],
        score=score,
    )
