"""The stores on Chroma, and what their configuration may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from chromadb.api import ClientAPI

from memio.embedding import Embedder
from memio.exceptions import SetupError
from memio.providers.chroma.collection import ChromaCollection
from memio.providers.chroma.embedding import ChromaEmbedder
from memio.providers.chroma.engine import ChromaEngine, Form
from memio.vectorstore import VectorDocumentStore, VectorFactStore, VectorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ChromaSettings:
    """What ``config`` of a store on ``chroma`` may say.

    With neither ``persist_directory`` nor ``host`` everything is in memory, and gone
    when the process ends. In memory and in a directory it serves one process.

    Attributes:
        persist_directory: Where an embedded Chroma keeps its files.
        host: Of a Chroma server, as ``chroma run`` starts one.
        ssl: Whether the server speaks HTTPS.
        headers: Sent with every request, such as an Authorization.
        tenant, database: Which of the server's (they must exist) or the directory's.
        embedding: "memio" embeds texts as the configuration's section ``embedding``
            says; "default" with Chroma's own function, which downloads a model once.
        timeout: Seconds that an operation may take.
    """

    persist_directory: str = ""
    host: str = ""
    port: int = field(default=8000, metadata={"least": 1, "most": 65535})
    ssl: bool = False
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    tenant: str = "default_tenant"
    database: str = "default_database"
    embedding: Literal["memio", "default"] = "memio"
    timeout: float = field(default=30.0, metadata={"least": 0.001})

    def __post_init__(self) -> None:
        if self.persist_directory and self.host:
            raise ValueError("give either persist_directory or host, not both.")

    @property
    def form(self) -> Form:
        """Where the data is."""
        return Form(
            directory=self.persist_directory,
            host=self.host,
            port=self.port,
            ssl=self.ssl,
            headers=tuple((name, str(value)) for name, value in self.headers.items()),
            tenant=self.tenant,
            database=self.database,
            timeout=self.timeout if self.host else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChromaDocumentSettings(ChromaSettings):
    """Settings of documents."""

    collection_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChromaFactSettings(ChromaSettings):
    """Settings of facts."""

    collection_name: str = "memio-facts"


class _ChromaStore(VectorStore):
    """A store in a Chroma collection.

    Args:
        client: Any of Chroma's clients but the asynchronous one, which stays the
            caller's to close; or what the stores of one configuration share.
        collection_name: The collection, made if there is none.
        embedder: Open already; if None, the built-in one is used.
        timeout: Seconds that an operation may take.
    """

    def __init__(
        self,
        *,
        client: ClientAPI | ChromaEngine,
        collection_name: str,
        embedder: Embedder | None = None,
        timeout: float = 30.0,
    ) -> None:
        engine = client if isinstance(client, ChromaEngine) else ChromaEngine(client)
        collection = ChromaCollection(
            engine,
            collection_name,
            adopts=isinstance(embedder, ChromaEmbedder),
            timeout=timeout,
        )
        super().__init__(collection, embedder)

    @classmethod
    def from_config(cls, settings: Any, context: Any) -> Self:
        """Make a configured server's store; those of one place share a client."""
        form = settings.form
        if not form.host and context.workers > 1:
            raise SetupError(
                "chroma in memory or in a directory serves one process; set "
                "server.workers: 1, or start a server with `chroma run` and give host."
            )
        engine = context.shared(("chroma", form), lambda: ChromaEngine(form))
        engine.claim(settings.collection_name)
        own = settings.embedding == "default"
        return cls(
            client=engine,
            collection_name=settings.collection_name,
            embedder=(
                ChromaEmbedder(timeout=settings.timeout) if own else context.embedder
            ),
            timeout=settings.timeout,
        )


class ChromaFactAdapter(_ChromaStore, VectorFactStore):
    """``FactStore`` in Chroma."""

    SETTINGS: ClassVar[type] = ChromaFactSettings


class ChromaDocumentAdapter(_ChromaStore, VectorDocumentStore):
    """``DocumentStore`` in Chroma."""

    SETTINGS: ClassVar[type] = ChromaDocumentSettings
