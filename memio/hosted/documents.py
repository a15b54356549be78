"""Documents in a hosted service."""

from __future__ import annotations

import functools

from memio.exceptions import ConflictError, NotFoundError
from memio.hosted.collection import Collection, Service
from memio.hosted.rows import Row, Scope, as_moment, new_row
from memio.hosted.store import (
    HostedStore,
    chosen_by,
    matching,
    page_of,
    require_ready,
)
from memio.models import KEEP, Document, Filters, Keep, Metadata, Mode, Page

_ALL = Scope()


class HostedDocuments(HostedStore):
    """``DocumentStore`` over a collection of rows.

    A service cannot be asked to store a document only if its id is free. So two
    processes that add one id at the same moment may both succeed; one document is left.
    """

    def __init__(
        self, provider: str, service: Service, rows: Collection, *, timeout: float
    ) -> None:
        super().__init__(provider, service, timeout=timeout)
        self._rows = rows

    async def add(
        self,
        *,
        content: str,
        doc_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Document:
        row = new_row(content, metadata, row_id=doc_id)

        async def work() -> Row:
            if doc_id is not None and await self._rows.find(doc_id) is not None:
                raise ConflictError(f"document '{doc_id}' already exists")
            return await self._rows.put(row)

        return _document(await self._write("add", row.id, work))

    async def get(self, *, doc_id: str) -> Document:
        row = await self._read("get", lambda: self._require(doc_id))
        return _document(require_ready(row))

    async def get_all(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Document]:
        chosen = chosen_by(filters)
        rows = await self._read("get_all", lambda: self._rows.scan(_ALL))
        page, following = page_of(matching(rows, chosen), limit, cursor)
        return Page(map(_document, page), following)

    async def search(
        self,
        *,
        query: str,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Document]:
        ranked = functools.partial(
            self._ranked,
            query,
            limit=limit,
            filters=filters,
            mode=mode,
            min_score=min_score,
            scan=lambda: self._rows.scan(_ALL),
            rank=lambda most: self._rows.rank(query, _ALL, most),
        )
        hits = await self._read("search", ranked)
        return [_document(row, score) for row, score in hits]

    async def update(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Document:
        async def work() -> Row:
            return await self._replace(await self._require(doc_id), content, metadata)

        return _document(await self._write("update", doc_id, work))

    async def upsert(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> tuple[Document, bool]:
        async def work() -> tuple[Row, bool]:
            old = await self._rows.find(doc_id)
            if old is not None:
                return await self._replace(old, content, metadata), False
            given = None if metadata is KEEP else metadata
            return await self._rows.put(new_row(content, given, row_id=doc_id)), True

        row, created = await self._write("upsert", doc_id, work)
        return _document(row), created

    async def delete(self, *, doc_id: str) -> None:
        async def work() -> None:
            if not await self._rows.drop([await self._require(doc_id)]):
                raise NotFoundError("document", doc_id)

        await self._write("delete", doc_id, work)

    async def delete_all(
        self, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        chosen = chosen_by(filters)

        async def work() -> int:
            rows = matching(await self._rows.scan(_ALL), chosen)
            return len(rows) if dry_run or not rows else await self._rows.drop(rows)

        return await self._calls.run("delete_all", work)

    async def _replace(
        self, old: Row, content: str, metadata: Metadata | Keep | None
    ) -> Row:
        new = old.changed(content, metadata)
        if not await self._rows.replace(old, new):
            raise NotFoundError("document", old.id)
        return new

    async def _require(self, doc_id: str) -> Row:
        row = await self._rows.find(doc_id)
        if row is None:
            raise NotFoundError("document", doc_id)
        return row


def _document(row: Row, score: float | None = None) -> Document:
    return Document(
        id=row.id,
        content=row.text,
        metadata=row.metadata,
        score=score,
        created_at=as_moment(row.created),
        updated_at=as_moment(row.updated),
    )
