"""The sessions of a history store: who owns them, their order and their end."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import pytest

from memio.exceptions import ConflictError, NotFoundError
from memio.models import Message
from memio.protocols import HistoryStore
from memio.testing.base import Suite, standard
from memio.testing.rows import USER
from memio.testing.samples import CURSORS, HARD_IDS, TEXTS

SESSION = "kitchen"


def say(*texts: str) -> list[Message]:
    return [Message(role="user", content=text) for text in texts]


def contents(messages: list[Message]) -> list[str]:
    return [message.content for message in messages]


async def read(store: HistoryStore, session_id: str = SESSION) -> list[str]:
    """Return the contents of a session, oldest first."""
    return contents(await store.get(session_id=session_id, limit=1000))


class SessionSuite(Suite[HistoryStore]):
    """What a history store does with sessions."""

    @standard
    async def test_missing_sessions(self, store: HistoryStore) -> None:
        """Reading, searching or deleting one raises ``NotFoundError``."""
        await store.add(session_id=SESSION, messages=say("hello"))
        for session_id in ("missing", *HARD_IDS):
            with pytest.raises(NotFoundError):
                await store.get(session_id=session_id)
            with pytest.raises(NotFoundError):
                await store.search(query="hello", session_id=session_id)
            with pytest.raises(NotFoundError):
                await store.delete(session_id=session_id)

    @standard
    async def test_hard_session_and_user_ids(self, store: HistoryStore) -> None:
        """Any text names a session or a user, and no two texts the same one."""
        for name in HARD_IDS:
            await store.add(session_id=name, messages=say(f"hi {name}"), user_id=name)
        for name in HARD_IDS:
            assert await read(store, name) == [f"hi {name}"]
            assert list(await store.get_all(user_id=name)) == [name]
            found = await store.search(query="hi", session_id=name)
            assert [message.session_id for message in found] == [name]
            assert await store.delete_all(user_id=name, dry_run=True) == 1
        assert list(await store.get_all()) == list(reversed(HARD_IDS))

    @standard
    async def test_sessions_are_listed_newest_first(self, store: HistoryStore) -> None:
        """The one that began last comes first; writing to an old one moves nothing."""
        for n in range(6):
            user = "bob" if n % 2 else USER
            await store.add(session_id=f"s{n}", messages=say("hi"), user_id=user)
        await store.add(session_id="s0", messages=say("again"))
        assert list(await store.get_all()) == ["s5", "s4", "s3", "s2", "s1", "s0"]
        assert list(await store.get_all(user_id="bob")) == ["s5", "s3", "s1"]
        assert list(await store.get_all(user_id="nobody")) == []
        assert list(await store.get_all(user_id=USER, limit=1)) == ["s4"]

    @standard
    async def test_session_pages_under_writes(self, store: HistoryStore) -> None:
        """Each session that was there throughout is listed exactly once."""
        for n in range(20):
            await store.add(session_id=f"s{n}", messages=say("hi"), user_id=USER)
        there = {f"s{n}" for n in range(20)}
        seen: list[str] = []
        page = await store.get_all(user_id=USER, limit=3)
        while True:
            seen += page
            ahead = [each for each in await store.get_all() if each not in seen]
            for session_id in (seen[-1], *ahead[:1]):
                await store.delete(session_id=session_id)
                there.discard(session_id)
            if page.next_cursor is None:
                break
            assert re.fullmatch("([0-9a-f]{2})+", page.next_cursor)
            page = await store.get_all(user_id=USER, limit=3, cursor=page.next_cursor)
            await store.add(session_id=f"late {len(seen)}", messages=say("hi"))
        assert len(seen) == len(set(seen))
        assert there <= set(seen)

    @standard
    async def test_foreign_session_cursors_answer_a_page(
        self, store: HistoryStore
    ) -> None:
        """A cursor that no page gave leads to some sessions or none."""
        await store.add(session_id=SESSION, messages=say("hi"))
        for cursor in CURSORS:
            assert set(await store.get_all(cursor=cursor)) <= {SESSION}

    @standard
    async def test_a_session_belongs_to_one_user(self, store: HistoryStore) -> None:
        """Another user is refused and stores nothing; without a user all may write."""
        await store.add(session_id=SESSION, messages=say("mine"), user_id=USER)
        with pytest.raises(ConflictError):
            await store.add(session_id=SESSION, messages=say("no"), user_id="bob")
        await store.add(session_id=SESSION, messages=say("somebody"))
        await store.add(session_id=SESSION, messages=say("me"), user_id=USER)
        assert await read(store) == ["mine", "somebody", "me"]
        assert list(await store.get_all(user_id="bob")) == []
        assert await store.search(query="mine", user_id="bob") == []

    @standard
    async def test_a_session_of_nobody_stays_so(self, store: HistoryStore) -> None:
        """It belongs to whom it began with: a user who comes later is another one."""
        await store.add(session_id=SESSION, messages=say("anyone"))
        with pytest.raises(ConflictError):
            await store.add(session_id=SESSION, messages=say("me"), user_id=USER)
        assert await read(store) == ["anyone"]
        assert list(await store.get_all(user_id=USER)) == []

    @standard
    async def test_users_who_begin_at_once(self, store: HistoryStore) -> None:
        """One of them owns the session; every message of the other is refused."""
        users = [USER, "bob"] * 10
        outcomes = await asyncio.gather(
            *(
                store.add(session_id=SESSION, messages=say(user), user_id=user)
                for user in users
            ),
            return_exceptions=True,
        )
        stored = await read(store)
        assert len(stored) == 10
        (owner,) = set(stored)
        for user, outcome in zip(users, outcomes, strict=True):
            assert isinstance(outcome, list if user == owner else ConflictError)
        assert list(await store.get_all(user_id=owner)) == [SESSION]

    @standard
    async def test_a_deleted_session_is_gone(self, store: HistoryStore) -> None:
        """Its messages are not found, others stay, and anyone may begin it anew."""
        await store.add(session_id=SESSION, messages=say(TEXTS[0]), user_id=USER)
        await store.add(session_id="other", messages=say(TEXTS[1]), user_id=USER)
        await store.delete(session_id=SESSION)
        with pytest.raises(NotFoundError):
            await store.get(session_id=SESSION)
        assert list(await store.get_all()) == ["other"]
        found = await store.search(query=TEXTS[0])
        assert {message.session_id for message in found} <= {"other"}
        await store.add(session_id=SESSION, messages=say("anew"), user_id="bob")
        assert await read(store) == ["anew"]
        assert list(await store.get_all()) == [SESSION, "other"]

    @standard
    async def test_delete_all_sessions(self, store: HistoryStore) -> None:
        """Those of a user, or all; counted only on a dry run; none of nothing."""
        assert await store.delete_all() == 0
        for n, user in enumerate((USER, "bob", USER, None)):
            await store.add(session_id=f"s{n}", messages=say("hi"), user_id=user)
        assert await store.delete_all(user_id=USER, dry_run=True) == 2
        assert len(await store.get_all()) == 4
        assert await store.delete_all(user_id=USER) == 2
        assert list(await store.get_all()) == ["s3", "s1"]
        found = await store.search(query="hi")
        assert sorted(str(message.session_id) for message in found) == ["s1", "s3"]
        assert await store.delete_all() == 2
        assert await store.search(query="hi") == []

    @standard
    async def test_deleted_sessions_never_come_back(self, store: HistoryStore) -> None:
        """What ``delete_all`` deleted amid writes stays away, closed and opened too."""

        async def begin(name: str) -> None:
            await store.add(session_id=name, messages=say(name), user_id=USER)

        await asyncio.gather(*(begin(f"old {n}") for n in range(30)))
        await asyncio.gather(
            *(begin(f"new {n}") for n in range(10)),
            store.delete_all(user_id=USER),
            *(begin(f"newer {n}") for n in range(10)),
        )
        left = list(await store.get_all())
        assert not [name for name in left if name.startswith("old")]
        store = await self.reopen()
        assert list(await store.get_all()) == left
        assert await store.delete_all() == len(left)
        store = await self.reopen()
        assert list(await store.get_all()) == []
        assert await store.search(query="old new newer") == []

    @standard
    async def test_search_keeps_to_its_scope(self, store: HistoryStore) -> None:
        """One session, the sessions of a user, or with neither all of them."""
        owners = {"s1": USER, "s2": USER, "s3": "bob", "s4": None}
        for session_id, user in owners.items():
            await store.add(
                session_id=session_id, messages=say("harbour"), user_id=user
            )
        scopes: list[tuple[dict[str, Any], list[str]]] = [
            ({"session_id": "s1"}, ["s1"]),
            ({"session_id": "s2", "user_id": USER}, ["s2"]),
            ({"user_id": USER}, ["s1", "s2"]),
            ({"user_id": "nobody"}, []),
            ({}, ["s1", "s2", "s3", "s4"]),
        ]
        for scope, wanted in scopes:
            found = await store.search(query="harbour", **scope)
            assert sorted(str(message.session_id) for message in found) == wanted
        # Both parts hold: to this user the session is empty, or not there.
        with contextlib.suppress(NotFoundError):
            assert await store.search(query="x", session_id="s3", user_id=USER) == []
