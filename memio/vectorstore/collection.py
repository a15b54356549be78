"""The seam to an engine: what it must do with keys, vectors and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memio.filters import Filter
from memio.vectorstore.record import Record

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Where:
    """Which rows are meant.

    Attributes:
        user_id: Only this user's, exactly; None for anybody's.
        agent_id: Only this agent's, exactly; None for any agent's.
        narrowed: Only those that match, as ``narrow`` describes; None for all.
    """

    user_id: str | None = None
    agent_id: str | None = None
    narrowed: Filter | None = None

    @property
    def scope(self) -> dict[str, str]:
        """The parts of the scope that are given, by their names."""
        given = {"user_id": self.user_id, "agent_id": self.agent_id}
        return {name: value for name, value in given.items() if value is not None}


class Collection(Protocol):
    """Rows in an engine: a record, a text and one or more vectors under each key.

    The first argument of a method is the operation of the store, for errors. When a
    write returns, every read sees it.
    """

    @property
    def name(self) -> str:
        """What to call it in messages: the engine, its place and the collection."""

    async def open(self, dim: int) -> None:
        """Connect; create the collection if there is none, for vectors of ``dim``.

        Raises:
            SetupError: It cannot be opened as it is configured, or was made for others.
        """

    async def close(self) -> None:
        """Let go of it; may be called twice."""

    async def ping(self) -> None:
        """Return if the engine answers."""

    async def insert(
        self, operation: str, record: Record, text: str, vectors: Vectors
    ) -> None:
        """Store a row, unless there is one with its key: that one stays as it is.

        ``vectors`` has the shape (n, dim), n >= 1: a long text has several.
        """

    async def replace(
        self, operation: str, record: Record, text: str, vectors: Vectors, old: Record
    ) -> None:
        """Store a row in the place of ``old``; do nothing if that is gone."""

    async def delete(self, operation: str, keys: Sequence[str]) -> None:
        """Delete rows; those that are missing are no error."""

    async def fetch(
        self, operation: str, keys: Sequence[str], *, texts: bool = True
    ) -> dict[str, tuple[Record, str]]:
        """Return the rows that are there, by key; without ``texts`` these are ""."""
        ...

    async def newest(
        self, operation: str, where: Where, before: str | None, least: int
    ) -> tuple[list[Record], bool]:
        """Return rows by falling ``place``, and whether there may be more after them.

        ``before`` is the place that all of them come before. Fewer than ``least`` are
        returned only if there are no more.
        """
        ...

    async def nearest(
        self,
        operation: str,
        vector: Vectors,
        where: Where,
        most: int,
        keys: Sequence[str] | None = None,
    ) -> dict[str, float]:
        """Return up to ``most`` keys, nearest to a vector first, with their cosines.

        ``vector`` has the shape (dim,). Only ``keys`` are looked at, if given.
        """
        ...

    async def holding(
        self, operation: str, words: Sequence[str], where: Where, most: int
    ) -> list[str]:
        """Return up to ``most`` keys of rows whose texts hold any of the words.

        The words are in lower case and the texts need not be. Rows that hold none may
        be among them, where an engine cannot be exact.
        """
        ...
