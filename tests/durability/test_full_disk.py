"""A disk that is full: writes are refused whole, reads go on, and all recovers."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.exceptions import ProviderError
from memio.models import Fact, Message
from memio.providers.local import (
    LocalDatabase,
    LocalFactAdapter,
    LocalHistoryAdapter,
)
from tests.contract import Api, error_of
from tests.durability.inspection import assert_sound
from tests.serving import Server

LIMIT = 512 * 1024
CONTENT = "word " * 2000


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Let no file of the server's grow beyond LIMIT bytes, as if the disk were full."""
    assert server.process
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        if server.is_running:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def fill(api: Api, kind: str) -> tuple[list[str], int]:
    """Write until it fails ten times; return what was acknowledged, and how often."""
    kept, failed = [], 0
    while failed < 10:
        name = f"{kind}-{len(kept)}-{failed}"
        if kind == "session":
            said = [{"role": "user", "content": CONTENT} for _ in range(5)]
            path = f"/v1/history/sessions/{name}/messages"
            answer = api.post(path, json={"messages": said})
        else:
            body = {"content": CONTENT, "doc_id": name}
            answer = api.post("/v1/documents", json=body)
        if answer.is_success:
            kept.append(name)
            assert len(kept) < 1000, "the disk never was full"
        else:
            assert error_of(answer) == (502, "provider_error")
            assert answer.json()["provider"] == "local"
            failed += 1
    return kept, failed


def stored(api: Api) -> tuple[list[str], list[str]]:
    documents = api.get("/v1/documents?limit=1000").json()
    sessions = api.get("/v1/history/sessions?limit=1000").json()["sessions"]
    for session in sessions:
        messages = api.get(f"/v1/history/sessions/{session}/messages").json()
        assert [message["content"] for message in messages] == [CONTENT] * 5
    return [document["id"] for document in documents][::-1], sessions[::-1]


@pytest.mark.parametrize("lifted", ["by a restart", "by a kill", "meanwhile"])
async def test_a_full_disk_refuses_writes_whole(tmp_path: Path, lifted: str) -> None:
    server = Server(tmp_path, "embedding: {provider: hash}")
    with server, Api(base_url=server.url) as api:
        with full_disk(server):
            documents, _ = fill(api, "document")
            sessions, _ = fill(api, "session")
            assert documents
            assert stored(api) == (documents, sessions)
            found = api.post("/v1/documents/search", json={"query": "word"})
            assert found.json()[0]["id"] in documents
            assert api.get("/health").status_code == 200
            if lifted == "by a restart":
                assert server.stop() == 0
            elif lifted == "by a kill":
                server.kill()
        if not server.is_running:
            server.start()
        assert stored(api) == (documents, sessions)
        body = {"content": CONTENT, "doc_id": "after"}
        assert api.post("/v1/documents", json=body).status_code == 201
        said = {"messages": [{"role": "user", "content": CONTENT}] * 5}
        path = "/v1/history/sessions/after/messages"
        assert api.post(path, json=said).status_code == 204
        assert stored(api) == ([*documents, "after"], [*sessions, "after"])
    await assert_sound(tmp_path / "memio-data" / "memio.db")
    assert "Traceback" not in server.log


class SmallDatabase(LocalDatabase):
    """A database that SQLite itself lets become no larger: the error of a full disk."""

    def _connect(self) -> sqlite3.Connection:
        conn = super()._connect()
        conn.execute("PRAGMA max_page_count = 80")
        return conn


async def test_a_group_that_fills_the_disk_keeps_only_what_it_says(
    tmp_path: Path,
) -> None:
    embedder = make_embedder("hash", {"dim": 16})
    await embedder.open()
    path = tmp_path / "memio.db"
    database = SmallDatabase(path, embedder)
    facts, history = LocalFactAdapter(database), LocalHistoryAdapter(database)
    await facts.open()
    await history.open()
    kept: set[str] = set()
    long = [Message("user", f"{number} {'y' * 3000}") for number in range(50)]
    failed = 0
    while failed < 20:
        answers = await asyncio.gather(
            *(facts.add(content=f"{number} {'x' * 500}") for number in range(8)),
            history.add(session_id="s", messages=long),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, Fact):
                kept.add(answer.id)
            else:
                assert isinstance(answer, ProviderError), answer
                assert "full" in str(answer)
                failed += 1
    assert kept
    assert {fact.id for fact in await facts.get_all(limit=1000)} == kept
    await history.close()
    await facts.close()

    database = LocalDatabase(path, embedder)
    facts, history = LocalFactAdapter(database), LocalHistoryAdapter(database)
    await facts.open()
    await history.open()
    assert {fact.id for fact in await facts.get_all(limit=1000)} == kept
    assert await history.get_all() == []
    assert len(await history.add(session_id="s", messages=long)) == 50
    await history.close()
    await facts.close()
