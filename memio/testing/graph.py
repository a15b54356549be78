"""The suite of graph stores."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from memio.exceptions import NotFoundError
from memio.models import Filters, GraphResult, Metadata, Mode, Page, Triple
from memio.protocols import GraphStore
from memio.testing.base import standard
from memio.testing.deleting import DeleteSuite
from memio.testing.rows import USER, Row, ids
from memio.testing.samples import CURSORS, HARD_IDS, HARD_TEXTS, METADATA, TEXTS
from memio.testing.searching import SearchSuite

LIKES = Triple("ann", "likes", "tea")


def _rows(result: GraphResult, *, scored: bool = False) -> list[Row]:
    """Read a result, whose nodes and scores must go with its triples."""
    ends = [end for each in result.triples for end in (each.subject, each.object)]
    assert result.nodes == list(dict.fromkeys(ends)), "nodes: once, as they appear"
    assert len(result.scores) == (len(result.triples) if scored else 0)
    scores = result.scores if scored else [None] * len(result.triples)
    return [
        Row(id=str(each.id), text=each.subject, metadata=each.metadata, score=score)
        for each, score in zip(result.triples, scores, strict=True)
    ]


class GraphStoreSuite(SearchSuite[GraphStore], DeleteSuite[GraphStore]):
    """What a ``GraphStore`` does. The common tests use one user's triples."""

    protocol = GraphStore

    _pages = 0

    async def put(
        self, store: GraphStore, text: str, metadata: Metadata | None = None
    ) -> Row:
        self._pages += 1  # every row is a triple of its own
        triple = Triple(text, "is on", f"page {self._pages}", metadata)
        (stored,) = await store.add(triples=[triple], user_id=USER)
        assert stored.id is not None
        return Row(id=stored.id, text=stored.subject, metadata=stored.metadata)

    async def page(
        self,
        store: GraphStore,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Row]:
        result = await store.get_all(
            user_id=USER, limit=limit, cursor=cursor, filters=filters
        )
        return Page(_rows(result), result.next_cursor)

    async def find(
        self,
        store: GraphStore,
        query: str,
        *,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Row]:
        result = await store.search(
            query=query,
            user_id=USER,
            limit=limit,
            filters=filters,
            mode=mode,
            min_score=min_score,
        )
        assert result.next_cursor is None
        return _rows(result, scored=True)

    async def drop(self, store: GraphStore, row_id: str) -> None:
        await store.delete(triple_id=row_id)

    async def drop_all(
        self,
        store: GraphStore,
        *,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        return await store.delete_all(user_id=USER, filters=filters, dry_run=dry_run)

    async def _everything(self, store: GraphStore, **scope: Any) -> list[Triple]:
        return (await store.get_all(limit=1000, **scope)).triples

    # --- adding -----------------------------------------------------------------------

    @standard
    async def test_add_returns_the_batch_in_its_order(self, store: GraphStore) -> None:
        """Triples come back as given, each with an id of its own."""
        given = [
            Triple("ann", "knows", "bob", {"since": 1}),
            Triple("bob", "knows", "ann"),
            Triple("ann", "likes", "ann"),
        ]
        stored = await store.add(triples=given)
        assert [replace(triple, id=None) for triple in stored] == given
        assert len({triple.id for triple in stored}) == 3
        assert await self._everything(store) == stored[::-1]

    @standard
    async def test_adding_again_keeps_the_id(self, store: GraphStore) -> None:
        """The metadata is the last one given, whole; there is one triple."""
        (first,) = await store.add(triples=[LIKES], user_id=USER)
        for metadata in (*METADATA, {}, None):
            again = replace(LIKES, metadata=metadata)
            (second,) = await store.add(triples=[again], user_id=USER)
            assert second == replace(again, id=first.id)
            assert await self._everything(store, user_id=USER) == [second]

    @standard
    async def test_a_triple_of_nobody_is_one_triple_too(
        self, store: GraphStore
    ) -> None:
        """Without a user, adding again keeps the id just so."""
        (first,) = await store.add(triples=[LIKES])
        (second,) = await store.add(triples=[LIKES])
        assert second == first
        assert await self._everything(store) == [first]

    @standard
    async def test_one_triple_twice_in_a_batch(self, store: GraphStore) -> None:
        """It is stored once, with the later metadata."""
        later = replace(LIKES, metadata={"later": True})
        one, two = await store.add(triples=[LIKES, later])
        assert one.id == two.id
        assert await self._everything(store) == [replace(later, id=one.id)]

    @standard
    async def test_adding_one_triple_at_once(self, store: GraphStore) -> None:
        """Many at once make one row, and all get its id."""
        outcomes = await asyncio.gather(
            *(store.add(triples=[LIKES], user_id=USER) for _ in range(20))
        )
        (stored,) = await self._everything(store)
        assert {triple.id for (triple,) in outcomes} == {stored.id}

    @standard
    async def test_triples_differ_in_any_part(self, store: GraphStore) -> None:
        """Case, accents, spaces and where one part ends make another triple."""
        given = [
            *(Triple("a", "b", "c"), Triple("A", "b", "c"), Triple("a", "b", "c ")),
            *(
                Triple("a b", "c", "d"),
                Triple("a", "b c", "d"),
                Triple("a", "b", "c d"),
            ),
            *(Triple("\u00e9", "b", "c"), Triple("e\u0301", "b", "c")),
            *(Triple("c", "b", "a"), Triple("a|b", "c", "d"), Triple("a", "b|c", "d")),
        ]
        stored = await store.add(triples=given)
        assert len({triple.id for triple in stored}) == len(given)
        assert len(await self._everything(store)) == len(given)

    @standard
    async def test_a_batch_is_stored_whole_or_not_at_all(
        self, store: GraphStore
    ) -> None:
        """If a triple cannot be stored, none of its batch is."""
        bad: dict[str, Any] = {"not json": object()}
        batch = [LIKES, Triple("ann", "likes", "coffee", bad)]
        try:
            await store.add(triples=batch)
        except Exception:  # noqa: BLE001 - any way of refusing it is fine
            assert await self._everything(store) == []
        else:
            assert len(await self._everything(store)) == 2

    # --- entities ---------------------------------------------------------------------

    @standard
    async def test_get_finds_both_ends(self, store: GraphStore) -> None:
        """The triples whose subject or object it is, newest first, with their nodes."""
        one, two, _, both = await store.add(
            triples=[
                *(Triple("ann", "knows", "bob"), Triple("cy", "knows", "ann")),
                *(Triple("cy", "likes", "bob"), Triple("ann", "trusts", "ann")),
            ]
        )
        result = await store.get(entity="ann")
        assert result.triples == [both, two, one]
        assert result.nodes == ["ann", "cy", "bob"]
        assert (result.scores, result.next_cursor) == ([], None)

    @standard
    async def test_hard_names(self, store: GraphStore) -> None:
        """Any text names an entity, and no two texts name the same one."""
        names = [*HARD_IDS, *(text for text in HARD_TEXTS if text not in HARD_IDS)]
        for name in names:
            await store.add(triples=[Triple(name, name, f"object {name}")])
        for name in names:
            (triple,) = (await store.get(entity=name)).triples
            assert (triple.subject, triple.predicate) == (name, name)
            (same,) = (await store.get(entity=f"object {name}")).triples
            assert same == triple
        for name in names:
            await store.delete(entity=name)
        assert await self._everything(store) == []

    @standard
    async def test_missing_entities(self, store: GraphStore) -> None:
        """Reading or deleting one raises ``NotFoundError``; a predicate is none."""
        await store.add(triples=[LIKES], user_id=USER)
        for entity in ("likes", "Ann", "an", "ann ", *HARD_IDS):
            with pytest.raises(NotFoundError):
                await store.get(entity=entity)
            with pytest.raises(NotFoundError):
                await store.delete(entity=entity)
        with pytest.raises(NotFoundError):
            await store.get(entity="ann", user_id="bob")
        with pytest.raises(NotFoundError):
            await store.delete(entity="ann", user_id="bob")
        assert len(await self._everything(store)) == 1

    @standard
    async def test_an_entity_has_pages(self, store: GraphStore) -> None:
        """The cursors lead through all its triples, once each."""
        triples = [Triple("hub", "has", f"spoke {n}") for n in range(7)]
        stored = await store.add(triples=triples)
        seen: list[Triple] = []
        cursor = None
        for size in (3, 3, 1):
            page = await store.get(entity="hub", limit=3, cursor=cursor)
            assert len(page.triples) == size
            seen += page.triples
            cursor = page.next_cursor
        assert (seen, cursor) == (stored[::-1], None)
        for foreign in CURSORS:
            page = await store.get(entity="hub", cursor=foreign)
            assert all(triple in stored for triple in page.triples)

    @standard
    async def test_delete_by_entity(self, store: GraphStore) -> None:
        """Every triple that touches it goes; given a user, only that user's."""
        triples = [*(LIKES, Triple("bob", "knows", "ann"), Triple("bob", "has", "tea"))]
        for user in (USER, "bob", None):
            await store.add(triples=triples, user_id=user)
        await store.delete(entity="ann", user_id=USER)
        assert len(await self._everything(store, user_id=USER)) == 1
        assert len(await self._everything(store, user_id="bob")) == 3
        assert len(await self._everything(store)) == 7
        await store.delete(entity="ann")
        assert [
            (triple.subject, triple.predicate)
            for triple in await self._everything(store)
        ] == [("bob", "has")] * 3

    # --- users ------------------------------------------------------------------------

    @standard
    async def test_users_have_triples_of_their_own(self, store: GraphStore) -> None:
        """The same triple of two users, or of nobody, is three triples."""
        users = (USER, "bob", None)
        stored: list[Triple] = []
        for user in users:
            mine = replace(LIKES, metadata={"of": user})
            stored += await store.add(triples=[mine], user_id=user)
        assert len({triple.id for triple in stored}) == 3
        for user, triple in zip((USER, "bob"), stored, strict=False):
            assert (await store.get(entity="ann", user_id=user)).triples == [triple]
            assert (await store.get_all(user_id=user)).triples == [triple]
            assert (await store.search(query="tea", user_id=user)).triples == [triple]
            assert await store.delete_all(user_id=user, dry_run=True) == 1
        assert (await store.get(entity="ann")).triples == stored[::-1]
        assert await self._everything(store) == stored[::-1]
        assert len((await store.search(query="tea")).triples) == 3

    @standard
    async def test_hard_user_ids_are_kept_apart(self, store: GraphStore) -> None:
        """Any text names a user, and no two texts name the same one."""
        for user in HARD_IDS:
            mine = replace(LIKES, metadata={"u": user})
            await store.add(triples=[mine], user_id=user)
        for user in HARD_IDS:
            (triple,) = await self._everything(store, user_id=user)
            assert triple.metadata == {"u": user}

    @standard
    async def test_delete_by_id_keeps_to_its_user(self, store: GraphStore) -> None:
        """With another user's id the triple is not there to be deleted."""
        (triple,) = await store.add(triples=[LIKES], user_id=USER)
        with pytest.raises(NotFoundError):
            await store.delete(triple_id=triple.id, user_id="bob")
        assert await self._everything(store) == [triple]
        await store.delete(triple_id=triple.id, user_id=USER)
        assert await self._everything(store) == []

    @standard
    async def test_delete_all_keeps_to_its_user(self, store: GraphStore) -> None:
        """Other users keep theirs; without a user everything goes."""
        for user in (USER, "bob", None):
            await store.add(triples=[LIKES, Triple("x", "y", "z")], user_id=user)
        assert await store.delete_all(user_id=USER) == 2
        assert len(await self._everything(store, user_id="bob")) == 2
        assert await store.delete_all(dry_run=True) == 4
        assert await store.delete_all() == 4
        assert await self._everything(store) == []

    # --- search -----------------------------------------------------------------------

    @standard
    async def test_keyword_search_reads_every_part(self, store: GraphStore) -> None:
        """A word finds a triple as its subject, its predicate or its object."""
        (triple, _) = await store.add(
            triples=[Triple("lighthouse", "guards", "harbour"), LIKES]
        )
        for word in ("lighthouse", "guards", "harbour"):
            result = await store.search(query=word, mode="keyword")
            assert result.triples == [triple]

    @standard
    async def test_search_forgets_a_deleted_entity(self, store: GraphStore) -> None:
        """Triples deleted with their entity are not found."""
        await self.put_all(store, TEXTS)
        await store.delete(entity=TEXTS[3])
        assert TEXTS[3] not in [row.text for row in await self.find(store, TEXTS[3])]

    @standard
    async def test_other_users_do_not_starve_a_search(self, store: GraphStore) -> None:
        """Better triples of others leave room for those of the scope."""
        others = [Triple("harbour lantern", "is", str(n)) for n in range(60)]
        await store.add(triples=others, user_id="bob")
        mine = await self.put_all(store, (f"harbour lantern {text}" for text in TEXTS))
        found = await self.find(store, "harbour lantern", limit=5)
        assert sorted(ids(found)) == sorted(ids(mine))
