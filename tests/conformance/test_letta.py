"""Letta fulfils the contract, as far as a stand-in of it can tell."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from memio.providers.letta import (
    LettaDocumentAdapter,
    LettaFactAdapter,
    LettaHistoryAdapter,
)
from memio.testing import DocumentStoreSuite, FactStoreSuite, HistoryStoreSuite
from tests.standins.letta import AGENT, LettaStandin
from tests.standins.service import serving, ssl_context


class _Letta:
    @pytest.fixture(autouse=True)
    def _use(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(ssl, "create_default_context", ssl_context)
        with serving(LettaStandin()) as url:
            key = LettaStandin.KEY
            self.settings = {"agent_id": AGENT, "api_key": key, "base_url": url}
            yield


class TestLettaFacts(_Letta, FactStoreSuite):
    async def make_store(self, _path):
        return LettaFactAdapter(**self.settings)


class TestLettaHistory(_Letta, HistoryStoreSuite):
    async def make_store(self, _path):
        return LettaHistoryAdapter(**self.settings)


class TestLettaDocuments(_Letta, DocumentStoreSuite):
    async def make_store(self, _path):
        return LettaDocumentAdapter(**self.settings)
