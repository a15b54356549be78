"""The whole server fulfils the contract: over HTTP, in four processes on one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memio.testing import (
    DocumentStoreSuite,
    FactStoreSuite,
    GraphStoreSuite,
    HistoryStoreSuite,
)
from tests.remote import RemoteDocuments, RemoteFacts, RemoteGraph, RemoteHistory
from tests.serving import Server

CONFIG = """
server: {workers: 4, body_limit: 8000000}
embedding: {provider: hash}
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("workers"), CONFIG) as running:
        yield running


class _Remote:
    """Every test has the one server; a path that is new finds its stores empty."""

    @pytest.fixture(autouse=True)
    def _use(self, workers: Server) -> None:
        self._server = workers
        self._seen: set[object] = set()

    async def connect(self, path, kind, prefix):
        store = kind(self._server.url, prefix)
        if path not in self._seen:
            self._seen.add(path)
            await store.open()
            await store.delete_all()
            await store.close()
        return store


class TestFacts(_Remote, FactStoreSuite):
    async def make_store(self, path):
        return await self.connect(path, RemoteFacts, "facts")


class TestHistory(_Remote, HistoryStoreSuite):
    async def make_store(self, path):
        return await self.connect(path, RemoteHistory, "history/sessions")


class TestDocuments(_Remote, DocumentStoreSuite):
    async def make_store(self, path):
        return await self.connect(path, RemoteDocuments, "documents")


class TestGraph(_Remote, GraphStoreSuite):
    async def make_store(self, path):
        return await self.connect(path, RemoteGraph, "graph")
