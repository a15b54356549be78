"""Memio: up to four stores behind one object, opened and closed together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Protocol, Self, overload

from memio.exceptions import NotConfiguredError
from memio.protocols import DocumentStore, FactStore, GraphStore, HistoryStore, Store

StoreName = Literal["facts", "history", "documents", "graph"]

STORES: dict[StoreName, Any] = {
    "facts": FactStore,
    "history": HistoryStore,
    "documents": DocumentStore,
    "graph": GraphStore,
}


class Resource(Protocol):
    """Something that stores share and that has a life time, such as an embedder."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Memio:
    """The memory of an agent.

    Args:
        resources: What the stores use: opened before the first of them is, closed
            after the last.

    Example:
        async with Memio(facts=store) as memio:
            await memio.facts.add(content="likes coffee", user_id="alice")

    Raises:
        ValueError: No store was given.
        TypeError: A store does not implement its protocol.
    """

    def __init__(
        self,
        *,
        facts: FactStore | None = None,
        history: HistoryStore | None = None,
        documents: DocumentStore | None = None,
        graph: GraphStore | None = None,
        resources: Sequence[Resource] = (),
    ) -> None:
        self.facts = facts
        self.history = history
        self.documents = documents
        self.graph = graph
        if not self.stores:
            raise ValueError("Memio needs at least one store")
        for name, store in self.stores.items():
            if not isinstance(store, STORES[name]):
                raise TypeError(
                    f"{name} must implement {STORES[name].__name__}, "
                    f"which {type(store).__name__} does not"
                )
        self.resources = tuple(resources)
        self._exit: AsyncExitStack | None = None

    @property
    def stores(self) -> dict[StoreName, Store]:
        """The stores that are there, by name."""
        every: dict[StoreName, Store | None] = {
            "facts": self.facts,
            "history": self.history,
            "documents": self.documents,
            "graph": self.graph,
        }
        return {name: store for name, store in every.items() if store is not None}

    @overload
    def require(self, name: Literal["facts"]) -> FactStore: ...
    @overload
    def require(self, name: Literal["history"]) -> HistoryStore: ...
    @overload
    def require(self, name: Literal["documents"]) -> DocumentStore: ...
    @overload
    def require(self, name: Literal["graph"]) -> GraphStore: ...
    def require(self, name: StoreName) -> Store:
        """Return the store, or raise ``NotConfiguredError``."""
        store: Store | None = getattr(self, name)
        if store is None:
            raise NotConfiguredError(name)
        return store

    async def open(self) -> None:
        """Open every store; if one fails, close those that were opened.

        Does nothing if they are open.
        """
        if self._exit is not None:
            return
        async with AsyncExitStack() as opened:
            for part in (*self.resources, *self.stores.values()):
                await part.open()
                opened.push_async_callback(part.close)
            self._exit = opened.pop_all()

    async def close(self) -> None:
        """Close every store, even if closing one fails."""
        opened, self._exit = self._exit, None
        if opened is not None:
            await opened.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
