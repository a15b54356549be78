"""Databases and servers that the tests of the provider work on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from memio.embedding import make_embedder
from memio.providers.postgres import PostgresDatabase
from tests.postgres.server import Postgres


@pytest.fixture
async def schema(postgres: str) -> AsyncIterator[str]:
    """The name of a schema that is not there yet, and will not be afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield name
    conn = await asyncpg.connect(postgres)
    await conn.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    await conn.close()


@pytest.fixture
async def sql(postgres: str, schema: str) -> AsyncIterator[Any]:
    """A connection of asyncpg's own, to look behind the provider."""
    conn = await asyncpg.connect(
        postgres, server_settings={"search_path": f"{schema}, public"}
    )
    yield conn
    await conn.close()


@pytest.fixture
async def connect(postgres: str, schema: str) -> AsyncIterator[Callable[..., Any]]:
    """Opens stores, on databases of their own as those of other processes are."""
    async with AsyncExitStack() as opened:

        async def connect(
            kind: Any, *, dsn: str = postgres, dim: int = 64, **options: Any
        ) -> Any:
            options = {"schema": schema, **options}
            store = kind(await make_database(dsn, dim=dim, **options))
            await store.open()
            opened.push_async_callback(store.close)
            return store

        yield connect


async def make_database(dsn: str, *, dim: int = 64, **options: Any) -> PostgresDatabase:
    embedder = make_embedder("hash", {"dim": dim})
    await embedder.open()
    return PostgresDatabase(dsn, embedder, **options)


@asynccontextmanager
async def take_every_connection(server: Postgres) -> AsyncIterator[None]:
    conns = []
    with suppress(asyncpg.TooManyConnectionsError):
        while True:
            conns.append(await asyncpg.connect(server.dsn()))
    yield
    for conn in conns:
        await conn.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A server that a test may harm, as long as it is well again afterwards."""
    with Postgres() as running:
        yield running
