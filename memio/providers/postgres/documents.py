"""Documents in PostgreSQL."""

from __future__ import annotations

from typing import cast

from memio.exceptions import ConflictError, NotFoundError
from memio.ids import uuid7
from memio.metadata import load_metadata
from memio.models import KEEP, Document, Filters, Keep, Metadata, Mode, Page
from memio.providers.postgres import index, rows, search
from memio.providers.postgres.connection import Connection, Row
from memio.providers.postgres.rows import Stored, Where
from memio.providers.postgres.store import PostgresStore
from memio.providers.postgres.tables import DOCUMENTS, Parameters
from memio.retrieval.passages import Text

_INSERT = (
    "INSERT INTO documents AS r"
    " (id, content, metadata, filterable, created_at, updated_at)"
    " SELECT $1, $2, $3, $4, now, now FROM clock_timestamp() AS now"
)


class PostgresDocumentAdapter(PostgresStore):
    """``DocumentStore`` in PostgreSQL."""

    TABLE = DOCUMENTS
    TAKEN_OVER = ("documents",)

    async def add(
        self,
        *,
        content: str,
        doc_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Document:
        stored = rows.dump(metadata)
        doc_id = uuid7() if doc_id is None else doc_id
        parts = await self._embed([Text(content)], [doc_id])
        given = Parameters((doc_id, content, *stored))
        sql = (
            f"WITH r AS ({_INSERT} RETURNING *),"
            f" parts AS ({index.store(DOCUMENTS, 'r', parts, given)})"
            f" SELECT {DOCUMENTS.columns} FROM r"
        )
        try:
            row = await self._db.write("add", lambda conn: conn.fetchrow(sql, *given))
        except ConflictError:
            raise ConflictError(
                f"document '{doc_id}' exists already; update it instead"
            ) from None
        return _document(cast("Row", row))

    async def get(self, *, doc_id: str) -> Document:
        row = await rows.fetch_id(self._db, DOCUMENTS, doc_id)
        if row is None:
            raise NotFoundError("document", doc_id)
        return _document(row)

    async def get_all(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Document]:
        found, following = await rows.page(
            self._db,
            "get_all",
            Where(DOCUMENTS, (), filters),
            limit=limit,
            cursor=cursor,
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
        where = Where(DOCUMENTS, (), filters)
        return await search.run(
            self._db, search.Search(where, query, limit, mode, min_score), _document
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
        where = Where(DOCUMENTS, (), also=("r.id = {}", doc_id))
        if not await rows.delete_where(self._db, "delete", where):
            raise NotFoundError("document", doc_id)

    async def delete_all(
        self, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        where = Where(DOCUMENTS, (), filters)
        return await rows.delete_where(self._db, "delete_all", where, dry_run=dry_run)

    async def _put(
        self,
        operation: str,
        doc_id: str,
        content: str,
        metadata: Metadata | Keep | None,
    ) -> tuple[Document, bool]:
        """Replace a document; ``upsert`` creates the one that is missing."""
        given = None if metadata is KEEP else rows.dump(metadata)
        parts = await self._embed([Text(content)], [doc_id])

        async def work(conn: Connection) -> tuple[Row, bool]:
            async with conn.transaction():
                row = None
                if operation == "upsert":
                    row = await _insert(conn, doc_id, content, given)
                created = row is not None
                row = row or await rows.replace(conn, DOCUMENTS, doc_id, content, given)
                if row is None:
                    raise NotFoundError("document", doc_id)
                await self._put_parts(conn, [row["seq"]], parts)
                return row, created

        row, created = await self._db.write(operation, work)
        return _document(row), created


async def _insert(
    conn: Connection, doc_id: str, content: str, stored: Stored | None
) -> Row | None:
    """Insert a document, unless there is one."""
    sql = f"{_INSERT} ON CONFLICT (id) DO NOTHING RETURNING {DOCUMENTS.columns}"
    return await conn.fetchrow(sql, doc_id, content, *(stored or rows.dump(None)))


def _document(row: Row, score: float | None = None) -> Document:
    return Document(
        id=row["id"],
        content=row["content"],
        metadata=load_metadata(row["metadata"]),
        score=score,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
