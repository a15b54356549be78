"""Fixtures that more than one kind of test uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.contract import Api
from tests.serving import Server

# How long an example takes says something of the machine, not of the code.
settings.register_profile("no deadline", settings.default, deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with no configuration at all: four embedded stores, no key."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    """A checked client of a server whose stores are empty."""
    with Api(base_url=server.url) as client:
        for path in ("facts", "history/sessions", "documents", "graph"):
            assert client.delete(f"/v1/{path}").status_code == 204
        yield client


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The dsn of a PostgreSQL with pgvector: MEMIO_TEST_DSN, or one of its own."""
    if given := os.environ.get("MEMIO_TEST_DSN"):
        yield given
        return
    from tests.postgres.server import Postgres  # noqa: PLC0415 (few tests want it)

    with Postgres() as running:
        yield running.dsn()


@pytest.fixture
def root() -> Path:
    """The repository."""
    return Path(__file__).parent.parent
