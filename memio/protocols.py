"""The four stores that memio speaks to, as the contracts that every provider fulfils.

Rules common to all of them:

* A scope given in parts (``user_id`` and ``agent_id``) means all its parts. No method
  reads, counts or deletes a row outside the scope it was given.
* Lists are newest first; messages are the exception, see ``HistoryStore.get``.
  ``cursor`` is the ``next_cursor`` of the page before. Walking all pages neither skips
  nor repeats a row that was there throughout.
* Searches answer best first with scores in [0, 1]; ``min_score`` drops what lies below.
* ``filters`` is a ``memio.filters`` expression over metadata; malformed ones raise
  ``ValidationError``, ones beyond the provider ``NotSupportedError``.
* Missing things raise ``NotFoundError``. Deleting all of nothing is not an error.
* When a write returns, it is durable.
* Whatever the provider raises reaches the caller as ``ProviderError``.

``memio.testing`` holds the tests that say the same in detail.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from memio.models import (
    KEEP,
    Document,
    Fact,
    Filters,
    GraphResult,
    Keep,
    Message,
    Metadata,
    Mode,
    Page,
    Triple,
)


@runtime_checkable
class Store(Protocol):
    """What every store has: a life time and a pulse."""

    async def open(self) -> None:
        """Connect and prepare; called once, before any other method."""

    async def close(self) -> None:
        """Finish what is under way and let go of everything; may be called twice."""

    async def ping(self) -> None:
        """Return if the store can serve now; raise ``ProviderError`` if not."""


@runtime_checkable
class FactStore(Store, Protocol):
    """Short pieces of knowledge, scoped to a user, an agent, both or neither."""

    async def add(
        self,
        *,
        content: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Fact: ...

    async def get(self, *, fact_id: str) -> Fact: ...

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Fact]: ...

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
    ) -> list[Fact]: ...

    async def update(
        self, *, fact_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Fact:
        """Replace the content; metadata is kept, replaced whole, or cleared by None."""
        ...

    async def delete(self, *, fact_id: str) -> None: ...

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete the scope's facts and return how many; ``dry_run`` only counts."""
        ...


@runtime_checkable
class HistoryStore(Store, Protocol):
    """Conversations: sessions of messages, in the order in which they were added.

    A session begins with its first message and belongs to the user given then, or to
    nobody. Adding to it under another ``user_id`` raises ``ConflictError``; adding
    without one is allowed.
    """

    async def add(
        self, *, session_id: str, messages: list[Message], user_id: str | None = None
    ) -> list[Message]:
        """Append all the messages, or none; return them as stored."""
        ...

    async def get(
        self,
        *,
        session_id: str,
        limit: int = 50,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Message]:
        """Return the last ``limit`` messages, oldest of them first.

        ``next_cursor`` leads to the messages before these.
        """
        ...

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[str]:
        """Return session ids, the session that began last first."""
        ...

    async def search(
        self,
        *,
        query: str,
        session_id: str | None = None,
        user_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Message]:
        """Search one session, all sessions of a user, or (neither given) all there are.

        Raises:
            NotFoundError: ``session_id`` names no session.
        """
        ...

    async def delete(self, *, session_id: str) -> None: ...

    async def delete_all(
        self, *, user_id: str | None = None, dry_run: bool = False
    ) -> int:
        """Delete the user's sessions and return how many; ``dry_run`` only counts."""
        ...


@runtime_checkable
class DocumentStore(Store, Protocol):
    """Texts under ids, searched as one collection."""

    async def add(
        self,
        *,
        content: str,
        doc_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Document:
        """Store a document; an id that is taken raises ``ConflictError``."""
        ...

    async def get(self, *, doc_id: str) -> Document: ...

    async def get_all(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Document]: ...

    async def search(
        self,
        *,
        query: str,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Document]: ...

    async def update(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> Document:
        """Replace the content; metadata is kept, replaced whole, or cleared by None."""
        ...

    async def upsert(
        self, *, doc_id: str, content: str, metadata: Metadata | Keep | None = KEEP
    ) -> tuple[Document, bool]:
        """Create or update; the second value says whether it was created."""
        ...

    async def delete(self, *, doc_id: str) -> None: ...

    async def delete_all(
        self, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        """Delete the documents and return how many; ``dry_run`` only counts."""
        ...


@runtime_checkable
class GraphStore(Store, Protocol):
    """Triples. One is identified by (user_id, subject, predicate, object)."""

    async def add(
        self, *, triples: list[Triple], user_id: str | None = None
    ) -> list[Triple]:
        """Store all the triples, or none; return them with their ids, in their order.

        Adding one that exists keeps its id and replaces its metadata.
        """
        ...

    async def get(
        self,
        *,
        entity: str,
        user_id: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> GraphResult:
        """Return the triples whose subject or object is ``entity``."""
        ...

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> GraphResult: ...

    async def search(
        self,
        *,
        query: str,
        user_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> GraphResult: ...

    async def delete(
        self,
        *,
        entity: str | None = None,
        triple_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Delete one triple, or every triple that touches an entity."""
        ...

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete the scope's triples and return how many; ``dry_run`` only counts."""
        ...
