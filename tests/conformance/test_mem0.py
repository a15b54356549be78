"""Mem0's library on several vector stores, and its service, fulfil the contract."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from memio.embedding import make_embedder
from memio.providers.mem0 import Mem0FactAdapter, Mem0GraphAdapter, service
from memio.testing import FactStoreSuite, GraphStoreSuite
from tests.standins.mem0 import Mem0Standin
from tests.standins.service import serving

WITHOUT_A_GRAPH = {
    "test_answers_a_ping",
    "test_closing_twice_is_fine",
    "test_fulfils_the_protocol",
}


class _Library(FactStoreSuite):
    vector_store = "qdrant"

    def options(self, path: Path) -> dict[str, Any]:  # noqa: ARG002 (one needs it)
        return {}

    async def make_store(self, path: Path) -> Mem0FactAdapter:
        embedder = make_embedder("hash", {})
        await embedder.open()
        config = {
            "embedder": "memio",
            "infer": False,
            "vector_store": {
                "provider": self.vector_store,
                "config": self.options(path),
            },
        }
        return Mem0FactAdapter(config=config, embedder=embedder, data_dir=path)


class TestOnQdrant(_Library):
    pass


@pytest.mark.long
class TestOnChroma(_Library):
    vector_store = "chroma"


@pytest.mark.long
class TestOnFaiss(_Library):
    vector_store = "faiss"


@pytest.mark.long
class TestOnPgvector(_Library):
    vector_store = "pgvector"

    @pytest.fixture(autouse=True)
    def _use(self, postgres: str) -> None:
        self._dsn = postgres

    def options(self, path: Path) -> dict[str, Any]:
        name = "t" + sha1(str(path).encode()).hexdigest()[:12]
        return {"connection_string": self._dsn, "collection_name": name}


class TestService(FactStoreSuite):
    @pytest.fixture(autouse=True)
    def _serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(service, "FIRST_PAUSE", 0.001)
        with serving(Mem0Standin()) as self.url:
            yield

    async def make_store(self, path: Path) -> Mem0FactAdapter:
        config = {"host": self.url, "infer": False}
        return Mem0FactAdapter(api_key=Mem0Standin.KEY, config=config, data_dir=path)


class TestGraph(GraphStoreSuite):
    unsupported = MappingProxyType(
        {
            name: "Mem0 took its graph store out in version 2"
            for name in dir(GraphStoreSuite)
            if name.startswith("test_") and name not in WITHOUT_A_GRAPH
        }
    )

    async def make_store(self, path: Path) -> Mem0GraphAdapter:  # noqa: ARG002 (the kit's)
        return Mem0GraphAdapter()
