"""What memio uses of asyncpg, which comes without types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = Mapping[str, Any]
"""A row by column name. (asyncpg's iterate over values: do not iterate over them.)"""


class Connection(Protocol):
    """A connection to PostgreSQL; a statement's values stand for its $1, $2, ..."""

    async def execute(self, sql: str, *values: object) -> str:
        """Return what PostgreSQL says has been done, such as "DELETE 3"."""
        ...

    async def fetch(self, sql: str, *values: object) -> list[Row]:
        """Return every row."""
        ...

    async def fetchrow(self, sql: str, *values: object) -> Row | None:
        """Return the first row."""
        ...

    async def fetchval(self, sql: str, *values: object) -> Any:
        """Return the first column of the first row; None if there is none."""
        ...

    def cursor(self, sql: str, *values: object, prefetch: int) -> AsyncIterator[Row]:
        """Return the rows as they come; only within a transaction."""
        ...

    async def copy_records_to_table(
        self, table: str, *, columns: list[str], records: Iterable[tuple[Any, ...]]
    ) -> str:
        """Return how many rows have been stored, such as "COPY 3"."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Commit at the end, or undo everything if that is not reached."""
        ...

    async def set_type_codec(self, name: str, **how: object) -> None:
        """Say how a type travels."""

    async def close(self) -> None:
        """Disconnect."""


def affected(status: str) -> int:
    """Return how many rows a statement changed, by what ``execute`` returned."""
    return int(status.rsplit(maxsplit=1)[-1])
