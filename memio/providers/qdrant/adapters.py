"""The stores on Qdrant, and what their configuration may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from qdrant_client import AsyncQdrantClient

from memio.embedding import Embedder
from memio.exceptions import SetupError
from memio.providers.qdrant.collection import QdrantCollection
from memio.providers.qdrant.engine import MEMORY, Form, QdrantEngine
from memio.vectorstore import VectorDocumentStore, VectorFactStore, VectorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class QdrantSettings:
    """What ``config`` of a store on ``qdrant`` may say.

    Unless one of ``url``, ``path`` and ``location`` is given, everything is in memory,
    and gone when the process ends. In memory and in a directory it serves one process,
    and some 20,000 rows: every search reads all of them.

    Attributes:
        url: Of a Qdrant server, 1.17 or newer, such as http://localhost:6333.
        api_key: Of the server.
        location: ":memory:", or another word for ``url``.
        path: Of a directory where Qdrant's client keeps data without a server.
        timeout: Seconds that an operation may take.
    """

    url: str = ""
    api_key: str = field(default="", repr=False)
    location: str = MEMORY
    path: str = ""
    timeout: float = field(default=30.0, metadata={"least": 0.001})

    def __post_init__(self) -> None:
        elsewhere = "" if self.location == MEMORY else self.location
        if sum(map(bool, (self.url, self.path, elsewhere))) > 1:
            raise ValueError("give only one of url, path and location.")

    @property
    def form(self) -> Form:
        """Where the data is."""
        url = self.url or ("" if self.location == MEMORY else self.location)
        return Form(
            url=url,
            api_key=self.api_key if url else "",
            path=self.path,
            timeout=self.timeout,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QdrantDocumentSettings(QdrantSettings):
    """Settings of documents."""

    collection_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QdrantFactSettings(QdrantSettings):
    """Settings of facts."""

    collection_name: str = "memio-facts"


class _QdrantStore(VectorStore):
    """A store in a Qdrant collection.

    Args:
        client: Qdrant's asynchronous client, which stays the caller's to close; or what
            the stores of one configuration share.
        collection_name: The collection, made if there is none.
        embedder: Open already; if None, the built-in one is used.
        timeout: Seconds that an operation may take, with a client of the caller's.
    """

    def __init__(
        self,
        *,
        client: AsyncQdrantClient | QdrantEngine,
        collection_name: str,
        embedder: Embedder | None = None,
        timeout: float = 30.0,
    ) -> None:
        engine = (
            client
            if isinstance(client, QdrantEngine)
            else QdrantEngine(client, timeout=timeout)
        )
        super().__init__(QdrantCollection(engine, collection_name), embedder)

    @classmethod
    def from_config(cls, settings: Any, context: Any) -> Self:
        """Make a configured server's store; those of one place share a client."""
        form = settings.form
        if not form.url and context.workers > 1:
            raise SetupError(
                "qdrant in memory or in a directory serves one process; set "
                "server.workers: 1, or start a Qdrant server and give its url."
            )
        engine = context.shared(("qdrant", form), lambda: QdrantEngine(form))
        engine.claim(settings.collection_name)
        return cls(
            client=engine,
            collection_name=settings.collection_name,
            embedder=context.embedder,
        )


class QdrantFactAdapter(_QdrantStore, VectorFactStore):
    """``FactStore`` in Qdrant."""

    SETTINGS: ClassVar[type] = QdrantFactSettings


class QdrantDocumentAdapter(_QdrantStore, VectorDocumentStore):
    """``DocumentStore`` in Qdrant."""

    SETTINGS: ClassVar[type] = QdrantDocumentSettings
