"""Conversations in the embedded database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from memio.exceptions import ConflictError, NotFoundError
from memio.ids import cursor_at, position_of, uuid7
from memio.metadata import dump_metadata, load_metadata
from memio.models import Filters, Message, Mode, Page
from memio.providers.local import index, rows, search, tables
from memio.providers.local.index import Indexed
from memio.providers.local.rows import Row
from memio.providers.local.store import LocalStore
from memio.providers.local.tables import MESSAGES
from memio.retrieval.passages import Text


class LocalHistoryAdapter(LocalStore):
    """``HistoryStore`` in the embedded database."""

    TABLE = MESSAGES

    async def add(
        self, *, session_id: str, messages: list[Message], user_id: str | None = None
    ) -> list[Message]:
        metadata = [dump_metadata(message.metadata) for message in messages]
        previous = await self._db.read("add", lambda conn: _last(conn, session_id))
        said = [previous, *(message.content for message in messages)]
        entries = await self._embed(
            *(
                _text(message.content, message.name or message.role, before)
                for message, before in zip(messages, said, strict=False)
            )
        )

        def work(conn: sqlite3.Connection) -> list[Message]:
            session, owner = _begin(conn, session_id, user_id)
            return [
                _insert(conn, session_id, (session, owner), message, dumped, entry)
                for message, dumped, entry in zip(
                    messages, metadata, entries, strict=True
                )
            ]

        return await self._db.write("add", work)

    async def get(
        self,
        *,
        session_id: str,
        limit: int = 50,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Message]:
        chosen = self._chosen(filters)

        def work(conn: sqlite3.Connection) -> tuple[list[Row], str | None]:
            condition = tables.where(MESSAGES, (_session(conn, session_id), None))
            return rows.page(
                conn, MESSAGES, condition, limit=limit, cursor=cursor, chosen=chosen
            )

        found, following = await self._db.read("get", work)
        found.reverse()
        return Page((_message(row, session_id) for row in found), following)

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[str]:
        start = (1 << 63) - 1 if cursor is None else position_of(cursor)
        owned, params = ("", []) if user_id is None else (" AND user_id = ?", [user_id])

        def work(conn: sqlite3.Connection) -> list[tuple[int, str]]:
            return conn.execute(
                f"SELECT seq, id FROM sessions WHERE seq < ?{owned}"
                " ORDER BY seq DESC LIMIT ?",
                (start, *params, limit + 1),
            ).fetchall()

        found = await self._db.read("get_all", work)
        following = cursor_at(found[limit - 1][0]) if len(found) > limit else None
        return Page((session_id for _, session_id in found[:limit]), following)

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
            session = await self._db.read(
                "search", lambda conn: _session(conn, session_id)
            )
        scope, chosen = (session, user_id), self._chosen(filters)
        found = await search.run(
            self._db,
            search.Search(
                "search", MESSAGES, scope, query, limit, mode, min_score, chosen
            ),
            lambda row, score: (row, score),
        )
        sessions = {row["session"] for row, _ in found}
        names = await self._db.read("search", lambda conn: _names(conn, sessions))
        return [
            _message(row, names[row["session"]], score)
            for row, score in found
            if row["session"] in names
        ]

    async def delete(self, *, session_id: str) -> None:
        def work(conn: sqlite3.Connection) -> None:
            _delete(conn, [_session(conn, session_id)])

        await self._db.write("delete", work)

    async def delete_all(
        self, *, user_id: str | None = None, dry_run: bool = False
    ) -> int:
        def work(conn: sqlite3.Connection) -> int:
            sessions = conn.execute(
                "SELECT seq FROM sessions WHERE ? IS NULL OR user_id = ?",
                (user_id, user_id),
            ).fetchall()
            if not dry_run:
                _delete(conn, [seq for (seq,) in sessions])
            return len(sessions)

        run = self._db.read if dry_run else self._db.write
        return await run("delete_all", work)

    def _text(self, row: Mapping[str, Any]) -> Text:
        return _text(row["content"], row["name"] or row["role"], row["previous"])


def _text(content: str, speaker: str, previous: str) -> Text:
    return Text(content, speaker, previous, spoken=True)


def _begin(
    conn: sqlite3.Connection, session_id: str, user_id: str | None
) -> tuple[int, str | None]:
    """Return the session's number and owner, having made it if need be."""
    found = conn.execute(
        "SELECT seq, user_id FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if found is None:
        cursor = conn.execute(
            "INSERT INTO sessions (id, user_id) VALUES (?, ?)", (session_id, user_id)
        )
        return cursor.lastrowid or 0, user_id
    session, owner = found
    if user_id not in {None, owner}:
        whose = "another user" if owner else "nobody"
        raise ConflictError(
            f"session '{session_id}' belongs to {whose}; choose another session"
        )
    return session, owner


def _insert(  # noqa: PLR0917 (a row's parts)
    conn: sqlite3.Connection,
    session_id: str,
    scope: tuple[int, str | None],
    message: Message,
    metadata: str | None,
    entry: Indexed,
) -> Message:
    session, owner = scope
    moment = message.timestamp or datetime.now(UTC)
    row = {
        "id": uuid7(),
        "session": session,
        "user_id": owner,
        "role": message.role,
        "name": message.name,
        "content": message.content,
        "metadata": metadata,
        "timestamp": moment.isoformat(),
    }
    cursor = conn.execute(
        "INSERT INTO messages (id, session, user_id, role, name, content, metadata,"
        " timestamp) VALUES (:id, :session, :user_id, :role, :name, :content,"
        " :metadata, :timestamp)",
        row,
    )
    index.put(conn, MESSAGES, cursor.lastrowid or 0, scope, entry)
    return _message(row, session_id)


def _session(conn: sqlite3.Connection, session_id: str) -> int:
    found = conn.execute(
        "SELECT seq FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if found is None:
        raise NotFoundError("session", session_id)
    return int(found[0])


def _last(conn: sqlite3.Connection, session_id: str) -> str:
    """Return what was said last in a session, '' if nothing."""
    found = conn.execute(
        "SELECT content FROM messages WHERE session ="
        " (SELECT seq FROM sessions WHERE id = ?) ORDER BY seq DESC LIMIT 1",
        (session_id,),
    ).fetchone()
    return "" if found is None else str(found[0])


def _names(conn: sqlite3.Connection, sessions: set[int]) -> dict[int, str]:
    return {
        seq: conn.execute("SELECT id FROM sessions WHERE seq = ?", (seq,)).fetchone()[0]
        for seq in sessions
    }


def _delete(conn: sqlite3.Connection, sessions: list[int]) -> None:
    for session in sessions:
        rows.delete_where(conn, MESSAGES, ("session = ?", [session]))
        conn.execute("DELETE FROM sessions WHERE seq = ?", (session,))


def _message(
    row: Mapping[str, Any], session_id: str, score: float | None = None
) -> Message:
    return Message(
        role=row["role"],
        content=row["content"],
        metadata=load_metadata(row["metadata"]),
        timestamp=datetime.fromisoformat(row["timestamp"]),
        name=row["name"],
        id=row["id"],
        session_id=session_id,
        score=score,
    )
