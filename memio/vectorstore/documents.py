"""Documents in a collection of an engine."""

from __future__ import annotations

from memio.exceptions import ConflictError
from memio.ids import uuid7
from memio.models import KEEP, Document, Filters, Keep, Metadata, Mode, Page
from memio.vectorstore.record import Record, moment
from memio.vectorstore.search import Search, search
from memio.vectorstore.store import VectorStore, where


class VectorDocumentStore(VectorStore):
    """``DocumentStore`` in a collection."""

    KIND = "document"

    async def add(
        self,
        *,
        content: str,
        doc_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Document:
        new = self._make(uuid7() if doc_id is None else doc_id, metadata)
        stored = await self._insert("add", new, content)
        if doc_id is not None and (await self._owner("add", new)).origin != new.origin:
            raise ConflictError(
                f"document '{doc_id}' exists already; update it instead"
            )
        return _document(*stored)

    async def get(self, *, doc_id: str) -> Document:
        return _document(*await self._read("get", doc_id))

    async def get_all(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Document]:
        rows, chosen = where(filters)
        page, following = await self._page(rows, limit, cursor, chosen)
        return Page((_document(*stored) for stored in page), following)

    async def search(
        self,
        *,
        query: str,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Document]:
        rows, chosen = where(filters)
        asked = Search(query, limit, mode, min_score, rows, chosen)
        found = await search(self._collection, self._embedder, asked)
        return [_document(*row) for row in found]

    async def update(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Document:
        return _document(*await self._update("update", doc_id, content, metadata))

    async def upsert(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> tuple[Document, bool]:
        vectors = await self._embed(content)
        new = self._make(doc_id, None if metadata is KEEP else metadata)
        async with self._lock(doc_id):
            await self._collection.insert("upsert", new, content, vectors)
            old = await self._owner("upsert", new)
            if old.origin == new.origin:
                return _document(old, content), True
            stored = await self._replace("upsert", old, content, metadata, vectors)
            return _document(*stored), False

    async def delete(self, *, doc_id: str) -> None:
        await self._delete(doc_id)

    async def delete_all(
        self, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        return await self._delete_all(*where(filters), dry_run=dry_run)


def _document(row: Record, text: str, score: float | None = None) -> Document:
    return Document(
        id=row.key,
        content=text,
        metadata=row.metadata,
        score=score,
        created_at=moment(row.created),
        updated_at=moment(row.updated),
    )
