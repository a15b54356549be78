"""Conversations in the embedded database."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from functools import partial

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
        while True:
            last, previous = await self._db.read(
                "add", lambda conn: _last(conn, session_id), is_short=True
            )
            said = [previous, *(message.content for message in messages)]
            entries = await self._embed(
                *(
                    _text(message.content, message.name or message.role, before)
                    for message, before in zip(messages, said, strict=False)
                )
            )
            work = partial(
                _add,
                session_id=session_id,
                user_id=user_id,
                messages=list(zip(messages, metadata, entries, strict=True)),
                last=last,
            )
            stored = await self._db.write("add", work)
            if stored is not None:  # else the session began anew meanwhile
                return stored

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

        is_short = chosen is None and limit <= rows.SHORT_PAGE
        found, following = await self._db.read("get", work, is_short=is_short)
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

        is_short = limit <= rows.SHORT_PAGE
        found = await self._db.read("get_all", work, is_short=is_short)
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
                "search", lambda conn: _session(conn, session_id), is_short=True
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
        names = await self._db.read(
            "search",
            lambda conn: _names(conn, sessions),
            is_short=len(sessions) <= rows.SHORT_PAGE,
        )
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

    def _text(self, row: Row) -> Text:
        return _text(row["content"], row["name"] or row["role"], row["previous"])


def _text(content: str, speaker: str, previous: str) -> Text:
    return Text(content, speaker, previous, spoken=True)


def _add(
    conn: sqlite3.Connection,
    *,
    session_id: str,
    user_id: str | None,
    messages: list[tuple[Message, str | None, Indexed]],
    last: int | None,
) -> list[Message] | None:
    """Add messages to a session; return None if what was said ``last`` is gone."""
    scope = _begin(conn, session_id, user_id)
    if last is not None and not _is_there(conn, last):
        return None
    stored: list[Message] = []
    for message, metadata, entry in messages:
        row, seq = _insert(conn, scope, message, metadata)
        index.put(conn, MESSAGES, seq, scope, entry, last)
        stored.append(_message(row, session_id))
        last = seq
    return stored


def _is_there(conn: sqlite3.Connection, seq: int) -> bool:
    found = conn.execute("SELECT 1 FROM messages WHERE seq = ?", (seq,)).fetchone()
    return found is not None


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


def _insert(
    conn: sqlite3.Connection,
    scope: tuple[int, str | None],
    message: Message,
    metadata: str | None,
) -> tuple[Row, int]:
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
    return row, cursor.lastrowid or 0


def _session(conn: sqlite3.Connection, session_id: str) -> int:
    found = conn.execute(
        "SELECT seq FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if found is None:
        raise NotFoundError("session", session_id)
    return int(found[0])


def _last(conn: sqlite3.Connection, session_id: str) -> tuple[int | None, str]:
    """Return the number and text of a session's last message; None and '' if none."""
    found: tuple[int, str] | None = conn.execute(
        "SELECT seq, content FROM messages WHERE session ="
        " (SELECT seq FROM sessions WHERE id = ?) ORDER BY seq DESC LIMIT 1",
        (session_id,),
    ).fetchone()
    return found or (None, "")


def _names(conn: sqlite3.Connection, sessions: set[int]) -> dict[int, str]:
    return {
        seq: conn.execute("SELECT id FROM sessions WHERE seq = ?", (seq,)).fetchone()[0]
        for seq in sessions
    }


def _delete(conn: sqlite3.Connection, sessions: list[int]) -> None:
    for session in sessions:
        rows.delete_where(conn, MESSAGES, ("session = ?", [session]))
        conn.execute("DELETE FROM sessions WHERE seq = ?", (session,))


def _message(row: Row, session_id: str, score: float | None = None) -> Message:
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
