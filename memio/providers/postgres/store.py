"""What the four stores on PostgreSQL have in common: the database and its life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from memio.providers.postgres import index, migrations, takeover
from memio.providers.postgres.connection import Connection, Row
from memio.providers.postgres.database import PostgresDatabase
from memio.providers.postgres.index import Parts
from memio.providers.postgres.tables import Parameters, Table
from memio.providers.postgres.vectors import teach
from memio.retrieval.passages import Text

_REINDEX_BATCH = 256


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """What ``config`` of a store on ``postgres`` may say.

    Attributes:
        dsn: postgresql://user:password@host:5432/database.
        schema: Of memio's tables; servers with the same one share their memory.
        pool_size: The most connections, for each process that serves.
        pool_wait: Seconds that a request waits for one of them.
        timeout: Seconds that a request may take.
    """

    dsn: str = field(repr=False)
    schema: str = "memio"
    pool_size: int = field(default=10, metadata={"least": 1, "most": 1000})
    pool_wait: float = field(default=5.0, metadata={"least": 0, "most": 3600})
    timeout: float = field(default=30.0, metadata={"least": 0.1, "most": 3600})

    def __post_init__(self) -> None:
        if not self.dsn.startswith(("postgresql://", "postgres://")):
            raise ValueError(
                "dsn must be like postgresql://user:password@host:5432/database."
            )


class PostgresStore:
    """A store on PostgreSQL."""

    SETTINGS: ClassVar[type[PostgresSettings]] = PostgresSettings
    TABLE: ClassVar[Table]
    TAKEN_OVER: ClassVar[tuple[str, ...]]
    """The tables of rows that the store has in common with the embedded provider's."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._db = database
        self._open = False

    @classmethod
    def from_config(cls, settings: PostgresSettings, context: Any) -> Self:
        """Make a configured server's store; stores of one schema share a pool."""

        def make() -> PostgresDatabase:
            return PostgresDatabase(
                settings.dsn,
                context.embedder,
                schema=settings.schema,
                pool_size=settings.pool_size,
                pool_wait=settings.pool_wait,
                timeout=settings.timeout,
            )

        return cls(context.shared(("postgres", settings), make))

    async def open(self) -> None:
        """Connect.

        Raises:
            SetupError: The database cannot be used, or holds vectors of another
                embedder.
        """
        await self._db.open()
        self._open = True
        try:
            await self._db.claim(self.TABLE)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Wait for what is under way and let go of the database."""
        if self._open:
            self._open = False
            await self._db.close()

    async def ping(self) -> None:
        """Ask PostgreSQL for a sign of life."""
        await self._db.read("ping", lambda conn: conn.fetchval("SELECT 1"))

    async def migrate_schema(self) -> int:
        """Bring the schema up to date, and the store's part in it; return the version.

        Opening a store does so too, if its role may change the schema.
        """
        await self.open()
        try:
            return len(migrations.MIGRATIONS)
        finally:
            await self.close()

    async def reindex(self) -> int:
        """Embed every row again, with the embedder configured now; return how many.

        The store must not be open, here or in another process. If this is broken off,
        the store refuses to open until it has been run to its end.
        """
        await self._db.open()
        try:
            async with self._db.administer() as conn:
                return await self._reindex(conn)
        finally:
            await self._db.close()

    async def take_over(self, path: Path) -> int:
        """Copy the rows of the embedded provider's file, embed them, return how many.

        Ids, moments and cursors stay what they are. The store must be empty, and no
        server may be working on the file. If this is broken off, either nothing has
        been copied, or the store refuses to open until ``reindex`` has been run.

        Raises:
            SetupError: There are rows already, or the file is not what it should be.
        """
        await self._db.open()
        try:
            async with self._db.administer() as conn:
                async with conn.transaction():
                    await migrations.replace_vectors(
                        conn, self.TABLE, self._db.embedder
                    )
                    await takeover.copy(conn, path, self.TAKEN_OVER, self._complete)
                return await self._reindex(conn)
        finally:
            await self._db.close()

    def _complete(self, record: takeover.Record) -> takeover.Record:
        """Add the columns that the embedded provider does not have."""
        return record

    async def _reindex(self, conn: Connection) -> int:
        table, embedder = self.TABLE, self._db.embedder
        await teach(conn, await migrations.home_of_vectors(conn))
        await migrations.replace_vectors(conn, table, embedder)
        sql = (
            f"SELECT {table.columns}, {table.previous} AS previous"
            f" FROM {table.name} AS r WHERE r.seq > $1 ORDER BY r.seq LIMIT $2"
        )
        after = done = 0
        while batch := await conn.fetch(sql, after, _REINDEX_BATCH):
            parts = await self._embed(
                [self._text(row) for row in batch], [row["id"] for row in batch]
            )
            async with conn.transaction():
                await self._put_parts(conn, [row["seq"] for row in batch], parts)
            after, done = batch[-1]["seq"], done + len(batch)
        await migrations.finish_vectors(conn, table, embedder)
        return done

    def _text(self, row: Row) -> Text:
        """Return a row's searchable text."""
        return Text(row["content"])

    async def _embed(self, texts: Sequence[Text], keys: Sequence[str]) -> Parts:
        return await index.embed(self._db.embedder, self.TABLE, texts, keys)

    async def _put_parts(
        self, conn: Connection, seqs: Sequence[int], parts: Parts
    ) -> None:
        """Replace what is derived from rows, in the caller's transaction."""
        table, given = self.TABLE, Parameters()
        await conn.execute(
            f"DELETE FROM {table.parts} WHERE seq = ANY($1::bigint[])", list(seqs)
        )
        sql = index.store(table, table.name, parts, given)
        await conn.execute(sql, *given)
