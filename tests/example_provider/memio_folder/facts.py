"""Facts as JSON files in a folder, each named by its id."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from memio import jsontext
from memio.calls import Calls
from memio.embedding import Embedder
from memio.exceptions import NotFoundError, SetupError
from memio.filters import matcher, parse
from memio.ids import uuid7
from memio.models import KEEP, Fact, Filters, Keep, Metadata, Mode, Page
from memio.registry import BuildContext
from memio.retrieval.keywords import rank
from memio.retrieval.scoring import hybrid

PROVIDER = "folder"


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """``stores.facts.config``.

    Attributes:
        path: The folder; if empty, "folder" in the server's data directory.
    """

    path: str = ""


class FolderFactAdapter:
    """A ``FactStore`` for some thousand facts and one process.

    All facts are in memory too, and a search compares the query with each of its scope.

    Args:
        path: The folder, which is created if it is missing.
        embedder: Gives texts their vectors, and is open before the store is.
    """

    SETTINGS: ClassVar[type] = FolderSettings

    def __init__(self, path: str | Path, embedder: Embedder) -> None:
        self._path = Path(path)
        self._embedder = embedder
        self._facts: dict[str, Fact] = {}
        # One thread: writes happen one after the other, and never on the event loop.
        self._calls = Calls(PROVIDER, threads=1)

    @classmethod
    def from_config(cls, settings: FolderSettings, context: BuildContext) -> Self:
        """Make the adapter of a server.

        Raises:
            ValueError: The server has several workers.
        """
        if context.workers > 1:
            raise ValueError("folder serves one process: set server.workers to 1.")
        path = settings.path or context.data_dir / "folder"
        return cls(path, context.embedder)

    async def open(self) -> None:
        """Read the facts that are there.

        Raises:
            SetupError: A file is no fact.
        """
        self._facts = await self._calls.run_blocking("open", self._load)

    async def close(self) -> None:
        """Let go of the thread; what was written is on disk already."""
        self._calls.close()

    async def ping(self) -> None:
        """See that the folder is there."""
        await self._calls.run_blocking("ping", lambda: os.scandir(self._path).close())

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Fact:
        now = datetime.now(UTC)
        fact = Fact(
            id=uuid7(),
            content=content,
            user_id=user_id,
            agent_id=agent_id,
            metadata=metadata,
            created_at=now,
            updated_at=now,
        )
        return await self._calls.run_blocking("add", lambda: self._write(fact))

    async def get(self, *, fact_id: str) -> Fact:
        return _copy(self._find(fact_id))

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Fact]:
        facts = self._within(user_id, agent_id, filters)
        if cursor is not None:
            facts = [f for f in facts if f.id.encode() < bytes.fromhex(cursor)]
        page = facts[:limit]
        more = len(facts) > limit
        return Page(map(_copy, page), page[-1].id.encode().hex() if more else None)

    async def search(
        self,
        *,
        query: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Fact]:
        facts = self._within(user_id, agent_id, filters)
        texts = [fact.content for fact in facts]
        scores = by_words = rank(query, texts)
        if mode != "keyword":
            vectors = await self._embedder.embed([query, *texts])
            scores = cosine = vectors[1:] @ vectors[0]
            if mode == "hybrid":
                none, weight = np.zeros_like(cosine), self._embedder.weight
                scores = hybrid(cosine, none, by_words, none, weight=weight)
        found = [
            _copy(facts[n], score=float(np.clip(scores[n], 0, 1)))
            for n in np.argsort(-scores, kind="stable")[:limit]
            if mode != "keyword" or scores[n] > 0
        ]
        return [fact for fact in found if (fact.score or 0) >= (min_score or 0)]

    async def update(
        self, *, fact_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Fact:
        def change() -> Fact:
            old = self._find(fact_id)
            assert old.updated_at
            return self._write(
                replace(
                    old,
                    content=content,
                    metadata=old.metadata if metadata is KEEP else metadata,
                    updated_at=max(
                        datetime.now(UTC), old.updated_at + timedelta(microseconds=1)
                    ),
                )
            )

        return await self._calls.run_blocking("update", change)

    async def delete(self, *, fact_id: str) -> None:
        await self._calls.run_blocking(
            "delete", lambda: self._remove([self._find(fact_id)])
        )

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        def remove() -> int:
            doomed = self._within(user_id, agent_id, filters)
            if not dry_run:
                self._remove(doomed)
            return len(doomed)

        return await self._calls.run_blocking("delete_all", remove)

    def _find(self, fact_id: str) -> Fact:
        if fact_id not in self._facts:
            raise NotFoundError("fact", fact_id)
        return self._facts[fact_id]

    def _within(
        self, user_id: str | None, agent_id: str | None, filters: Filters | None
    ) -> list[Fact]:
        """Return the facts of a scope that match, newest first."""
        chosen: Callable[[Any], bool] = matcher(parse(filters or {}))
        return [
            fact
            for _, fact in sorted(self._facts.copy().items(), reverse=True)
            if user_id in {None, fact.user_id}
            and agent_id in {None, fact.agent_id}
            and chosen(fact.metadata)
        ]

    def _load(self) -> dict[str, Fact]:
        self._path.mkdir(parents=True, exist_ok=True)
        facts = {}
        for file in self._path.glob("*.json"):
            try:
                fact = _read(file.read_bytes())
            except (TypeError, ValueError) as error:
                raise SetupError(f"{file} holds no fact; move it elsewhere.") from error
            facts[fact.id] = fact
        return facts

    def _write(self, fact: Fact) -> Fact:
        """Store a fact; it survives a power cut once this returns."""
        data = jsontext.dumps(fact)
        new = self._path / f"{fact.id}.new"
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path / f"{fact.id}.json")
        self._sync()
        self._facts[fact.id] = _read(data)
        return _copy(fact)

    def _remove(self, facts: list[Fact]) -> None:
        for fact in facts:
            (self._path / f"{fact.id}.json").unlink(missing_ok=True)
            self._facts.pop(fact.id, None)
        self._sync()

    def _sync(self) -> None:
        """Make the folder's own entries durable."""
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(data: bytes) -> Fact:
    row = jsontext.loads(data)
    for name in ("created_at", "updated_at"):
        row[name] = datetime.fromisoformat(row[name])
    return Fact(**row)


def _copy(fact: Fact, **changes: Any) -> Fact:
    """Return a fact whose metadata the caller may change."""
    metadata = jsontext.loads(jsontext.dumps(fact.metadata))
    return replace(fact, metadata=metadata, **changes)
