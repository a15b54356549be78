"""Reading and deleting rows: the part of the stores that is the same for all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from memio import jsontext
from memio.filters import Predicate
from memio.ids import cursor_at, position_of
from memio.metadata import load_metadata
from memio.providers.local import index
from memio.providers.local.tables import Table

SHORT_PAGE = 100
"""Rows that are read by their keys faster than a thread is asked to."""

_AMONG = "seq IN (SELECT value FROM json_each(?))"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Row(Protocol):
    """A row by column name."""

    def __getitem__(self, column: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


def fetch(
    conn: sqlite3.Connection, sql: str, params: Iterable[Any] = ()
) -> Iterator[Row]:
    """Run a query and yield its rows by column name."""
    cursor = conn.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, tuple(params))


def fetch_one(conn: sqlite3.Connection, sql: str, params: Iterable[Any]) -> Row | None:
    """Run a query and return its first row if any."""
    return next(fetch(conn, sql, params), None)


def fetch_id(conn: sqlite3.Connection, table: Table, row_id: str) -> Row | None:
    """Return the row with an id."""
    return fetch_one(conn, f"SELECT * FROM {table.name} WHERE id = ?", [row_id])


def insert(conn: sqlite3.Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row and return its number."""
    marks = ", ".join("?" * len(row))
    cursor = conn.execute(
        f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({marks})",
        tuple(row.values()),
    )
    return cursor.lastrowid or 0


def select(conn: sqlite3.Connection, table: Table, seqs: list[int]) -> dict[int, Row]:
    """Return the rows with these numbers, those that are (still) there."""
    sql = f"SELECT * FROM {table.name} WHERE {_AMONG}"
    return {row["seq"]: row for row in fetch(conn, sql, [_among(seqs)])}


def vectors(
    conn: sqlite3.Connection, table: Table, seqs: list[int]
) -> dict[int, bytes]:
    """Return the vectors of the rows with these numbers, likewise."""
    sql = f"SELECT seq, vector FROM {table.name}_index WHERE {_AMONG}"
    return dict(conn.execute(sql, [_among(seqs)]))


def _among(seqs: list[int]) -> str:
    return jsontext.dumps(seqs).decode()


def page(
    conn: sqlite3.Connection,
    table: Table,
    condition: tuple[str, list[Any]],
    *,
    limit: int,
    cursor: str | None,
    chosen: Predicate | None = None,
) -> tuple[list[Row], str | None]:
    """Return rows, newest first, and the cursor of the page after them if any."""
    sql, params = condition
    if cursor is not None:
        sql, params = f"({sql}) AND seq < ?", [*params, position_of(cursor)]
    rows = fetch(
        conn, f"SELECT * FROM {table.name} WHERE {sql} ORDER BY seq DESC", params
    )
    found: list[Row] = []
    for row in rows:
        if selected(row, chosen):
            if len(found) == limit:
                return found, cursor_at(found[-1]["seq"])
            found.append(row)
    return found, None


def delete_where(
    conn: sqlite3.Connection,
    table: Table,
    condition: tuple[str, list[Any]],
    *,
    chosen: Predicate | None = None,
    dry_run: bool = False,
) -> int:
    """Delete the rows that meet a condition and a filter; return how many."""
    seqs = matching(conn, table, condition, chosen)
    if not dry_run:
        index.delete(conn, table, seqs)
    return len(seqs)


def matching(
    conn: sqlite3.Connection,
    table: Table,
    condition: tuple[str, list[Any]],
    chosen: Predicate | None,
) -> list[int]:
    """Return the numbers of all rows that meet a condition and a filter."""
    sql, params = condition
    rows = fetch(conn, f"SELECT seq, metadata FROM {table.name} WHERE {sql}", params)
    return [row["seq"] for row in rows if selected(row, chosen)]


def selected(row: Row, chosen: Predicate | None) -> bool:
    """Tell whether a row's metadata matches."""
    return chosen is None or chosen(load_metadata(row["metadata"]))


def now() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return as_micros(datetime.now(UTC))


def as_micros(moment: datetime) -> int:
    """Return a moment in microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def as_moment(micros: int) -> datetime:
    """Return microseconds since 1970 as a moment, UTC."""
    return _EPOCH + timedelta(microseconds=micros)
