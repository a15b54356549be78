"""Qdrant fulfils the contract in each of its three forms."""

from __future__ import annotations

import pytest

from memio.embedding import make_embedder
from memio.providers.qdrant import QdrantDocumentAdapter, QdrantFactAdapter
from memio.providers.qdrant.engine import Form, QdrantEngine
from memio.testing import DocumentStoreSuite, FactStoreSuite
from tests.standins.qdrant import qdrant_stand_in

NAME = "memio tests"


@pytest.fixture(scope="module")
def stand_in():
    with qdrant_stand_in(api_key="secret") as server:
        yield server


async def make(kind, engine, name=NAME):
    embedder = make_embedder("hash", {})
    await embedder.open()
    return kind(client=engine, collection_name=name, embedder=embedder)


class _InMemory:
    async def make_store(self, path):
        # What is in memory belongs to an engine, so that opening it again needs it.
        engines = vars(self).setdefault("engines", {})
        return await make(self.kind, engines.setdefault(path, QdrantEngine(Form())))


class TestFactsInMemory(_InMemory, FactStoreSuite):
    kind = QdrantFactAdapter


@pytest.mark.long
class TestDocumentsInMemory(_InMemory, DocumentStoreSuite):
    kind = QdrantDocumentAdapter


@pytest.mark.long
class TestFactsInDirectory(FactStoreSuite):
    async def make_store(self, path):
        return await make(QdrantFactAdapter, QdrantEngine(Form(path=str(path))))


@pytest.mark.long
class TestDocumentsInDirectory(DocumentStoreSuite):
    async def make_store(self, path):
        return await make(QdrantDocumentAdapter, QdrantEngine(Form(path=str(path))))


class _InServer:
    """Every test has the one server, and a collection of its own."""

    @pytest.fixture(autouse=True)
    def _use(self, stand_in):
        self.form = Form(url=stand_in.url, api_key="secret")

    async def make_store(self, path):
        return await make(self.kind, QdrantEngine(self.form), name=path.name)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
class TestFactsInServer(_InServer, FactStoreSuite):
    kind = QdrantFactAdapter


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
class TestDocumentsInServer(_InServer, DocumentStoreSuite):
    kind = QdrantDocumentAdapter
