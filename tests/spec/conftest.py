"""Servers on which every declared status can be provoked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memio.client import STORES
from tests.serving import Server

KEY = "a-key-of-the-tests"
TROUBLED = Path(__file__).with_name("troubled.py")


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key."""
    environ = {"MEMIO_API_KEY": KEY}
    with Server(tmp_path_factory.mktemp("locked"), environ=environ) as running:
        yield running


@pytest.fixture(scope="session")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a graph."""
    stores = "".join(f"  {s}: {{provider: local}}\n" for s in STORES if s != "graph")
    directory = tmp_path_factory.mktemp("partial")
    with Server(
        directory, f"embedding: {{provider: hash}}\nstores:\n{stores}"
    ) as running:
        yield running


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose provider fails as the file ``trouble`` in its directory says."""
    stores = "".join(f"  {store}: {{provider: troubled}}\n" for store in STORES)
    with Server(
        tmp_path_factory.mktemp("troubled"),
        f"stores:\n{stores}",
        command=(sys.executable, str(TROUBLED)),
    ) as running:
        yield running
