"""Another process holds the write lock: writes wait, and are told when too long."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.exceptions import SetupError
from memio.providers.local import LocalDatabase, LocalFactAdapter
from tests.contract import Api, error_of
from tests.serving import Server

IMPATIENT = """
embedding: {provider: hash}
stores:
  facts: {provider: local, config: {busy_seconds: 0.5}}
"""


@contextmanager
def lock(directory: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock of a server's database, as another process would."""
    path = directory / "memio-data" / "memio.db"
    with closing(
        sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    ) as conn:
        conn.execute("BEGIN IMMEDIATE")
        yield conn


def test_writes_wait_for_the_lock_and_reads_do_not(tmp_path: Path) -> None:
    server = Server(tmp_path, "embedding: {provider: hash}")
    with server, Api(base_url=server.url) as api:
        api.post("/v1/facts", json={"content": "before"})
        with lock(tmp_path) as holder:
            begin = time.monotonic()
            letting_go = threading.Timer(1, holder.execute, ["COMMIT"])
            letting_go.start()
            with Api(base_url=server.url) as other:
                writing = threading.Thread(
                    target=other.post,
                    args=["/v1/facts"],
                    kwargs={"json": {"content": "meanwhile"}},
                )
                writing.start()
                while time.monotonic() < begin + 0.8:
                    facts = api.get("/v1/facts").json()
                    assert [fact["content"] for fact in facts] == ["before"]
                    assert api.get("/health/ready").status_code == 200
                    time.sleep(0.05)
                assert writing.is_alive()
                writing.join(10)
            letting_go.join()
        facts = api.get("/v1/facts").json()
        assert [fact["content"] for fact in facts] == ["meanwhile", "before"]


def test_a_lock_held_for_too_long_is_overload_and_stores_nothing(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path, IMPATIENT)
    with server, Api(base_url=server.url) as api:
        fact = api.post("/v1/facts", json={"content": "before"}).json()
        path = f"/v1/facts/{fact['id']}"
        with lock(tmp_path) as holder:
            begin = time.monotonic()
            refused = api.post("/v1/facts", json={"content": "meanwhile"})
            assert error_of(refused) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert 0.4 < time.monotonic() - begin < 5
            changed = api.put(path, json={"content": "changed"})
            assert error_of(changed) == (503, "overloaded")
            assert error_of(api.delete(path)) == (503, "overloaded")
            assert api.get("/v1/facts").json() == [fact]
            holder.execute("COMMIT")
        assert api.get("/v1/facts").json() == [fact]
        assert api.put(path, json={"content": "changed"}).status_code == 200
        assert api.delete(path).status_code == 204


async def test_a_store_does_not_open_while_the_lock_is_held(tmp_path: Path) -> None:
    embedder = make_embedder("hash", {})
    await embedder.open()
    path = tmp_path / "memio-data" / "memio.db"
    store = LocalFactAdapter(LocalDatabase(path, embedder, busy_seconds=0.1))
    await store.open()
    await store.close()
    with lock(tmp_path), pytest.raises(SetupError, match="what else has it open"):
        await store.open()
    await store.open()
    await store.close()
