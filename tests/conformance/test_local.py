"""The embedded provider fulfils the contract of all four stores."""

from memio.embedding import make_embedder
from memio.providers.local import (
    LocalDatabase,
    LocalDocumentAdapter,
    LocalFactAdapter,
    LocalGraphAdapter,
    LocalHistoryAdapter,
)
from memio.testing import (
    DocumentStoreSuite,
    FactStoreSuite,
    GraphStoreSuite,
    HistoryStoreSuite,
)


async def open_database(path):
    embedder = make_embedder("hash", {})
    await embedder.open()
    return LocalDatabase(path / "memio.db", embedder)


class TestLocalFacts(FactStoreSuite):
    async def make_store(self, path):
        return LocalFactAdapter(await open_database(path))


class TestLocalHistory(HistoryStoreSuite):
    async def make_store(self, path):
        return LocalHistoryAdapter(await open_database(path))


class TestLocalDocuments(DocumentStoreSuite):
    async def make_store(self, path):
        return LocalDocumentAdapter(await open_database(path))


class TestLocalGraph(GraphStoreSuite):
    async def make_store(self, path):
        return LocalGraphAdapter(await open_database(path))
