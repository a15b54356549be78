"""Conversations in a hosted service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from memio.exceptions import ConflictError, NotFoundError, NotSupportedError
from memio.hosted.collection import Hits, Service, check_size
from memio.hosted.rows import Row, Scope, new_row, pack
from memio.hosted.store import HostedStore, chosen_by, matching, page_of
from memio.hosted.together import gather
from memio.models import Filters, Message, Mode, Page

MOST_SESSIONS: Final = 200
"""How many sessions one search reads at most."""


class Library(ABC):
    """Sessions of messages in a hosted service.

    A session is a row without text: its id, its owner, when it began and its place.
    Methods raise whatever the service's SDK raises, as those of ``Collection`` do.
    """

    @abstractmethod
    async def find(self, session_id: str) -> Row | None:
        """Return a session by its id, which may be any text."""

    @abstractmethod
    async def sessions(self, user_id: str | None) -> list[Row]:
        """Return the sessions of a user, or all of them, in any order."""

    @abstractmethod
    async def begin(self, session: Row) -> Row:
        """Make a session without messages; return the one that there is then."""

    @abstractmethod
    async def append(self, session: Row, messages: Sequence[Row]) -> None:
        """Add all messages or none: a part of them must never be read.

        Raises:
            NotFoundError: The service has lost the session; ``find`` no longer has it.
        """

    @abstractmethod
    async def read(self, session: Row) -> list[Row]:
        """Return the messages of a session, in any order."""

    @abstractmethod
    async def rank(self, query: str, sessions: Sequence[Row], limit: int) -> Hits:
        """Search sessions by meaning; the query is not blank."""

    @abstractmethod
    async def drop(self, session: Row) -> bool:
        """Delete a session; tell whether it was still there."""


class HostedHistory(HostedStore):
    """``HistoryStore`` over a library of sessions."""

    def __init__(
        self, provider: str, service: Service, library: Library, *, timeout: float
    ) -> None:
        super().__init__(provider, service, timeout=timeout)
        self._library = library

    async def add(
        self, *, session_id: str, messages: list[Message], user_id: str | None = None
    ) -> list[Message]:
        rows = [_row(session_id, message) for message in messages]
        for row in rows:
            pack(row, text=False)  # what has no JSON form is refused before all else

        async def work() -> None:
            session = await self._library.find(session_id)
            if session is None:
                scope = Scope(user_id)
                begun = new_row("", None, row_id=session_id, scope=scope)
                session = await self._library.begin(begun)
            if user_id not in (None, session.user_id):
                owner = "another user" if session.user_id is not None else "nobody"
                raise ConflictError(f"session '{session_id}' belongs to {owner}")
            await self._library.append(session, rows)

        async def again() -> None:
            try:
                await work()
            except NotFoundError:  # it was deleted behind memio's back: begin anew
                await work()

        if rows:
            await self._write("add", session_id, again)
        return [_message(row) for row in rows]

    async def get(
        self,
        *,
        session_id: str,
        limit: int = 50,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Message]:
        chosen = chosen_by(filters)

        async def work() -> list[Row]:
            rows = await self._library.read(await self._require(session_id))
            if not rows:  # a session begins with its first message
                raise NotFoundError("session", session_id)
            return rows

        rows = await self._read("get", work)
        page, following = page_of(matching(rows, chosen), limit, cursor)
        return Page(map(_message, reversed(page)), following)

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[str]:
        sessions = await self._read("get_all", lambda: self._library.sessions(user_id))
        page, following = page_of(sessions, limit, cursor)
        return Page((session.id for session in page), following)

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
        async def work() -> list[tuple[Row, float]]:
            scope = await self._sessions(session_id, user_id)
            if not scope:
                return []
            return await self._ranked(
                query,
                limit=limit,
                filters=filters,
                mode=mode,
                min_score=min_score,
                scan=lambda: self._scan(scope),
                rank=lambda most: self._library.rank(query, scope, most),
            )

        hits = await self._read("search", work)
        return [_message(row, score) for row, score in hits]

    async def delete(self, *, session_id: str) -> None:
        async def work() -> None:
            if not await self._library.drop(await self._require(session_id)):
                raise NotFoundError("session", session_id)

        await self._write("delete", session_id, work)

    async def delete_all(
        self, *, user_id: str | None = None, dry_run: bool = False
    ) -> int:
        sessions = await self._read(
            "delete_all", lambda: self._library.sessions(user_id)
        )
        if dry_run:
            return len(sessions)
        count = 0
        for session in sessions:
            with suppress(NotFoundError):  # somebody else was faster
                await self._drop_again(session)
                count += 1
        return count

    async def _drop_again(self, session: Row) -> None:
        async def work() -> None:
            if not await self._library.drop(session):
                raise NotFoundError("session", session.id)

        await self._write("delete_all", session.id, work)

    async def _require(self, session_id: str) -> Row:
        session = await self._library.find(session_id)
        if session is None:
            raise NotFoundError("session", session_id)
        return session

    async def _sessions(self, session_id: str | None, user_id: str | None) -> list[Row]:
        if session_id is not None:
            session = await self._require(session_id)
            return [session] if user_id in (None, session.user_id) else []
        found = await self._library.sessions(user_id)
        if len(found) > MOST_SESSIONS:
            raise NotSupportedError(
                self._provider,
                "search",
                hint=f"there are more than {MOST_SESSIONS} sessions; give a session_id "
                "or a user_id.",
            )
        return found

    async def _scan(self, sessions: Sequence[Row]) -> list[Row]:
        parts = await gather(self._library.read, sessions)
        rows = [row for part in parts for row in part]
        check_size(self._provider, len(rows))
        return rows


def _row(session_id: str, message: Message) -> Row:
    said = message.timestamp or datetime.now(UTC)
    return new_row(
        message.content,
        message.metadata,
        extra={
            "session": session_id,
            "role": message.role,
            "name": message.name,
            "timestamp": said.isoformat(),
        },
    )


def _message(row: Row, score: float | None = None) -> Message:
    return Message(
        role=row.extra["role"],
        content=row.text,
        metadata=row.metadata,
        timestamp=datetime.fromisoformat(row.extra["timestamp"]),
        name=row.extra["name"],
        id=row.id,
        session_id=row.extra["session"],
        score=score,
    )
