"""Supermemory fulfils the contract, as far as a stand-in of it can tell."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from memio.providers.supermemory import (
    SupermemoryDocumentAdapter,
    SupermemoryFactAdapter,
)
from memio.testing import DocumentStoreSuite, FactStoreSuite
from tests.standins.service import serving, ssl_context
from tests.standins.supermemory import SupermemoryStandin


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(SupermemoryStandin()) as base_url:
        yield base_url


class _Supermemory:
    @pytest.fixture(autouse=True)
    def _use(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ssl, "create_default_context", ssl_context)
        self.url = url

    def settings(self, path):
        name = "".join(each if each.isalnum() else "-" for each in path.name)
        namespace = f"{path.parent.parent.name}-{path.parent.name}-{name}"[-100:]
        return {
            "api_key": SupermemoryStandin.KEY,
            "base_url": self.url,
            "namespace": namespace,
        }


class TestSupermemoryFacts(_Supermemory, FactStoreSuite):
    async def make_store(self, path):
        return SupermemoryFactAdapter(**self.settings(path))


class TestSupermemoryDocuments(_Supermemory, DocumentStoreSuite):
    async def make_store(self, path):
        return SupermemoryDocumentAdapter(**self.settings(path))
