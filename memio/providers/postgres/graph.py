"""The knowledge graph in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from memio import jsontext
from memio.exceptions import NotFoundError
from memio.ids import uuid7
from memio.metadata import load_metadata
from memio.models import Filters, GraphResult, Mode, Triple
from memio.providers.postgres import index, rows, search
from memio.providers.postgres.connection import Connection, Row
from memio.providers.postgres.rows import Where
from memio.providers.postgres.store import PostgresStore
from memio.providers.postgres.tables import TRIPLES, Parameters
from memio.providers.postgres.takeover import Record
from memio.retrieval.passages import Text


class PostgresGraphAdapter(PostgresStore):
    """``GraphStore`` in PostgreSQL."""

    TABLE = TRIPLES
    TAKEN_OVER = ("triples",)

    async def add(
        self, *, triples: list[Triple], user_id: str | None = None
    ) -> list[Triple]:
        if not triples:
            return []
        known = {
            _identity(triple, user_id): (triple, *rows.dump(triple.metadata))
            for triple in triples
        }
        ids = [uuid7() for _ in known]
        parts = await self._embed([_text(triple) for triple, *_ in known.values()], ids)
        every, metadata, filterable = zip(*known.values(), strict=True)
        given = Parameters((user_id, ids, list(known)))
        given += [[each.subject for each in every], [each.predicate for each in every]]
        given += [[each.object for each in every], metadata, filterable]
        sql = (
            "WITH r AS (INSERT INTO triples (id, identity, user_id, subject, predicate,"
            " object, metadata, filterable)"
            " SELECT id, identity, $1, subject, predicate, object, metadata, filterable"
            " FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[],"
            " $7::json[], $8::jsonb[]) WITH ORDINALITY AS new (id, identity, subject,"
            " predicate, object, metadata, filterable, place) ORDER BY place"
            " ON CONFLICT (identity) DO UPDATE SET metadata = excluded.metadata,"
            " filterable = excluded.filterable RETURNING *),"
            # A triple that was there keeps its id, and so gets no parts twice.
            f" parts AS ({index.store(TRIPLES, 'r', parts, given)})"
            " SELECT identity, id FROM r"
        )

        async def work(conn: Connection) -> list[Row]:
            async with conn.transaction():
                if len(ids) > 1:
                    await conn.execute("SELECT pg_advisory_xact_lock($1)", turn)
                return await conn.fetch(sql, *given)

        # Batches that name the same triples in another order would lock each other out.
        turn = int.from_bytes(_digest(user_id)[:8], signed=True)
        stored = await self._db.write("add", work)
        kept = {row["identity"]: row["id"] for row in stored}
        return [
            Triple(
                t.subject,
                t.predicate,
                t.object,
                t.metadata,
                kept[_identity(t, user_id)],
            )
            for t in triples
        ]

    async def get(
        self,
        *,
        entity: str,
        user_id: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> GraphResult:
        where = _touching(entity, user_id)
        found, following = await rows.page(
            self._db, "get", where, limit=limit, cursor=cursor
        )
        # Behind the last triple there are none, which is not to say that none are.
        if not found and not (cursor and await self._has(where)):
            raise NotFoundError("entity", entity)
        return _result(found, following)

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> GraphResult:
        where = Where(TRIPLES, (user_id,), filters)
        return _result(
            *await rows.page(self._db, "get_all", where, limit=limit, cursor=cursor)
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
        where = Where(TRIPLES, (user_id,), filters)
        found = await search.run(
            self._db,
            search.Search(where, query, limit, mode, min_score),
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
        if entity is not None and triple_id is None:
            where, missing = _touching(entity, user_id), ("entity", entity)
        elif triple_id is not None and entity is None:
            where = Where(TRIPLES, (user_id,), also=("r.id = {}", triple_id))
            missing = ("triple", triple_id)
        else:
            raise ValueError("delete takes either an entity or a triple_id")
        if not await rows.delete_where(self._db, "delete", where):
            raise NotFoundError(*missing)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        where = Where(TRIPLES, (user_id,), filters)
        return await rows.delete_where(self._db, "delete_all", where, dry_run=dry_run)

    async def _has(self, where: Where) -> bool:
        found, _ = await rows.page(self._db, "get", where, limit=1, cursor=None)
        return bool(found)

    def _complete(self, record: Record) -> Record:
        triple = Triple(record["subject"], record["predicate"], record["object"])
        return {**record, "identity": _identity(triple, record["user_id"])}

    def _text(self, row: Row) -> Text:
        return _text(_triple(row))


def _identity(triple: Triple, user_id: str | None) -> bytes:
    """Return what identifies a triple, however long its parts are."""
    return _digest(user_id, triple.subject, triple.predicate, triple.object)


def _digest(user_id: str | None, *parts: str) -> bytes:
    return sha256(jsontext.dumps([user_id or "", *parts])).digest()


def _text(triple: Triple) -> Text:
    """Return what a triple says, as a sentence: works_at reads as works at."""
    said = triple.predicate.replace("_", " ")
    return Text(f"{triple.subject} {said} {triple.object}", triple.subject)


def _touching(entity: str, user_id: str | None) -> Where:
    """Return the triples of a user that have an entity at one end."""
    return Where(
        TRIPLES, (user_id,), also=("(r.subject = {} OR r.object = {})", entity)
    )


def _result(found: Sequence[Row], following: str | None) -> GraphResult:
    return GraphResult.of([_triple(row) for row in found], next_cursor=following)


def _triple(row: Row) -> Triple:
    return Triple(
        subject=row["subject"],
        predicate=row["predicate"],
        object=row["object"],
        metadata=load_metadata(row["metadata"]),
        id=row["id"],
    )
