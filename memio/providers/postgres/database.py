"""The connections of a server to PostgreSQL, shared by its stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

import asyncpg

from memio.calls import Calls
from memio.embedding import Embedder
from memio.exceptions import OverloadedError, ProviderError, ProviderTimeoutError
from memio.providers.postgres import failures, migrations
from memio.providers.postgres.connection import Connection
from memio.providers.postgres.tables import Table
from memio.providers.postgres.vectors import teach

PROVIDER = "postgres"
RETRIES = 4
"""With the pauses between them, time enough for a server to be started anew."""

_log = logging.getLogger("memio.postgres")

_CONNECT_SECONDS = 10
_CANCEL_SECONDS = 2

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]


class PostgresDatabase:
    """A database, reached by a pool of connections.

    A write that has returned is committed, and every read begun after it sees it.

    Args:
        dsn: Where it is and who asks: postgresql://user:password@host:5432/database.
        embedder: Gives texts their vectors; must be open before the database is.
        schema: Of memio's tables.
        pool_size: The most connections, for each process that serves.
        pool_wait: Seconds that a request waits for one of them.
        timeout: Seconds that a request may take.
    """

    def __init__(
        self,
        dsn: str,
        embedder: Embedder,
        *,
        schema: str = "memio",
        pool_size: int = 10,
        pool_wait: float = 5.0,
        timeout: float = 30.0,
    ) -> None:
        self.embedder = embedder
        self._dsn, self._schema = dsn, schema
        self._size, self._wait, self._timeout = pool_size, pool_wait, timeout
        self._reads = self._make_calls(failures.may_pass)
        self._writes = self._make_calls(failures.has_no_effect)
        self._users = 0
        self._pool: asyncpg.Pool | None = None
        self._free = asyncio.Semaphore(pool_size)

    async def open(self) -> None:
        """Connect, and bring the schema up to date; each call wants one ``close``.

        Raises:
            SetupError: It cannot be reached or used as it is configured.
        """
        if self._users == 0:
            async with self.administer() as conn:
                await migrations.migrate(conn, self._schema)
                home = await migrations.home_of_vectors(conn)
                self._pool = await self._make_pool(home)
            self._free = asyncio.Semaphore(self._size)
        self._users += 1

    async def close(self) -> None:
        """Let go; the last to do so waits for what is under way and disconnects."""
        self._users -= 1
        if self._users == 0 and self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(self._timeout):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def read(self, operation: str, work: Work[T]) -> T:
        """Do something that changes nothing; if the connection breaks, once more.

        Raises:
            ProviderError: PostgreSQL failed.
            OverloadedError: There was no connection to be had.
        """
        return await self._run(self._reads, operation, work)

    async def write(self, operation: str, work: Work[T]) -> T:
        """Do something that must be one statement or one transaction.

        It is done once more only if PostgreSQL is known to have undone it.

        Raises:
            ProviderError: PostgreSQL failed. If the connection broke, the write may
                have happened.
            OverloadedError: There was no connection to be had; nothing is stored.
        """
        return await self._run(self._writes, operation, work)

    async def claim(self, table: Table) -> None:
        """Note which embedder a store's vectors are of, or check that it is this one.

        Raises:
            SetupError: They are of another one, or it cannot be told.
        """
        with failures.opening(self._dsn):
            async with self._connection() as conn:
                await migrations.claim(conn, table, self.embedder)

    @asynccontextmanager
    async def administer(self) -> AsyncIterator[Connection]:
        """Lend a connection of its own, on which statements may take their time.

        Raises:
            SetupError: For whatever fails on it.
        """
        with failures.opening(self._dsn):
            conn = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS)
            try:
                await conn.execute("SET statement_timeout = 0")
                await migrations.use_schema(conn, self._schema)
                yield conn
            finally:
                await conn.close()

    def _make_calls(self, is_transient: Callable[[Exception], bool]) -> Calls:
        return Calls(
            PROVIDER,
            # PostgreSQL itself ends what is late; should it not answer, this does.
            timeout=self._timeout + 1,
            retries=RETRIES,
            is_transient=is_transient,
            is_timeout=failures.is_late,
        )

    async def _make_pool(self, home: str) -> asyncpg.Pool:
        milliseconds = str(round(self._timeout * 1000))
        settings = {
            "search_path": migrations.search_path(self._schema, home),
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            "jit": "off",  # compiling takes longer than any statement here
            # Without it, an index scan ends after ef_search rows, whosever.
            "hnsw.iterative_scan": "strict_order",
            "hnsw.ef_search": "200",
        }

        async def prepare(conn: Connection) -> None:
            await teach(conn, home)
            # Not as it connects: a pooler in between would drop or refuse them.
            await conn.fetch(
                "SELECT set_config(name, value, false)"
                " FROM unnest($1::text[], $2::text[]) AS setting (name, value)",
                list(settings),
                list(settings.values()),
            )

        return await asyncpg.create_pool(
            self._dsn,
            min_size=0,  # else asyncpg connects by itself, and logs when it cannot
            max_size=self._size,
            timeout=_CONNECT_SECONDS,
            init=prepare,
            reset=_keep,
            server_settings={"application_name": "memio"},
        )

    async def _run(self, calls: Calls, operation: str, work: Work[T]) -> T:
        async def attempt() -> T:
            async with self._connection() as conn:
                with failures.working():
                    return await work(conn)

        try:
            return await calls.run(operation, attempt, idempotent=True)
        except ProviderError as error:
            if isinstance(error.cause, failures.UnreachedError):
                _log.warning("PostgreSQL cannot be reached: %s", error.cause)
                raise OverloadedError(
                    "PostgreSQL cannot be reached; nothing was done, try again."
                ) from error
            if self._pool is not None and _is_stale(error):
                await self._pool.expire_connections()
            raise

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        pool = self._pool
        if pool is None:
            raise asyncpg.InternalClientError("the store is not open")
        try:
            async with asyncio.timeout(self._wait):
                await self._free.acquire()
        except TimeoutError as error:
            raise OverloadedError(
                f"All {self._size} connections to PostgreSQL are busy; try again."
            ) from error
        try:
            with failures.connecting():
                conn = await pool.acquire(timeout=_CONNECT_SECONDS)
            try:
                yield cast("Connection", conn)
            finally:
                # One that cannot be given back is ended; what it was for is done.
                with suppress(Exception):
                    await pool.release(conn, timeout=_CANCEL_SECONDS)
        finally:
            self._free.release()


async def _keep(_: object) -> None:
    """Leave a connection that comes back as it is: nobody changes its settings."""


def _is_stale(error: ProviderError) -> bool:
    """Tell whether the other connections are likely to fail as this one did.

    They do if the server does not answer any more, or has become a standby.
    """
    silent = isinstance(error, ProviderTimeoutError) and isinstance(
        error.cause, TimeoutError
    )
    return silent or isinstance(error.cause, asyncpg.ReadOnlySQLTransactionError)
