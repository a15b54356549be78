"""A fact store that does next to nothing, for the original memio and for ours."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

from memio.exceptions import NotFoundError
from memio.models import Fact

KEPT = 1000
"""Facts kept, so that a fast server does not fill its memory the sooner."""


class TrivialFacts:
    """``FactStore`` in a dict."""

    def __init__(self, *_: object, **__: object) -> None:
        self._facts: dict[str, Fact] = {}

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Fact:
        now = datetime.now(UTC)
        fact = Fact(
            id=uuid4().hex,
            content=content,
            user_id=user_id,
            agent_id=agent_id,
            metadata=metadata,
            created_at=now,
            updated_at=now,
        )
        if len(self._facts) == KEPT:
            self._facts.popitem()
        self._facts[fact.id] = fact
        return fact

    async def get(self, *, fact_id: str) -> Fact:
        if fact_id not in self._facts:
            raise NotFoundError("fact", fact_id)
        return self._facts[fact_id]

    async def get_all(self, *, limit: int = 100, **_: Any) -> list[Fact]:
        return list(islice(self._facts.values(), limit))

    async def search(self, *, limit: int = 10, **_: Any) -> list[Fact]:
        return list(islice(self._facts.values(), limit))

    async def update(self, *, fact_id: str, **_: Any) -> Fact:
        return await self.get(fact_id=fact_id)

    async def delete(self, *, fact_id: str) -> None:
        self._facts.pop(fact_id, None)

    async def delete_all(self, **_: Any) -> int:
        self._facts.clear()
        return 0

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def ping(self) -> None:
        pass
