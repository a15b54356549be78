"""Reading and deleting rows: the part of the stores that is the same for all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from memio.filters import matcher, parse
from memio.ids import cursor_at, position_of
from memio.metadata import dump_metadata, load_metadata
from memio.models import Filters, Metadata
from memio.providers.postgres.conditions import filterable, meets
from memio.providers.postgres.connection import Connection, Row, affected
from memio.providers.postgres.database import PostgresDatabase
from memio.providers.postgres.tables import (
    Parameters,
    Scope,
    Table,
    in_scope,
)

_MOST_AT_ONCE = 1000

Stored = tuple[str | None, str | None]
"""Metadata as it is stored, and the copy of it that filters look at."""


class Where:
    """Which rows are meant: those of a scope that a filter lets by.

    Args:
        table: Where they are.
        scope: Whose rows.
        filters: Which of them, by metadata.
        also: A further condition on the row ``r``, "{}" standing for its value.

    Raises:
        ValidationError: The filter is malformed.
    """

    def __init__(
        self,
        table: Table,
        scope: Scope,
        filters: Filters | None = None,
        also: tuple[str, Any] | None = None,
    ) -> None:
        self.table, self._scope, self._also = table, scope, also
        self._filter = parse(filters) if filters else None
        self._chosen = matcher(self._filter) if self._filter else None

    @property
    def has_filter(self) -> bool:
        """Whether the rows of the scope are to be told apart by their metadata."""
        return self._filter is not None

    def condition(self, given: Parameters, scope: str = "r") -> str:
        """Return the condition on the row ``r``; ``lets_by`` has the last word.

        Args:
            given: Receives the condition's values.
            scope: The alias of the table whose columns tell a row's scope.
        """
        wanted = [self.scope_condition(given, scope)]
        if self._also is not None:
            condition, value = self._also
            wanted.append(condition.replace("{}", given.add(value)))
        if self._filter is not None:
            wanted.append(meets(self._filter, given, "r"))
        return " AND ".join(wanted)

    def scope_condition(self, given: Parameters, alias: str) -> str:
        """Return the condition that a row is in the scope."""
        return in_scope(self.table, self._scope, given, alias)

    def lets_by(self, row: Row) -> bool:
        """Tell whether a row's metadata is what the filter asks for."""
        return self._chosen is None or self._chosen(load_metadata(row["metadata"]))


async def fetch_id(db: PostgresDatabase, table: Table, row_id: str) -> Row | None:
    """Return the row with an id."""
    sql = f"SELECT {table.columns} FROM {table.name} AS r WHERE r.id = $1"
    return await db.read("get", lambda conn: conn.fetchrow(sql, row_id))


async def replace(
    conn: Connection, table: Table, row_id: str, content: str, stored: Stored | None
) -> Row | None:
    """Give a row its new content, and metadata unless that is kept; return the row."""
    metadata = "" if stored is None else ", metadata = $3, filterable = $4"
    sql = (
        f"UPDATE {table.name} AS r SET content = $2{metadata}, updated_at ="
        " greatest(clock_timestamp(), r.updated_at + interval '1 microsecond')"
        f" WHERE r.id = $1 RETURNING {table.columns}"
    )
    return await conn.fetchrow(sql, row_id, content, *(stored or ()))


async def page(
    db: PostgresDatabase,
    operation: str,
    where: Where,
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[Row], str | None]:
    """Return rows, newest first, and the cursor of the page after them if any.

    Numbers are given as rows come and seen as they are committed, so they are not quite
    the order of that. A walk goes towards lower numbers, and whatever was there when it
    began has its place: it meets every such row once.
    """
    found: list[Row] = []
    before = None if cursor is None else position_of(cursor)
    most = limit + 1
    while True:
        batch = await _batch(db, operation, where, before, most)
        for row in filter(where.lets_by, batch):
            if len(found) == limit:
                return found, cursor_at(found[-1]["seq"])
            found.append(row)
        if len(batch) < most:
            return found, None
        before, most = batch[-1]["seq"], _MOST_AT_ONCE


async def _batch(
    db: PostgresDatabase, operation: str, where: Where, before: int | None, most: int
) -> list[Row]:
    given = Parameters()
    condition = where.condition(given)
    if before is not None:
        condition += f" AND r.seq < {given.add(before)}"
    sql = (
        f"SELECT {where.table.columns} FROM {where.table.name} AS r"
        f" WHERE {condition} ORDER BY r.seq DESC LIMIT {given.add(most)}"
    )
    return await db.read(operation, lambda conn: conn.fetch(sql, *given))


async def delete_where(
    db: PostgresDatabase, operation: str, where: Where, *, dry_run: bool = False
) -> int:
    """Delete the rows that are meant; return how many they are."""
    run = db.read if dry_run else db.write

    async def work(conn: Connection) -> int:
        if not where.has_filter:
            return await _delete_scope(conn, where, dry_run=dry_run)
        async with conn.transaction():
            lock = "" if dry_run else " FOR UPDATE"
            seqs = [seq async for seq in _matching(conn, where, lock)]
            if not dry_run:
                sql = f"DELETE FROM {where.table.name} WHERE seq = ANY($1::bigint[])"
                await conn.execute(sql, seqs)
            return len(seqs)

    return await run(operation, work)


async def _delete_scope(conn: Connection, where: Where, *, dry_run: bool) -> int:
    given = Parameters()
    rest = f"FROM {where.table.name} AS r WHERE {where.condition(given)}"
    if dry_run:
        return int(await conn.fetchval(f"SELECT count(*) {rest}", *given))
    return affected(await conn.execute(f"DELETE {rest}", *given))


async def _matching(conn: Connection, where: Where, lock: str) -> AsyncIterator[int]:
    given = Parameters()
    sql = (
        f"SELECT r.seq, r.metadata FROM {where.table.name} AS r"
        f" WHERE {where.condition(given)}{lock}"
    )
    async for row in conn.cursor(sql, *given, prefetch=_MOST_AT_ONCE):
        if where.lets_by(row):
            yield row["seq"]


def dump(metadata: Metadata | None) -> Stored:
    """Write metadata.

    Raises:
        ValidationError: It is larger than memio keeps, or not JSON.
    """
    text = dump_metadata(metadata)
    return (None, "{}") if text is None else (text, filterable(metadata))
