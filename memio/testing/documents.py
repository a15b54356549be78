"""The suite of document stores."""

from __future__ import annotations

import asyncio

import pytest

from memio.exceptions import ConflictError, NotFoundError
from memio.models import KEEP, Document, Filters, Keep, Metadata, Mode, Page
from memio.protocols import DocumentStore
from memio.testing.base import standard
from memio.testing.deleting import DeleteSuite
from memio.testing.rows import LargeTextSuite, Row, exact
from memio.testing.samples import HARD_IDS, METADATA, TEXTS
from memio.testing.searching import SearchSuite
from memio.testing.updating import UpdateSuite


def _row(document: Document) -> Row:
    return Row(
        id=document.id,
        text=document.content,
        metadata=document.metadata,
        score=document.score,
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


class DocumentStoreSuite(
    LargeTextSuite[DocumentStore],
    SearchSuite[DocumentStore],
    DeleteSuite[DocumentStore],
    UpdateSuite[DocumentStore],
):
    """What a ``DocumentStore`` does."""

    protocol = DocumentStore

    async def put(
        self, store: DocumentStore, text: str, metadata: Metadata | None = None
    ) -> Row:
        return _row(await store.add(content=text, metadata=metadata))

    async def get(self, store: DocumentStore, row_id: str) -> Row:
        return _row(await store.get(doc_id=row_id))

    async def page(
        self,
        store: DocumentStore,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Row]:
        page = await store.get_all(limit=limit, cursor=cursor, filters=filters)
        return Page(map(_row, page), page.next_cursor)

    async def find(
        self,
        store: DocumentStore,
        query: str,
        *,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Row]:
        found = await store.search(
            query=query, limit=limit, filters=filters, mode=mode, min_score=min_score
        )
        return [_row(document) for document in found]

    async def change(
        self,
        store: DocumentStore,
        row_id: str,
        text: str,
        metadata: Metadata | Keep | None = KEEP,
    ) -> Row:
        return _row(await store.update(doc_id=row_id, content=text, metadata=metadata))

    async def drop(self, store: DocumentStore, row_id: str) -> None:
        await store.delete(doc_id=row_id)

    async def drop_all(
        self,
        store: DocumentStore,
        *,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        return await store.delete_all(filters=filters, dry_run=dry_run)

    @standard
    async def test_hard_ids(self, store: DocumentStore) -> None:
        """Any text is an id: to add, get, find, update, upsert and delete by."""
        for doc_id in HARD_IDS:
            added = await store.add(content=f"harbour {doc_id}", doc_id=doc_id)
            assert added.id == doc_id
        for doc_id in HARD_IDS:
            document = await store.get(doc_id=doc_id)
            assert (document.id, document.content) == (doc_id, f"harbour {doc_id}")
            await store.update(doc_id=doc_id, content=f"port {doc_id}")
            _, created = await store.upsert(doc_id=doc_id, content=f"quay {doc_id}")
            assert not created
        listed = await store.get_all()
        assert {each.id: each.content for each in listed} == {
            doc_id: f"quay {doc_id}" for doc_id in HARD_IDS
        }
        found = await store.search(query="quay", limit=100)
        assert sorted(each.id for each in found) == sorted(HARD_IDS)
        for doc_id in HARD_IDS:
            await store.delete(doc_id=doc_id)
        assert list(await store.get_all()) == []

    @standard
    async def test_a_taken_id_is_a_conflict(self, store: DocumentStore) -> None:
        """The second document is refused and the first stays as it is."""
        first = await store.add(content=TEXTS[0], doc_id="d", metadata={"n": 1})
        with pytest.raises(ConflictError):
            await store.add(content=TEXTS[1], doc_id="d", metadata={"n": 2})
        assert await store.get(doc_id="d") == first
        assert list(await store.get_all()) == [first]
        found = await store.search(query=TEXTS[1])
        assert TEXTS[1] not in [document.content for document in found]

    @standard
    async def test_adding_one_id_at_once(self, store: DocumentStore) -> None:
        """Exactly one of many wins; all others are conflicts."""
        outcomes = await asyncio.gather(
            *(store.add(content=f"text {n}", doc_id="d") for n in range(20)),
            return_exceptions=True,
        )
        winners = [each for each in outcomes if isinstance(each, Document)]
        losers = [each for each in outcomes if isinstance(each, ConflictError)]
        assert (len(winners), len(losers)) == (1, 19)
        assert list(await store.get_all()) == winners

    @standard
    async def test_a_deleted_id_is_free(self, store: DocumentStore) -> None:
        """It can be added again, and nothing of the old document is left."""
        await store.add(content=TEXTS[0], doc_id="d", metadata={"old": True})
        await store.delete(doc_id="d")
        with pytest.raises(NotFoundError):
            await store.get(doc_id="d")
        added = await store.add(content=TEXTS[1], doc_id="d")
        assert added.metadata is None
        assert [added] == await store.get_all()
        found = await store.search(query=TEXTS[0])
        assert TEXTS[0] not in [document.content for document in found]

    @standard
    async def test_upsert_creates_and_replaces(self, store: DocumentStore) -> None:
        """It says which of the two it did; replacing keeps ``created_at``."""
        first, created = await store.upsert(doc_id="d", content=TEXTS[0])
        assert created
        assert (first.id, first.content, first.metadata) == ("d", TEXTS[0], None)
        await asyncio.sleep(0.02)
        second, created = await store.upsert(doc_id="d", content=TEXTS[1])
        assert not created
        assert second.content == TEXTS[1]
        assert second.created_at == first.created_at
        assert second.updated_at is not None
        assert first.updated_at is not None
        assert second.updated_at > first.updated_at
        assert list(await store.get_all()) == [second]
        assert (await store.search(query=TEXTS[1]))[0].content == TEXTS[1]

    @standard
    async def test_upsert_metadata(self, store: DocumentStore) -> None:
        """It is kept unless given, replaced whole, or cleared by None."""
        for given, wanted in (
            (METADATA[0], METADATA[0]),
            (KEEP, METADATA[0]),
            ({"c": 3}, {"c": 3}),
            ({}, {}),
            (None, None),
        ):
            document, _ = await store.upsert(
                doc_id="d", content=TEXTS[0], metadata=given
            )
            assert exact(document.metadata) == exact(wanted)
            assert await store.get(doc_id="d") == document

    @standard
    async def test_upserting_one_id_at_once(self, store: DocumentStore) -> None:
        """Exactly one of many creates; the document is whole."""
        outcomes = await asyncio.gather(
            *(
                store.upsert(doc_id="d", content=f"text {n}", metadata={"n": n})
                for n in range(20)
            )
        )
        assert sum(created for _, created in outcomes) == 1
        (last,) = await store.get_all()
        assert last.metadata is not None
        assert last.content == f"text {last.metadata['n']}"
