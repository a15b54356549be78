"""The suite of history stores."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from memio.models import Filters, Message, Metadata, Mode, Page
from memio.protocols import HistoryStore
from memio.testing.base import standard
from memio.testing.filtering import FilterSuite
from memio.testing.rows import USER, LargeTextSuite, Row
from memio.testing.samples import HARD_TEXTS
from memio.testing.searching import SearchSuite
from memio.testing.sessions import SESSION, SessionSuite, contents, read, say


def _row(message: Message) -> Row:
    assert message.id is not None, "a stored message has an id"
    assert message.session_id == SESSION
    return Row(
        id=message.id,
        text=message.content,
        metadata=message.metadata,
        score=message.score,
    )


class HistoryStoreSuite(
    LargeTextSuite[HistoryStore],
    SearchSuite[HistoryStore],
    FilterSuite[HistoryStore],
    SessionSuite,
):
    """What a ``HistoryStore`` does. The common tests use messages of one session."""

    protocol = HistoryStore

    async def put(
        self, store: HistoryStore, text: str, metadata: Metadata | None = None
    ) -> Row:
        message = Message(role="user", content=text, metadata=metadata)
        (stored,) = await store.add(
            session_id=SESSION, messages=[message], user_id=USER
        )
        return _row(stored)

    async def page(
        self,
        store: HistoryStore,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Row]:
        if SESSION not in await store.get_all(user_id=USER):
            return Page()  # a session begins with its first message
        page = await store.get(
            session_id=SESSION, limit=limit, cursor=cursor, filters=filters
        )
        return Page(map(_row, reversed(page)), page.next_cursor)

    async def find(
        self,
        store: HistoryStore,
        query: str,
        *,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Row]:
        found = await store.search(
            query=query,
            user_id=USER,
            limit=limit,
            filters=filters,
            mode=mode,
            min_score=min_score,
        )
        return [_row(message) for message in found]

    @standard
    async def test_messages_come_back_whole(self, store: HistoryStore) -> None:
        """Role, content, name, metadata and timestamp are kept, in any combination."""
        when = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
        given = [
            Message(role="user", content="hello", name="Ann É", timestamp=when),
            Message(role="assistant", content="", metadata={"n": 10**30}),
            Message(role="tool", content="{}", metadata={}, name="search"),
        ]
        stored = await store.add(session_id=SESSION, messages=given)
        assert list(await store.get(session_id=SESSION)) == stored
        for message, kept in zip(given, stored, strict=True):
            for key in ("role", "content", "name", "metadata"):
                assert getattr(kept, key) == getattr(message, key)
        assert stored[0].timestamp == when
        assert len({message.id for message in stored}) == 3

    @standard
    async def test_hard_roles_and_names(self, store: HistoryStore) -> None:
        """Any text is a role, and any text is a name."""
        given = [Message(role=text, content="hi", name=text) for text in HARD_TEXTS]
        await store.add(session_id=SESSION, messages=given)
        kept = await store.get(session_id=SESSION)
        assert [(each.role, each.name) for each in kept] == [
            (text, text) for text in HARD_TEXTS
        ]

    @standard
    async def test_a_missing_timestamp_is_set(self, store: HistoryStore) -> None:
        """It is now, with a time zone."""
        (stored,) = await store.add(session_id=SESSION, messages=say("hello"))
        assert stored.timestamp is not None
        assert stored.timestamp.tzinfo is not None
        assert abs(datetime.now(UTC) - stored.timestamp) < timedelta(minutes=10)

    @standard
    async def test_a_given_timestamp_is_kept(self, store: HistoryStore) -> None:
        """The same instant and the same offset, to the microsecond, in any year."""
        times = [
            datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=_zone(5, 30)),
            datetime(2024, 1, 1, 12, tzinfo=UTC),
            datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=_zone(-5)),
            datetime(1, 1, 1, tzinfo=_zone(14)),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=_zone(-12)),
        ]
        given = [Message(role="user", content="x", timestamp=when) for when in times]
        stored = await store.add(session_id=SESSION, messages=given)
        for messages in (stored, await store.get(session_id=SESSION)):
            kept = [message.timestamp for message in messages]
            assert [when and when.isoformat() for when in kept] == [
                when.isoformat() for when in times
            ]

    @standard
    async def test_order_is_that_of_adding(self, store: HistoryStore) -> None:
        """Within and across batches, whatever the timestamps say."""
        for batch in ((5, 3, 4), (1,), (9, 2)):
            messages = [
                Message("user", str(n), timestamp=datetime(2000 + n, 1, 1, tzinfo=UTC))
                for n in batch
            ]
            stored = await store.add(session_id=SESSION, messages=messages)
            assert contents(stored) == [str(n) for n in batch]
        assert await read(store) == ["5", "3", "4", "1", "9", "2"]

    @standard
    async def test_the_last_messages_oldest_first(self, store: HistoryStore) -> None:
        """``limit`` counts from the end, and the cursor leads to older ones."""
        await store.add(session_id=SESSION, messages=say(*"abcdefg"))
        first = await store.get(session_id=SESSION, limit=3)
        second = await store.get(session_id=SESSION, limit=3, cursor=first.next_cursor)
        third = await store.get(session_id=SESSION, limit=3, cursor=second.next_cursor)
        pages = [contents(page) for page in (first, second, third)]
        assert pages == [["e", "f", "g"], ["b", "c", "d"], ["a"]]
        assert third.next_cursor is None

    @standard
    async def test_a_batch_is_stored_whole_or_not_at_all(
        self, store: HistoryStore
    ) -> None:
        """If a message cannot be stored, none of its batch is."""
        bad: dict[str, Any] = {"not json": object()}
        batch = [*say("one"), Message("user", "two", metadata=bad)]
        try:
            await store.add(session_id=SESSION, messages=batch)
        except Exception:  # noqa: BLE001 - any way of refusing it is fine
            assert list(await store.get_all()) == []
        else:
            assert await read(store) == ["one", "two"]

    @standard
    async def test_a_cancelled_batch_is_stored_whole_or_not_at_all(
        self, store: HistoryStore
    ) -> None:
        """A caller that goes away leaves no part of its batch behind."""
        await store.add(session_id=SESSION, messages=say("first"))
        for pause in (0, 0.001, 0.005):
            batch = say(*(f"{pause} {n}" for n in range(100)))
            adding = asyncio.ensure_future(
                store.add(session_id=SESSION, messages=batch)
            )
            await asyncio.sleep(pause)
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
        store = await self.reopen()
        texts = await read(store)
        assert len(texts) % 100 == 1
        for pause in (0, 0.001, 0.005):
            part = [text for text in texts if text.startswith(f"{pause} ")]
            assert part in ([], [f"{pause} {n}" for n in range(100)])

    @standard
    async def test_concurrent_batches_keep_their_order(
        self, store: HistoryStore
    ) -> None:
        """Batches added at once may interleave, but each keeps its order."""
        batches = [[f"{batch} {n}" for n in range(10)] for batch in range(10)]
        await asyncio.gather(
            *(store.add(session_id=SESSION, messages=say(*each)) for each in batches)
        )
        texts = await read(store)
        assert len(texts) == 100
        for batch in batches:
            assert [text for text in texts if text in batch] == batch


def _zone(hours: int, minutes: int = 0) -> timezone:
    return timezone(timedelta(hours=hours, minutes=minutes))
