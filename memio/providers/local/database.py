"""One SQLite file and the threads that work on it, shared by the stores of a server."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from memio.embedding import Embedder
from memio.exceptions import MemioError, ProviderError, SetupError
from memio.providers.local.cache import ScopeCache
from memio.providers.local.tables import Table, create
from memio.providers.local.writer import Writer, is_busy

PROVIDER = "local"
READERS = 4
BUSY_SECONDS = 30.0
HALF = "half "
"""Goes before the fingerprint of vectors that are still being made anew."""

T = TypeVar("T")


class LocalDatabase:
    """The embedded database: a file in WAL mode, one writer, a few readers.

    Several processes may work on one file. A write that has returned is on disk
    (``synchronous=FULL``), and every read begun after it sees it.

    Args:
        path: Of the database file; its directory is made if missing.
        embedder: Gives texts their vectors; must be open before the database is.
        cache_mb: Memory for the scopes that are searched, in MiB.
        busy_seconds: How long a write waits while another process writes.
    """

    def __init__(
        self,
        path: str | Path,
        embedder: Embedder,
        *,
        cache_mb: int = 512,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.path = Path(path)
        self.embedder = embedder
        self.busy_seconds = busy_seconds
        self.cache = ScopeCache(lambda: embedder.dim, cache_mb * 2**20)
        self._users = 0
        self._writer: Writer | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._rankers: ThreadPoolExecutor | None = None
        self._reader = threading.local()
        self._here: sqlite3.Connection | None = None
        self._connections: list[sqlite3.Connection] = []

    def open(self) -> None:
        """Open the file, creating what is missing; each call wants one ``close``.

        Raises:
            SetupError: The file cannot be opened, or is not a database of memio's.
        """
        if self._users == 0:
            with self._setup_errors():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._create()
            self._writer = Writer(self._connect)
            self._readers = ThreadPoolExecutor(READERS, "memio-reader")
            self._rankers = ThreadPoolExecutor(os.cpu_count(), "memio-ranker")
            self._here = self._connect_to_read()
            self._here.execute("PRAGMA busy_timeout = 0")  # nobody can wait there
        self._users += 1

    def close(self) -> None:
        """Let go; the last to do so ends the threads and checkpoints the file."""
        self._users -= 1
        if self._users == 0 and self._writer and self._readers and self._rankers:
            self._rankers.shutdown()
            self._readers.shutdown()
            self._writer.close()
            for conn in self._connections:
                conn.close()
            self._connections.clear()
            self._here = None
            self._reader = threading.local()
            self.cache.clear()

    async def write(self, operation: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in a transaction; when this returns, its writes are on disk.

        Raises:
            ProviderError: SQLite failed, as on a full disk; nothing is stored.
            OverloadedError: Too much waits already; nothing was begun.
        """
        if self._writer is None:
            raise _failure(operation, sqlite3.ProgrammingError("not open"))
        try:
            result: T = await self._writer.submit(work)
        except sqlite3.Error as error:
            raise _failure(operation, error) from error
        return result

    async def read(
        self,
        operation: str,
        work: Callable[[sqlite3.Connection], T],
        *,
        is_short: bool = False,
    ) -> T:
        """Run a job that sees one state of the database.

        One that ``is_short`` is done in well under a millisecond, such as reading a few
        rows by their keys, and therefore here: the way to a thread takes longer.

        Raises:
            ProviderError: SQLite failed.
        """
        if self._readers is None or self._here is None:
            raise _failure(operation, sqlite3.ProgrammingError("not open"))
        try:
            if is_short:
                try:
                    return _in_one_state(self._here, work)
                except sqlite3.OperationalError as error:
                    if not is_busy(error):  # else a thread has the patience to wait
                        raise
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, self._read, work)
        except (sqlite3.Error, RuntimeError) as error:
            raise _failure(operation, error) from error

    async def compute(self, work: Callable[[], T]) -> T:
        """Run a job of nothing but arithmetic in a thread.

        There are as many of these threads as processors: more would only drive each
        other's numbers out of the caches.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._rankers, work)

    def claim(self, table: Table) -> None:
        """Note which embedder a store's vectors are of, or check that it is this one.

        Raises:
            SetupError: They are of another one, or it cannot be told.
        """
        key, mine = _fingerprint_key(table), self.embedder.fingerprint
        with self._setup_errors(), closing(self._connect()) as conn:
            conn.execute("BEGIN IMMEDIATE")
            row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,))
            (theirs,) = row.fetchone() or (mine,)
            (rows,) = conn.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {table.name} LIMIT 1)"
            ).fetchone()
            if theirs.startswith(HALF) and rows:
                raise SetupError(
                    f"The {table.name} in {self.path} were not embedded to the end; "
                    "run `memio-server reindex` again."
                )
            if theirs != mine and rows:
                raise SetupError(
                    f"The {table.name} in {self.path} were embedded with {theirs}, and "
                    f"the configuration asks for {mine}. Set embedding back, or embed "
                    "them again: stop the server and run `memio-server reindex`."
                )
            set_fingerprint(conn, table, mine)
            conn.execute("COMMIT")

    @contextmanager
    def _setup_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SetupError(
                f"The database {self.path} cannot be opened: {error}. "
                "Check the path, its permissions, and what else has it open."
            ) from error

    def _create(self) -> None:
        with closing(self._connect()) as conn:
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("BEGIN IMMEDIATE")
            create(conn)
            conn.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        conn = sqlite3.connect(
            self.path,
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,  # closed by the thread that closes the database
            cached_statements=256,
        )
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA foreign_keys = ON")
        return conn

    def _connect_to_read(self) -> sqlite3.Connection:
        conn = self._connect()
        conn.execute("PRAGMA query_only = ON")
        self._connections.append(conn)
        return conn

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        conn: sqlite3.Connection | None = getattr(self._reader, "conn", None)
        if conn is None:
            conn = self._reader.conn = self._connect_to_read()
        return _in_one_state(conn, work)


def _in_one_state(
    conn: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]
) -> T:
    conn.execute("BEGIN")
    try:
        return work(conn)
    finally:
        conn.execute("COMMIT")


def set_fingerprint(conn: sqlite3.Connection, table: Table, value: str) -> None:
    """Note the embedder of a store's vectors."""
    conn.execute(
        "INSERT INTO meta VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        " WHERE value <> excluded.value",
        (_fingerprint_key(table), value),
    )


def _fingerprint_key(table: Table) -> str:
    return f"embedder.{table.name}"


def _failure(operation: str, error: Exception) -> MemioError:
    return ProviderError(PROVIDER, operation, error)
