"""Chroma fulfils the contract in each of its three forms."""

from __future__ import annotations

import hashlib

import pytest

from memio.embedding import make_embedder
from memio.providers.chroma import ChromaDocumentAdapter, ChromaFactAdapter
from memio.providers.chroma.engine import ChromaEngine, Form
from memio.testing import DocumentStoreSuite, FactStoreSuite
from tests.standins.chroma import chroma_server


async def make(kind, form, path):
    embedder = make_embedder("hash", {})
    await embedder.open()
    name = "c-" + hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return kind(client=ChromaEngine(form), collection_name=name, embedder=embedder)


class TestFactsInMemory(FactStoreSuite):
    async def make_store(self, path):
        return await make(ChromaFactAdapter, Form(), path)


@pytest.mark.long
class TestDocumentsInMemory(DocumentStoreSuite):
    async def make_store(self, path):
        return await make(ChromaDocumentAdapter, Form(), path)


@pytest.mark.long
class TestFactsInDirectory(FactStoreSuite):
    async def make_store(self, path):
        return await make(ChromaFactAdapter, Form(directory=str(path)), path)


@pytest.mark.long
class TestDocumentsInDirectory(DocumentStoreSuite):
    async def make_store(self, path):
        return await make(ChromaDocumentAdapter, Form(directory=str(path)), path)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with chroma_server(tmp_path_factory.mktemp("chroma")) as port:
        yield port


class _InServer:
    """Every test has the one server, and a collection of its own."""

    @pytest.fixture(autouse=True)
    def _use(self, port):
        self.form = Form(host="127.0.0.1", port=port, timeout=30)

    async def make_store(self, path):
        return await make(self.kind, self.form, path)


@pytest.mark.long
class TestFactsInServer(_InServer, FactStoreSuite):
    kind = ChromaFactAdapter


@pytest.mark.long
class TestDocumentsInServer(_InServer, DocumentStoreSuite):
    kind = ChromaDocumentAdapter
