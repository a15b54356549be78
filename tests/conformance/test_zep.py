"""Zep fulfils the contract, as far as a stand-in of it can tell."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import ClassVar

import pytest

from memio.providers.zep import (
    ZepFactAdapter,
    ZepGraphAdapter,
    ZepHistoryAdapter,
    client,
)
from memio.testing import FactStoreSuite, GraphStoreSuite, HistoryStoreSuite
from tests.standins.service import serving, ssl_context
from tests.standins.zep import ZepStandin


class _Zep:
    @pytest.fixture(autouse=True)
    def _use(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(client, "FIRST_PAUSE", 0.003)
        monkeypatch.setattr(ssl, "create_default_context", ssl_context)
        with serving(ZepStandin()) as self.url:
            yield

    def settings(self, path):
        return {
            "api_key": ZepStandin.KEY,
            "base_url": self.url,
            "path": str(path / "zep.db"),
        }


class TestZepFacts(_Zep, FactStoreSuite):
    unsupported: ClassVar = {
        "test_a_megabyte_comes_back": "an episode in Zep has up to 10,000 characters"
    }

    async def make_store(self, path):
        return ZepFactAdapter(**self.settings(path))


class TestZepHistory(_Zep, HistoryStoreSuite):
    async def make_store(self, path):
        return ZepHistoryAdapter(**self.settings(path))


class TestZepGraph(_Zep, GraphStoreSuite):
    async def make_store(self, path):
        return ZepGraphAdapter(**self.settings(path))
