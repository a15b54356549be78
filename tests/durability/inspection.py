"""What a server has: all of it as its clients see it, and what its file says."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from memio.embedding import make_embedder
from memio.providers.local import (
    LocalDatabase,
    LocalDocumentAdapter,
    LocalFactAdapter,
    LocalGraphAdapter,
    LocalHistoryAdapter,
    index,
)
from tests.contract import Api
from tests.durability.ledger import Place, Row, State

ADAPTERS = (
    LocalFactAdapter,
    LocalHistoryAdapter,
    LocalDocumentAdapter,
    LocalGraphAdapter,
)

Found = dict[tuple[str, str], tuple[State, tuple[str, ...]]]
"""The rows of each place with their ids, oldest first, by kind and name."""


def walk(api: Api, path: str, key: str | None = None) -> Iterator[Any]:
    """Yield the rows of a list, page after page."""
    url: str | None = f"{path}?limit=1000"
    while url:
        page = api.get(url)
        assert page.status_code == 200, page.text
        yield from page.json()[key] if key else page.json()
        url = page.links.get("next", {}).get("url")


def row_of(stored: dict[str, Any]) -> Row:
    return stored.get("content") or stored["object"], stored["metadata"]["token"]


def take_stock(api: Api) -> Found:
    """Read everything that a server has."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for fact in walk(api, "/v1/facts"):
        rows["facts", fact["user_id"]].append(fact)
    for document in walk(api, "/v1/documents"):
        rows["documents", document["id"]].append(document)
    for session in walk(api, "/v1/history/sessions", "sessions"):
        said = list(walk(api, f"/v1/history/sessions/{quote(session)}/messages"))
        assert said, f"the session {session} is there, its messages are not"
        rows["sessions", session] = said[::-1]
    for triple in walk(api, "/v1/graph/triples", "triples"):
        # The owner is not told; the writers use one name for owner and subject.
        rows["triples", triple["subject"]].append(triple)
    return {
        key: (tuple(map(row_of, found[::-1])), tuple(row["id"] for row in found[::-1]))
        for key, found in rows.items()
    }


SEARCHES = {
    "facts": ("/v1/facts/search", "user_id", None),
    "sessions": ("/v1/history/sessions/{}/search", None, None),
    "triples": ("/v1/graph/search", "user_id", "triples"),
}


def assert_found(api: Api, place: Place) -> None:
    """Assert that searches at a place find its rows: by word each, by meaning all."""
    path, scope, key = SEARCHES[place.kind]
    body = {scope: place.name} if scope else {}

    def search(query: str, mode: str) -> list[Row]:
        asked = {**body, "query": query, "mode": mode, "limit": 1000}
        answer = api.post(path.format(place.name), json=asked)
        if answer.status_code == 404:
            return []
        return list(map(row_of, answer.json()[key] if key else answer.json()))

    rows = sorted(place.acknowledged)
    query = rows[0][0] if rows else "night train"
    for mode in ("semantic", "hybrid"):
        assert sorted(search(query, mode)) == rows, (place, mode)
    for says, token in rows:
        word = says.split()[-1]
        assert search(word, "keyword") == [(says, token)], (place, word)


async def assert_sound(path: Path) -> None:
    """Assert that a database is whole: its pages, its words and its vectors."""
    embedder = make_embedder("hash", {})
    await embedder.open()
    with closing(sqlite3.connect(path, timeout=30)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
        conn.row_factory = sqlite3.Row
        for adapter in ADAPTERS:
            store = adapter(LocalDatabase(path, embedder))
            name = store.TABLE.name
            derived = conn.execute(
                "SELECT r.*, i.seq AS indexed, i.context, i.terms, i.vector"
                f" FROM {name} AS r FULL JOIN {name}_index AS i ON i.seq = r.seq"
            ).fetchall()
            for row in derived:
                assert row["seq"] == row["indexed"], (name, dict(row))
            has_context = store.TABLE.has_context
            said = {row["seq"]: row["content"] for row in derived if has_context}
            texts = [
                store._text({**row, "previous": said.get(row["context"], "")})
                for row in derived
            ]
            entries = await index.embed(embedder, texts) if texts else []
            for row, entry in zip(derived, entries, strict=True):
                assert row["terms"] == entry.terms, (name, row["id"])
                stored = np.frombuffer(row["vector"], np.float32)
                made = np.frombuffer(entry.vector, np.float32)
                assert np.allclose(stored, made, atol=1e-6), (name, row["id"])
