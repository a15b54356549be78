"""Documents in the embedded database."""

from __future__ import annotations

import sqlite3
from functools import partial

from memio.exceptions import ConflictError, NotFoundError
from memio.ids import uuid7
from memio.metadata import dump_metadata, load_metadata
from memio.models import KEEP, Document, Filters, Keep, Metadata, Mode, Page
from memio.providers.local import index, rows, search, tables
from memio.providers.local.index import Indexed
from memio.providers.local.rows import Row
from memio.providers.local.store import LocalStore
from memio.providers.local.tables import DOCUMENTS
from memio.retrieval.passages import Text


class LocalDocumentAdapter(LocalStore):
    """``DocumentStore`` in the embedded database."""

    TABLE = DOCUMENTS

    async def add(
        self,
        *,
        content: str,
        doc_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Document:
        stored = dump_metadata(metadata)
        (entry,) = await self._embed(Text(content))

        def work(conn: sqlite3.Connection) -> Row:
            if doc_id is not None and rows.fetch_id(conn, DOCUMENTS, doc_id):
                raise ConflictError(
                    f"document '{doc_id}' exists already; update it instead"
                )
            return _insert(conn, doc_id or uuid7(), content, stored, entry)

        return _document(await self._db.write("add", work))

    async def get(self, *, doc_id: str) -> Document:
        work = partial(_row, doc_id=doc_id)
        return _document(await self._db.read("get", work, is_short=True))

    async def get_all(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Document]:
        found, following = await self._page(
            (), limit=limit, cursor=cursor, filters=filters
        )
        return Page(map(_document, found), following)

    async def search(
        self,
        *,
        query: str,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Document]:
        chosen = self._chosen(filters)
        return await search.run(
            self._db,
            search.Search(
                "search", DOCUMENTS, (), query, limit, mode, min_score, chosen
            ),
            _document,
        )

    async def update(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Document:
        document, _ = await self._put("update", doc_id, content, metadata)
        return document

    async def upsert(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> tuple[Document, bool]:
        return await self._put("upsert", doc_id, content, metadata)

    async def delete(self, *, doc_id: str) -> None:
        def work(conn: sqlite3.Connection) -> None:
            index.delete(conn, DOCUMENTS, [_row(conn, doc_id)["seq"]])

        await self._db.write("delete", work)

    async def delete_all(
        self, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        work = partial(
            rows.delete_where,
            table=DOCUMENTS,
            condition=tables.where(DOCUMENTS, ()),
            chosen=self._chosen(filters),
            dry_run=dry_run,
        )
        run = self._db.read if dry_run else self._db.write
        return await run("delete_all", work)

    async def _put(
        self,
        operation: str,
        doc_id: str,
        content: str,
        metadata: Metadata | Keep | None,
    ) -> tuple[Document, bool]:
        """Replace a document; ``upsert`` creates the one that is missing."""
        given = None if metadata is KEEP else dump_metadata(metadata)
        (entry,) = await self._embed(Text(content))

        def work(conn: sqlite3.Connection) -> tuple[Row, bool]:
            row = rows.fetch_id(conn, DOCUMENTS, doc_id)
            if row is None and operation == "upsert":
                return _insert(conn, doc_id, content, given, entry), True
            row = _row(conn, doc_id)
            stored = row["metadata"] if metadata is KEEP else given
            now = max(rows.now(), row["updated_at"] + 1)
            conn.execute(
                "UPDATE documents SET content = ?, metadata = ?, updated_at = ?"
                " WHERE seq = ?",
                (content, stored, now, row["seq"]),
            )
            index.put(conn, DOCUMENTS, row["seq"], (), entry)
            return _row(conn, doc_id), False

        row, created = await self._db.write(operation, work)
        return _document(row), created


def _insert(
    conn: sqlite3.Connection,
    doc_id: str,
    content: str,
    metadata: str | None,
    entry: Indexed,
) -> Row:
    now = rows.now()
    row = {
        "id": doc_id,
        "content": content,
        "metadata": metadata,
        "created_at": now,
        "updated_at": now,
    }
    index.put(conn, DOCUMENTS, rows.insert(conn, DOCUMENTS, row), (), entry)
    return row


def _row(conn: sqlite3.Connection, doc_id: str) -> Row:
    row = rows.fetch_id(conn, DOCUMENTS, doc_id)
    if row is None:
        raise NotFoundError("document", doc_id)
    return row


def _document(row: Row, score: float | None = None) -> Document:
    return Document(
        id=row["id"],
        content=row["content"],
        metadata=load_metadata(row["metadata"]),
        score=score,
        created_at=rows.as_moment(row["created_at"]),
        updated_at=rows.as_moment(row["updated_at"]),
    )
