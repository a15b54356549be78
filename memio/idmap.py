"""A durable map from our ids to a provider's, where the provider keeps none of ours."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ids (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, key)
)
"""


class IdMap:
    """Values by kind and key, in an SQLite file that several processes may share.

    What a method has written is on disk when it returns. Methods run in a thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._conn: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    async def open(self) -> None:
        """Open the file, made if need be.

        Raises:
            OSError: It cannot be opened, or is no SQLite file.
        """
        await asyncio.to_thread(self._connect)

    async def close(self) -> None:
        """Close the file; may be called twice."""
        await asyncio.to_thread(self._disconnect)

    async def get(self, kind: str, key: str) -> str | None:
        """Return a value, or None."""

        def work(conn: sqlite3.Connection) -> str | None:
            sql = "SELECT value FROM ids WHERE kind = ? AND key = ?"
            found = conn.execute(sql, (kind, key)).fetchone()
            return None if found is None else str(found[0])

        return await self._run(work)

    async def items(self, kind: str) -> list[tuple[str, str]]:
        """Return all keys and values of a kind, in the order in which they came."""

        def work(conn: sqlite3.Connection) -> list[tuple[str, str]]:
            sql = "SELECT key, value FROM ids WHERE kind = ? ORDER BY seq"
            return conn.execute(sql, (kind,)).fetchall()

        return await self._run(work)

    async def put(self, kind: str, key: str, value: str) -> str:
        """Store a value unless the key has one; return the one it has then."""

        def work(conn: sqlite3.Connection) -> str:
            with conn:
                conn.execute(
                    "INSERT INTO ids (kind, key, value) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (kind, key, value),
                )
                sql = "SELECT value FROM ids WHERE kind = ? AND key = ?"
                return str(conn.execute(sql, (kind, key)).fetchone()[0])

        return await self._run(work)

    async def forget(self, kind: str, key: str, value: str) -> bool:
        """Remove a key if it has this value; tell whether it had."""

        def work(conn: sqlite3.Connection) -> bool:
            with conn:
                sql = "DELETE FROM ids WHERE kind = ? AND key = ? AND value = ?"
                return conn.execute(sql, (kind, key, value)).rowcount > 0

        return await self._run(work)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def locked() -> T:
            with self._lock:
                if self._conn is None:
                    raise RuntimeError("the id map is not open")
                return work(self._conn)

        return await asyncio.to_thread(locked)

    def _connect(self) -> None:
        with self._lock:
            if self._conn is not None:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                conn = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
            except sqlite3.Error as error:
                raise OSError(f"cannot open {self._path}: {error}") from error
            try:
                conn.execute("PRAGMA synchronous = FULL")
                conn.execute(_SCHEMA)
            except sqlite3.Error as error:
                conn.close()
                raise OSError(f"cannot open {self._path}: {error}") from error
            self._conn = conn

    def _disconnect(self) -> None:
        with self._lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None
