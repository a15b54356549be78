"""The provider on PostgreSQL fulfils the contract of all four stores."""

from __future__ import annotations

import os
from contextlib import suppress

import asyncpg
import pytest

from memio.embedding import make_embedder
from memio.providers.postgres import (
    PostgresDatabase,
    PostgresDocumentAdapter,
    PostgresFactAdapter,
    PostgresGraphAdapter,
    PostgresHistoryAdapter,
)
from memio.testing import (
    DocumentStoreSuite,
    FactStoreSuite,
    GraphStoreSuite,
    HistoryStoreSuite,
)


class _Postgres:
    """Every class has a schema of its own; a path that is new finds it empty."""

    @pytest.fixture(autouse=True)
    def _use(self, postgres: str) -> None:
        self._dsn = postgres
        self._seen: set[object] = set()

    async def connect(self, path):
        schema = f"conformance_{type(self).__name__}_{os.getpid()}"
        if path not in self._seen:
            self._seen.add(path)
            await clear(self._dsn, schema)
        embedder = make_embedder("hash", {"dim": 256})
        await embedder.open()
        return PostgresDatabase(self._dsn, embedder, schema=schema)


async def clear(dsn, schema):
    """Delete all rows, which takes less time than making the tables anew."""
    conn = await asyncpg.connect(dsn)
    for table in ("facts", "sessions", "documents", "triples"):
        with suppress(asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            await conn.execute(f'DELETE FROM "{schema}".{table}')
    await conn.close()


class TestPostgresFacts(_Postgres, FactStoreSuite):
    async def make_store(self, path):
        return PostgresFactAdapter(await self.connect(path))


class TestPostgresHistory(_Postgres, HistoryStoreSuite):
    async def make_store(self, path):
        return PostgresHistoryAdapter(await self.connect(path))


class TestPostgresDocuments(_Postgres, DocumentStoreSuite):
    async def make_store(self, path):
        return PostgresDocumentAdapter(await self.connect(path))


class TestPostgresGraph(_Postgres, GraphStoreSuite):
    async def make_store(self, path):
        return PostgresGraphAdapter(await self.connect(path))
