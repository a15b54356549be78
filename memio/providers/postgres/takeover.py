"""Takes over what the embedded provider has stored: the rows as they are.

Its file is read by its schema alone, which names tables and columns as this one does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final

from memio import jsontext
from memio.exceptions import SetupError
from memio.providers.postgres.conditions import filterable
from memio.providers.postgres.connection import Connection

_APPLICATION_ID: Final = 0x6D656D69
_SCHEMA_VERSIONS: Final = (1, 2)  # whose rows are the same
_MOMENTS: Final = ("created_at", "updated_at")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Record = dict[str, Any]


async def copy(
    conn: Connection,
    path: Path,
    tables: Sequence[str],
    complete: Callable[[Record], Record],
) -> int:
    """Copy tables, in the caller's transaction; return the rows of the last one.

    Args:
        conn: Where to.
        path: The embedded provider's file; no server may be working on it.
        tables: Their names; all must be empty.
        complete: Adds the columns that the embedded provider does not have.

    Raises:
        SetupError: The file is not of the embedded provider, or there are rows already.
    """
    count = 0
    with closing(_open(path)) as source:
        for table in tables:
            await conn.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            if await conn.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
                raise SetupError(
                    f"There are {table} in PostgreSQL already; name another schema, or "
                    "take the store out of the configuration."
                )
            count = await _copy_table(conn, source, table, complete)
    return count


async def _copy_table(
    conn: Connection,
    source: sqlite3.Connection,
    table: str,
    complete: Callable[[Record], Record],
) -> int:
    records = _records(source, table, complete)
    first = next(records, None)
    if first is None:
        return 0
    # Of what is copied, unlike what is inserted, even the generated column is kept:
    # so cursors that clients hold stay good.
    done = await conn.copy_records_to_table(
        table,
        columns=list(first),
        records=(tuple(each.values()) for each in chain([first], records)),
    )
    (last,) = source.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
    ).fetchone()
    sql = "SELECT setval(pg_get_serial_sequence($1, 'seq'), $2)"
    await conn.fetchval(sql, table, last)
    return int(done.rsplit(maxsplit=1)[-1])


def _records(
    source: sqlite3.Connection, table: str, complete: Callable[[Record], Record]
) -> Iterator[Record]:
    for row in source.execute(f"SELECT * FROM {table} ORDER BY seq"):
        record = dict(row)
        for name in _MOMENTS:
            if name in record:
                record[name] = _EPOCH + timedelta(microseconds=record[name])
        if "metadata" in record:
            text = record["metadata"]
            metadata = None if text is None else jsontext.loads(text)
            record["filterable"] = filterable(metadata)
        yield complete(record)


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise SetupError(f"There is no file '{path}'; name the embedded provider's.")
    conn = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        found = [
            conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        ]
    except sqlite3.DatabaseError:
        found = []
    if found not in [[_APPLICATION_ID, version] for version in _SCHEMA_VERSIONS]:
        conn.close()
        raise SetupError(
            f"'{path}' is not a file of the embedded provider that this memio knows."
        )
    conn.row_factory = sqlite3.Row
    return conn
