"""The knowledge graph in the embedded database."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from memio.exceptions import NotFoundError
from memio.ids import uuid7
from memio.metadata import dump_metadata, load_metadata
from memio.models import Filters, GraphResult, Mode, Triple
from memio.providers.local import index, rows, search, tables
from memio.providers.local.index import Indexed
from memio.providers.local.rows import Row
from memio.providers.local.store import LocalStore
from memio.providers.local.tables import TRIPLES
from memio.retrieval.passages import Text


class LocalGraphAdapter(LocalStore):
    """``GraphStore`` in the embedded database."""

    TABLE = TRIPLES

    async def add(
        self, *, triples: list[Triple], user_id: str | None = None
    ) -> list[Triple]:
        metadata = [dump_metadata(triple.metadata) for triple in triples]
        entries = await self._embed(
            *(_text(t.subject, t.predicate, t.object) for t in triples)
        )

        def work(conn: sqlite3.Connection) -> list[Triple]:
            parts = zip(triples, metadata, entries, strict=True)
            return [_put(conn, user_id, *part) for part in parts]

        return await self._db.write("add", work)

    async def get(
        self,
        *,
        entity: str,
        user_id: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> GraphResult:
        condition = _touching(entity, user_id)

        def work(conn: sqlite3.Connection) -> tuple[list[Row], str | None]:
            _require(conn, entity, condition)
            return rows.page(conn, TRIPLES, condition, limit=limit, cursor=cursor)

        return _result(*await self._db.read("get", work))

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> GraphResult:
        return _result(
            *await self._page((user_id,), limit=limit, cursor=cursor, filters=filters)
        )

    async def search(
        self,
        *,
        query: str,
        user_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> GraphResult:
        scope, chosen = (user_id,), self._chosen(filters)
        found = await search.run(
            self._db,
            search.Search(
                "search", TRIPLES, scope, query, limit, mode, min_score, chosen
            ),
            lambda row, score: (_triple(row), score),
        )
        return GraphResult.of(
            [triple for triple, _ in found], scores=[score for _, score in found]
        )

    async def delete(
        self,
        *,
        entity: str | None = None,
        triple_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        if (entity is None) == (triple_id is None):
            raise ValueError("delete takes either an entity or a triple_id")

        def work(conn: sqlite3.Connection) -> None:
            if entity is not None:
                condition = _touching(entity, user_id)
                _require(conn, entity, condition)
            else:
                where, params = tables.where(TRIPLES, (user_id,))
                condition = f"{where} AND id = ?", [*params, triple_id]
            if not rows.delete_where(conn, TRIPLES, condition):
                raise NotFoundError("triple", str(triple_id))

        await self._db.write("delete", work)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        work = partial(
            rows.delete_where,
            table=TRIPLES,
            condition=tables.where(TRIPLES, (user_id,)),
            chosen=self._chosen(filters),
            dry_run=dry_run,
        )
        run = self._db.read if dry_run else self._db.write
        return await run("delete_all", work)

    def _text(self, row: Row) -> Text:
        return _text(row["subject"], row["predicate"], row["object"])


def _text(subject: str, predicate: str, object_: str) -> Text:
    """Return what a triple says, as a sentence: works_at reads as works at."""
    return Text(f"{subject} {predicate.replace('_', ' ')} {object_}", subject)


def _put(
    conn: sqlite3.Connection,
    user_id: str | None,
    triple: Triple,
    metadata: str | None,
    entry: Indexed,
) -> Triple:
    """Add a triple, or give the one that exists its new metadata."""
    identity = (user_id or "", triple.subject, triple.predicate, triple.object)
    known = rows.fetch_one(
        conn,
        "SELECT * FROM triples WHERE ifnull(user_id, '') = ?"
        " AND subject = ? AND predicate = ? AND object = ?",
        identity,
    )
    if known is not None:
        conn.execute(
            "UPDATE triples SET metadata = ? WHERE seq = ?", (metadata, known["seq"])
        )
        return _triple({**known, "metadata": metadata})
    row = {
        "id": uuid7(),
        "user_id": user_id,
        "subject": triple.subject,
        "predicate": triple.predicate,
        "object": triple.object,
        "metadata": metadata,
    }
    cursor = conn.execute(
        "INSERT INTO triples (id, user_id, subject, predicate, object, metadata)"
        " VALUES (:id, :user_id, :subject, :predicate, :object, :metadata)",
        row,
    )
    index.put(conn, TRIPLES, cursor.lastrowid or 0, (user_id,), entry)
    return _triple(row)


def _touching(entity: str, user_id: str | None) -> tuple[str, list[Any]]:
    """Return the condition that a triple of a user has an entity at one end."""
    where, params = tables.where(TRIPLES, (user_id,))
    # Two look-ups by index; a plain OR would walk the whole table.
    either = (
        "seq IN (SELECT seq FROM triples WHERE subject = ?"
        " UNION SELECT seq FROM triples WHERE object = ?)"
    )
    return f"{either} AND {where}", [entity, entity, *params]


def _require(
    conn: sqlite3.Connection, entity: str, condition: tuple[str, list[Any]]
) -> None:
    where, params = condition
    sql = f"SELECT 1 FROM triples WHERE {where} LIMIT 1"
    if conn.execute(sql, params).fetchone() is None:
        raise NotFoundError("entity", entity)


def _result(found: list[Row], following: str | None) -> GraphResult:
    return GraphResult.of([_triple(row) for row in found], next_cursor=following)


def _triple(row: Row) -> Triple:
    return Triple(
        subject=row["subject"],
        predicate=row["predicate"],
        object=row["object"],
        metadata=load_metadata(row["metadata"]),
        id=row["id"],
    )
