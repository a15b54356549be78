"""The suite of fact stores."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from memio.models import KEEP, Fact, Filters, Keep, Metadata, Mode, Page
from memio.protocols import FactStore
from memio.testing.base import standard
from memio.testing.deleting import DeleteSuite
from memio.testing.rows import USER, LargeTextSuite, Row, ids
from memio.testing.samples import HARD_IDS, TEXTS
from memio.testing.searching import SearchSuite
from memio.testing.updating import UpdateSuite

SCOPES: dict[str, dict[str, Any]] = {
    "user": {"user_id": "u1"},
    "agent": {"agent_id": "a1"},
    "both": {"user_id": "u1", "agent_id": "a1"},
    "neither": {},
}

every_scope = pytest.mark.parametrize("scope", SCOPES)


def _row(fact: Fact) -> Row:
    return Row(
        id=fact.id,
        text=fact.content,
        metadata=fact.metadata,
        score=fact.score,
        created_at=fact.created_at,
        updated_at=fact.updated_at,
    )


class FactStoreSuite(
    LargeTextSuite[FactStore],
    SearchSuite[FactStore],
    DeleteSuite[FactStore],
    UpdateSuite[FactStore],
):
    """What a ``FactStore`` does. The common tests use facts of one user."""

    protocol = FactStore

    async def put(
        self, store: FactStore, text: str, metadata: Metadata | None = None
    ) -> Row:
        return _row(await store.add(content=text, user_id=USER, metadata=metadata))

    async def get(self, store: FactStore, row_id: str) -> Row:
        return _row(await store.get(fact_id=row_id))

    async def page(
        self,
        store: FactStore,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Row]:
        page = await store.get_all(
            user_id=USER, limit=limit, cursor=cursor, filters=filters
        )
        return Page(map(_row, page), page.next_cursor)

    async def find(
        self,
        store: FactStore,
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
        return [_row(fact) for fact in found]

    async def change(
        self,
        store: FactStore,
        row_id: str,
        text: str,
        metadata: Metadata | Keep | None = KEEP,
    ) -> Row:
        return _row(await store.update(fact_id=row_id, content=text, metadata=metadata))

    async def drop(self, store: FactStore, row_id: str) -> None:
        await store.delete(fact_id=row_id)

    async def drop_all(
        self, store: FactStore, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        return await store.delete_all(user_id=USER, filters=filters, dry_run=dry_run)

    async def _put_scopes(self, store: FactStore, scope: str) -> list[Fact]:
        """Store a fact for every pair of two users and two agents, or of none."""
        pairs = [(user, agent) for user in "12-" for agent in "12-"]
        if scope != "neither":
            pairs.remove(("-", "-"))  # for providers that need a scope
        return [
            await store.add(
                content=f"harbour {user} {agent}",
                user_id=None if user == "-" else f"u{user}",
                agent_id=None if agent == "-" else f"a{agent}",
            )
            for user, agent in pairs
        ]

    @every_scope
    @standard
    async def test_list_keeps_to_its_scope(self, store: FactStore, scope: str) -> None:
        """A user, an agent, both of them together, or with neither all facts."""
        facts = await self._put_scopes(store, scope)
        listed = await store.get_all(**SCOPES[scope])
        assert list(listed) == _within(facts, scope)[::-1]

    @every_scope
    @standard
    async def test_search_keeps_to_its_scope(
        self, store: FactStore, scope: str
    ) -> None:
        """A user, an agent, both of them together, or with neither all facts."""
        facts = await self._put_scopes(store, scope)
        found = await store.search(query="harbour", **SCOPES[scope])
        assert sorted(fact.id for fact in found) == sorted(
            fact.id for fact in _within(facts, scope)
        )

    @every_scope
    @standard
    async def test_delete_all_keeps_to_its_scope(
        self, store: FactStore, scope: str
    ) -> None:
        """The facts of the scope are counted, then deleted; all others stay."""
        facts = await self._put_scopes(store, scope)
        doomed = _within(facts, scope)
        assert await store.delete_all(**SCOPES[scope], dry_run=True) == len(doomed)
        assert await store.delete_all(**SCOPES[scope]) == len(doomed)
        for fact in facts:
            listed = await store.get_all(user_id=fact.user_id, agent_id=fact.agent_id)
            assert (fact in listed) is (fact not in doomed)

    @standard
    async def test_filters_stay_within_the_scope(self, store: FactStore) -> None:
        """Neither an alternative nor a negation reaches another user's facts."""
        await store.add(content="harbour", user_id="bob", metadata={"a": 1})
        mine = await self.put(store, "harbour", {"a": 1})
        for filters in ({"$or": [{"a": 1}, {"a": 2}]}, {"$not": {"a": 2}}):
            assert ids(await self.page(store, filters=filters)) == [mine.id]
            assert ids(await self.find(store, "harbour", filters=filters)) == [mine.id]
            assert await self.drop_all(store, filters=filters, dry_run=True) == 1
        assert await self.drop_all(store, filters={"$or": [{"a": 1}, {"b": 1}]}) == 1
        assert len(await store.get_all(user_id="bob")) == 1

    @standard
    async def test_facts_keep_their_scope(self, store: FactStore) -> None:
        """User and agent come back as given, and no update changes them."""
        fact = await store.add(content=TEXTS[0], user_id="u1", agent_id="a1")
        assert (fact.user_id, fact.agent_id) == ("u1", "a1")
        changed = await store.update(fact_id=fact.id, content=TEXTS[1])
        assert (changed.user_id, changed.agent_id) == ("u1", "a1")
        assert await store.get(fact_id=fact.id) == changed
        assert [changed] == await store.get_all(user_id="u1", agent_id="a1")

    @standard
    async def test_hard_user_ids_are_kept_apart(self, store: FactStore) -> None:
        """Any text names a user, and no two texts name the same one."""
        for user in HARD_IDS:
            await store.add(content="harbour", user_id=user)
        for user in HARD_IDS:
            listed = await store.get_all(user_id=user)
            found = await store.search(query="harbour", user_id=user)
            assert [fact.user_id for fact in (*listed, *found)] == [user, user]
        assert [await store.delete_all(user_id=user) for user in HARD_IDS] == [
            1 for _ in HARD_IDS
        ]

    @standard
    async def test_hard_agent_ids_are_kept_apart(self, store: FactStore) -> None:
        """Any text names an agent, and no two texts name the same one."""
        for agent in HARD_IDS:
            await store.add(content="harbour", agent_id=agent)
        for agent in HARD_IDS:
            listed = await store.get_all(agent_id=agent)
            assert [fact.agent_id for fact in listed] == [agent]

    @standard
    async def test_other_users_do_not_starve_a_search(self, store: FactStore) -> None:
        """Better facts of others leave room for those of the scope."""
        await asyncio.gather(
            *(store.add(content="harbour lantern", user_id="bob") for _ in range(60))
        )
        mine = await self.put_all(store, (f"harbour lantern {text}" for text in TEXTS))
        found = await self.find(store, "harbour lantern", limit=5)
        assert sorted(ids(found)) == sorted(ids(mine))

    @standard
    async def test_pages_keep_to_their_scope(self, store: FactStore) -> None:
        """The cursor of one scope shows nothing outside of it."""
        for n in range(6):
            await self.put(store, f"mine {n}")
            await store.add(content=f"theirs {n}", user_id="bob")
        pages = await self.walk(store, limit=2)
        texts = [row.text for page in pages for row in page]
        assert texts == [f"mine {n}" for n in reversed(range(6))]
        foreign = await store.get_all(user_id="bob", cursor=pages[0].next_cursor)
        assert {fact.user_id for fact in foreign} <= {"bob"}


def _within(facts: list[Fact], scope: str) -> list[Fact]:
    return [
        fact
        for fact in facts
        if all(getattr(fact, key) == value for key, value in SCOPES[scope].items())
    ]
