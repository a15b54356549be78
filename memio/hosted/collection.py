"""What a hosted service must offer for memio to keep facts or documents there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from memio.exceptions import NotSupportedError
from memio.hosted.rows import Row, Scope

MOST_ROWS: Final = 20_000
"""How many rows of a scope are read at most."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What a service's own search found.

    Attributes:
        rows: Rows and their scores in [0, 1], best first.
        whole: Whether a search that may answer more would not.
    """

    rows: list[tuple[Row, float]]
    whole: bool


class Service(ABC):
    """A hosted service, from its client's making to its end."""

    @abstractmethod
    async def open(self) -> None:
        """Make the client; nothing is asked of the service yet."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the client; may be called twice."""

    @abstractmethod
    async def ping(self) -> None:
        """Ask the service for something small."""


class Collection(ABC):
    """Rows in a hosted service.

    Methods raise whatever the service's SDK raises. They run within a deadline, and
    those that only read are repeated if they fail in passing.
    """

    @abstractmethod
    async def put(self, row: Row) -> Row:
        """Store a row whose id is free; return it, perhaps under an id of its own."""

    @abstractmethod
    async def find(self, row_id: str) -> Row | None:
        """Return a row by its id, which may be any text."""

    @abstractmethod
    async def scan(self, scope: Scope) -> list[Row]:
        """Return all rows of a scope, in any order, each as it was updated last."""

    @abstractmethod
    async def rank(self, query: str, scope: Scope, limit: int) -> Hits:
        """Search a scope by meaning; the query is not blank.

        There may be fewer hits than ``limit`` if the service has a bound of its own.
        """

    @abstractmethod
    async def replace(self, old: Row, new: Row) -> bool:
        """Store another version of a row; tell whether the row was still there."""

    @abstractmethod
    async def drop(self, rows: Sequence[Row]) -> int:
        """Delete rows; return how many of them were still there."""


class VersionedCollection(Collection):
    """Rows in a service that cannot change one.

    An update adds another version, then deletes those before it. Whoever dies in
    between leaves several, of which the newest counts and the next update or deletion
    takes the others along.
    """

    @abstractmethod
    async def delete(self, places: Sequence[Any]) -> int:
        """Delete versions; return how many of them were still there."""

    async def replace(self, old: Row, new: Row) -> bool:
        """Add the new version, then delete what was there before."""
        await self.put(new)
        if await self.delete(old.places):
            return True
        # Somebody else has changed or deleted the row meanwhile.
        found = await self.find(new.id)
        if found is None or found.updated > new.updated:
            return found is not None
        if len(found.places) > 1:
            await self.delete(found.places[1:])
            return True
        await self.delete(found.places)
        return False

    async def drop(self, rows: Sequence[Row]) -> int:
        """Delete all versions of the rows, the newest last."""
        await self.delete([place for row in rows for place in row.places[1:]])
        return await self.delete([row.places[0] for row in rows])


def require(accepted: object, service: str) -> None:
    """Take an answer for success only if it says what was stored.

    Raises:
        RuntimeError: It does not.
    """
    if not accepted:
        raise RuntimeError(f"{service}'s answer does not say what was stored")


def check_size(
    provider: str, count: int, most: int = MOST_ROWS, what: str = "rows"
) -> None:
    """Refuse to read on, rather than work without end.

    Raises:
        NotSupportedError: There are more than ``most``.
    """
    if count > most:
        raise NotSupportedError(
            provider,
            "reading everything",
            hint=f"there are more than {most} {what}; give a user_id, search by "
            "meaning without filters, or move to the local or postgres provider.",
        )
