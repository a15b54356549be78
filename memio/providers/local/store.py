"""What the four embedded stores have in common: the database and its life."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from memio.filters import Predicate, matcher, parse
from memio.models import Filters
from memio.providers.local import index, rows
from memio.providers.local.database import (
    BUSY_SECONDS,
    HALF,
    LocalDatabase,
    set_fingerprint,
)
from memio.providers.local.rows import Row
from memio.providers.local.tables import Scope, Table, where
from memio.retrieval.passages import Text

_REINDEX_BATCH = 256


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What ``config`` of a store on ``local`` may say.

    Attributes:
        path: Of the database file; memio.db in the data directory if empty.
        cache_mb: Memory for the scopes that are searched, in MiB.
        busy_seconds: How long a write waits while another process writes.
    """

    path: str = ""
    cache_mb: int = 512
    busy_seconds: float = field(
        default=BUSY_SECONDS, metadata={"least": 0, "most": 3600}
    )


class LocalStore:
    """A store in the embedded database."""

    SETTINGS: ClassVar[type[LocalSettings]] = LocalSettings
    TABLE: ClassVar[Table]

    def __init__(self, database: LocalDatabase) -> None:
        self._db = database
        self._open = False

    @classmethod
    def from_config(cls, settings: LocalSettings, context: Any) -> Self:
        """Make a configured server's store; stores of one path share a database."""
        path = Path(settings.path or context.data_dir / "memio.db").absolute()

        def make() -> LocalDatabase:
            return LocalDatabase(
                path,
                context.embedder,
                cache_mb=settings.cache_mb,
                busy_seconds=settings.busy_seconds,
            )

        return cls(context.shared(("local", path), make))

    async def open(self) -> None:
        """Open the database.

        Raises:
            SetupError: It cannot be opened, or holds another embedder's vectors.
        """
        await asyncio.to_thread(self._db.open)
        self._open = True
        try:
            await asyncio.to_thread(self._db.claim, self.TABLE)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Wait for the writes that are under way and let go of the database."""
        if self._open:
            self._open = False
            await asyncio.to_thread(self._db.close)

    async def ping(self) -> None:
        """Read something."""
        await self._db.read("ping", lambda conn: conn.execute("SELECT 1").fetchone())

    async def reindex(self) -> int:
        """Embed every row again, with the embedder configured now; return how many.

        The store must not be open, here or in another process. If this is broken off,
        the store refuses to open until it has been run to its end.
        """
        await asyncio.to_thread(self._db.open)
        try:
            return await self._reindex()
        finally:
            await asyncio.to_thread(self._db.close)

    async def _reindex(self) -> int:
        table, after, done = self.TABLE, 0, 0
        mine = self._db.embedder.fingerprint
        await self._db.write(
            "reindex", lambda conn: set_fingerprint(conn, table, HALF + mine)
        )
        while batch := await self._db.read("reindex", partial(self._after, seq=after)):
            texts = self._texts(batch)
            entries = await index.embed(self._db.embedder, texts)
            after = batch[-1]["seq"]

            def work(conn: Any, batch: Any = batch, entries: Any = entries) -> None:
                for row, entry in zip(batch, entries, strict=True):
                    scope = tuple(row[column] for column in table.scope)
                    index.put(conn, table, row["seq"], scope, entry, row["context"])

            await self._db.write("reindex", work)
            done += len(batch)
        await self._db.write("reindex", lambda conn: set_fingerprint(conn, table, mine))
        return done

    def _after(self, conn: Any, seq: int) -> list[Row]:
        name, previous = self.TABLE.name, "''"
        if self.TABLE.has_context:
            said = f"(SELECT content FROM {name} WHERE seq = i.context)"
            previous = f"ifnull({said}, '')"
        return list(
            rows.fetch(
                conn,
                f"SELECT r.*, i.context, {previous} AS previous"
                f" FROM {name} AS r JOIN {name}_index AS i ON i.seq = r.seq"
                " WHERE r.seq > ? ORDER BY r.seq LIMIT ?",
                (seq, _REINDEX_BATCH),
            )
        )

    def _texts(self, batch: Sequence[Row]) -> list[Text]:
        return [self._text(row) for row in batch]

    def _text(self, row: Row) -> Text:
        """Return a row's searchable text."""
        return Text(row["content"])

    async def _page(
        self,
        scope: Scope,
        *,
        limit: int,
        cursor: str | None,
        filters: Filters | None,
    ) -> tuple[list[Row], str | None]:
        """Return rows of a scope, newest first, and the cursor of the next page."""
        chosen = self._chosen(filters)
        condition = where(self.TABLE, scope)
        # Rows that two conditions must meet, or a filter, may be few among many.
        is_found_at_once = chosen is None and sum(v is not None for v in scope) <= 1
        return await self._db.read(
            "get_all",
            lambda conn: rows.page(
                conn, self.TABLE, condition, limit=limit, cursor=cursor, chosen=chosen
            ),
            is_short=is_found_at_once and limit <= rows.SHORT_PAGE,
        )

    @staticmethod
    def _chosen(filters: Filters | None) -> Predicate | None:
        return matcher(parse(filters)) if filters else None

    async def _embed(self, *texts: Text) -> list[index.Indexed]:
        return await index.embed(self._db.embedder, texts)
