"""Conversations as archives in Letta, one for each session.

A message that is added to one of Letta's conversations makes the agent answer it. So
memio keeps its messages as passages, in archives that no agent is attached to.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from letta_client import NotFoundError as Missing

from memio import jsontext
from memio.exceptions import NotFoundError
from memio.hosted import Hits, Library, Row, digest, gather, require
from memio.providers.letta.client import PAGE, LettaService, received, sent

_STORE: Final = "history"
_ARCHIVES: Final = 1_000  # in one request


class LettaLibrary(Library):
    """The archives that memio made for sessions beside one agent."""

    def __init__(self, service: LettaService) -> None:
        self._letta = service
        self._prefix = f"memio session {service.agent_id} "

    async def find(self, session_id: str) -> Row | None:
        """Return the oldest archive of the session's name."""
        found = await self._letta.archives(name=self._name(session_id))
        return _session(found[0]) if found else None

    async def sessions(self, user_id: str | None) -> list[Row]:
        """Look through all archives; a name may stand there twice for a moment."""
        found: dict[str, Row] = {}
        query: dict[str, Any] = {}
        while True:
            page = await self._letta.api.archives.list(
                order="asc", limit=_ARCHIVES, **query
            )
            for archive in page.items:
                if archive.name.startswith(self._prefix):
                    session = _session(archive)
                    found.setdefault(session.id, session)
            if len(page.items) < _ARCHIVES:
                break
            query = {"after": page.items[-1].id}
        return [each for each in found.values() if user_id in (None, each.user_id)]

    async def begin(self, session: Row) -> Row:
        """Make an archive; if another process was faster, take that one's."""
        about = jsontext.dumps([session.id, session.user_id, session.created])
        return _session(
            await self._letta.make_archive(self._name(session.id), about.decode())
        )

    async def append(self, session: Row, messages: Sequence[Row]) -> None:
        """Add passages, all of them in one transaction of Letta's."""
        passages: list[Any] = [sent(message, _STORE) for message in messages]
        try:
            made = await self._letta.api.archives.passages.create_many(
                session.places[0], passages=passages
            )
        except Missing:
            raise NotFoundError("session", session.id) from None
        require(len(made) == len(passages), "Letta")

    async def read(self, session: Row) -> list[Row]:
        """Read the archive."""
        try:
            found = await self._letta.passages(session.places[0])
        except Missing:
            return []
        return received(session.places[0], found, _STORE)

    async def rank(self, query: str, sessions: Sequence[Row], limit: int) -> Hits:  # noqa: ARG002
        """Search each archive."""

        async def search(session: Row) -> Hits:
            try:
                hits = await self._letta.hits(session.places[0], query)
            except Missing:
                return Hits([], whole=True)
            rows = received(session.places[0], (passage for passage, _ in hits), _STORE)
            if len(rows) < len(hits):  # its cloud loses metadata
                rows = await self.read(session)
            scores = {str(passage.id): score for passage, score in hits}
            found = [(row, scores.get(row.places[0][1])) for row in rows]
            known = [(row, score) for row, score in found if score is not None]
            return Hits(known, whole=len(hits) < PAGE)

        answers = await gather(search, sessions)
        rows = [hit for answer in answers for hit in answer.rows]
        ordered = sorted(rows, key=lambda hit: hit[1], reverse=True)
        return Hits(ordered, whole=all(answer.whole for answer in answers))

    async def drop(self, session: Row) -> bool:
        """Delete the archive with its passages, and what an interrupted start left."""
        deleted = False
        for archive in reversed(
            await self._letta.archives(name=self._name(session.id))
        ):
            with suppress(Missing):  # somebody else was faster
                await self._letta.api.archives.delete(archive.id)
                deleted = deleted or archive.id == session.places[0]
        return deleted

    def _name(self, session_id: str) -> str:
        return self._prefix + digest(session_id)


def _session(archive: Any) -> Row:
    session_id, user_id, created = jsontext.loads(archive.description)
    return Row(session_id, "", None, created, created, user_id, places=(archive.id,))
