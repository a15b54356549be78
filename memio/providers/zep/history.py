"""Conversations as threads in Zep.

Zep's threads take no id and no metadata of ours, a message has a greatest length, and a
request a greatest number of messages. So sessions are remembered in the file of ids,
and a batch of messages is stored in pieces, which count once all of them are there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from zep_cloud.errors import NotFoundError as Missing
from zep_cloud.types import AddMessage, EpisodeSearchFilters, Message

from memio import jsontext
from memio.exceptions import NotFoundError
from memio.hosted import (
    MOST_ROWS,
    Hits,
    Library,
    Row,
    as_sent,
    digest,
    gather,
    pack,
    require,
    unpack,
)
from memio.ids import uuid7
from memio.providers.zep.client import (
    MOST_HITS,
    MOST_QUERY,
    ZepService,
    only,
    score_of,
    uuid_of,
)

LONGEST: Final = 4_000
"""How many characters a message in Zep has; longer ones become several."""

MOST_MESSAGES: Final = 30
"""How many messages one request adds at most."""

_ROLES: Final = frozenset({"system", "assistant", "user", "function", "tool"})
_YEARS: Final = range(1970, 2200)  # timestamps that Zep can reason about


class ZepLibrary(Library):
    """The threads that memio made."""

    def __init__(self, service: ZepService, *, reranker: str) -> None:
        self._zep, self._reranker = service, reranker
        self._recovering = asyncio.Lock()

    async def find(self, session_id: str) -> Row | None:
        """Look a session up in the file of ids."""
        await self._recover()
        value = await self._zep.ids.get("thread", session_id)
        return None if value is None else _session(session_id, value)

    async def sessions(self, user_id: str | None) -> list[Row]:
        """Return the sessions in the file of ids."""
        await self._recover()
        found = [_session(*item) for item in await self._zep.ids.items("thread")]
        return [each for each in found if user_id in (None, each.user_id)]

    async def begin(self, session: Row) -> Row:
        """Make a thread; if another process was faster, take that one's."""

        async def work(user: str) -> str:
            return uuid_of(await self._zep.api.thread.create(user_uuid=user))

        thread = await self._zep.in_graph(session.user_id, work)
        mine = jsontext.dumps([thread, session.user_id, session.created]).decode()
        value = await self._zep.ids.put("thread", session.id, mine)
        if value != mine:
            await self._zep.delete_all(self._zep.api.thread.delete, [[thread]])
        return _session(session.id, value)

    async def append(self, session: Row, messages: Sequence[Row]) -> None:
        """Add the pieces of all messages, as few requests as it takes."""
        pieces = _pieces(session, messages)
        try:
            await self._send(session, pieces)
        except Missing:
            await self._zep.ids.forget("thread", session.id, _value(session))
            raise NotFoundError("session", session.id) from None

    async def read(self, session: Row) -> list[Row]:
        """Put the messages together; batches that are not whole do not count."""
        try:
            found = await self._zep.read(
                self._zep.api.thread.list_messages,
                MOST_ROWS,
                "messages",
                session.places[0],
            )
        except Missing:
            return []
        batches: dict[str, dict[int, Message]] = defaultdict(dict)
        for message in found:
            part = message.metadata or {}
            if "memio_batch" in part:
                batches[part["memio_batch"]][int(part["memio_piece"])] = message
        return [row for batch in batches.values() for row in _rows(batch)]

    async def rank(self, query: str, sessions: Sequence[Row], limit: int) -> Hits:
        """Search the graphs of the sessions' users, where messages are episodes."""
        asked, whole = min(limit, MOST_HITS), True
        session = {"session": digest(sessions[0].id)} if len(sessions) == 1 else {}
        filters = EpisodeSearchFilters(
            metadata_filters=only(store="history", **session)
        )
        scores: dict[str, float] = {}
        told: set[str] = set()

        async def search(user_id: str | None) -> None:
            nonlocal whole
            graph = await self._zep.known_user(user_id)
            if graph is None:
                return
            page = await self._zep.api.graph.search_episodes(
                graph,
                query=query[:MOST_QUERY],
                page_size=asked,
                filters=filters,
                reranker=self._reranker,
            )
            hits = page.response.items or []
            whole = whole and len(hits) < asked
            for hit in hits:
                scores.setdefault((hit.metadata or {})["memio_id"], score_of(hit))
                told.add(str((hit.metadata or {})["memio_session"]))

        await gather(search, {each.user_id for each in sessions})
        hit = [each for each in sessions if digest(each.id) in told]
        rows = [row for part in await gather(self.read, hit) for row in part]
        found = [(row, scores[row.id]) for row in rows if row.id in scores]
        return Hits(sorted(found, key=lambda hit: -hit[1]), whole=whole)

    async def drop(self, session: Row) -> bool:
        """Delete the thread, then forget it."""
        await self._zep.delete_all(self._zep.api.thread.delete, [session.places])
        return await self._zep.ids.forget("thread", session.id, _value(session))

    # --- parts ------------------------------------------------------------------------

    async def _send(self, session: Row, pieces: Sequence[AddMessage]) -> None:
        for start in range(0, len(pieces), MOST_MESSAGES):
            part = pieces[start : start + MOST_MESSAGES]
            answer = await self._zep.api.thread.add_messages(
                session.places[0], messages=part
            )
            require(len(answer.messages or []) == len(part), "Zep")

    async def _recover(self) -> None:
        """Fill a new file of ids from what the messages in Zep say of their session.

        With many threads it takes more than one operation's time, and goes on with
        the next one.
        """
        async with self._recovering:
            if await self._zep.ids.get("state", "threads") is not None:
                return
            asked = {thread for thread, _ in await self._zep.ids.items("asked")}

            async def recall(thread: str) -> None:
                known = await self._ask(thread)
                if known is not None:
                    await self._zep.ids.put("thread", *known)
                await self._zep.ids.put("asked", thread, "")

            threads = await self._zep.read(
                self._zep.api.thread.list,
                MOST_ROWS,
                "threads",
                order_by="created_at",
                order="asc",
            )
            found = [uuid_of(thread) for thread in threads]
            await gather(recall, [each for each in found if each not in asked])
            await self._zep.ids.put("state", "threads", "read")

    async def _ask(self, thread: str) -> tuple[str, str] | None:
        """Return the session of a thread that memio made."""
        try:
            page = await self._zep.api.thread.list_messages(
                thread, page_size=1, order_by="created_at", order="asc"
            )
        except Missing:  # it was deleted just now
            return None
        for message in page.response.items or []:
            part = message.metadata or {}
            if "memio" in part:
                row = unpack(part["memio"], text="", place=None)
                value = [thread, part.get("memio_owner"), row.created]
                return row.extra["session"], jsontext.dumps(value).decode()
        return None


def _session(session_id: str, value: str) -> Row:
    thread, user_id, created = jsontext.loads(value)
    return Row(session_id, "", None, created, created, user_id, places=(thread,))


def _value(session: Row) -> str:
    value = [session.places[0], session.user_id, session.created]
    return jsontext.dumps(value).decode()


def _pieces(session: Row, messages: Sequence[Row]) -> list[AddMessage]:
    cut = [
        (row, row.text[start : start + LONGEST])
        for row in messages
        for start in range(0, max(len(row.text), 1), LONGEST)
    ]
    batch = uuid7()
    pieces = []
    for n, (row, text) in enumerate(cut):
        sent = as_sent(text)
        role, name = row.extra["role"], row.extra["name"]
        said = datetime.fromisoformat(row.extra["timestamp"])
        metadata: dict[str, Any] = {
            "memio_store": "history",
            "memio_session": digest(session.id),
            "memio_id": row.id,
            "memio_batch": batch,
            "memio_piece": n,
            "memio_size": len(cut),
        }
        if n == 0 or cut[n - 1][0] is not row:
            metadata["memio"] = pack(row, text=False)
        if sent != text:
            metadata["memio_text"] = text
        if session.user_id is not None:
            metadata["memio_owner"] = session.user_id
        pieces.append(
            AddMessage(
                content=sent,
                role=role if role in _ROLES else "user",
                name=as_sent(name, 100) if name else None,
                reference_time=said.isoformat() if said.year in _YEARS else None,
                metadata=metadata,
            )
        )
    return pieces


def _rows(batch: dict[int, Message]) -> list[Row]:
    """Return the messages of a batch; none if a piece is missing."""
    pieces = [(batch[n].metadata or {}, batch[n].content or "") for n in sorted(batch)]
    if len(pieces) < int(pieces[0][0]["memio_size"]):
        return []
    texts: dict[str, str] = defaultdict(str)
    for part, content in pieces:
        texts[part["memio_id"]] += part.get("memio_text", content)
    return [
        unpack(part["memio"], text=texts[part["memio_id"]], place=None)
        for part, _ in pieces
        if "memio" in part
    ]
