"""A file of an earlier memio is taken over when it is opened, whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.exceptions import SetupError
from memio.models import Message, Triple
from memio.providers.local import (
    LocalDatabase,
    LocalDocumentAdapter,
    LocalFactAdapter,
    LocalGraphAdapter,
    LocalHistoryAdapter,
    tables,
)
from tests.durability.inspection import assert_sound

SCHEMA_1 = """
CREATE VIRTUAL TABLE {name}_fts USING fts5 (
    scope, text, previous, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TABLE {name}_vectors (
    seq INTEGER PRIMARY KEY,
    words INTEGER NOT NULL,
    who TEXT NOT NULL,
    vector BLOB NOT NULL
);
INSERT INTO {name}_vectors SELECT seq, words, who, vector FROM {name}_index;
"""
TEXTS = {
    "facts": "content",
    "documents": "content",
    "triples": "subject || ' ' || predicate || ' ' || object",
    "messages": "ifnull(name, role) || ': ' || content",
}


async def stores(path: Path) -> list:
    embedder = make_embedder("hash", {})
    await embedder.open()
    db = LocalDatabase(path, embedder)
    return [
        LocalFactAdapter(db),
        LocalHistoryAdapter(db),
        LocalDocumentAdapter(db),
        LocalGraphAdapter(db),
    ]


async def ask(facts, history, documents, graph) -> list:
    found = []
    for mode in ("hybrid", "semantic", "keyword"):
        asked = {"query": "puffins nest", "mode": mode}
        triples = await graph.search(**asked)
        found += [
            await facts.search(**asked),
            await history.search(**asked),
            await documents.search(**asked),
            (triples.triples, triples.scores),
        ]
    return found


async def make_old(path: Path) -> list:
    """Make a file as schema 1 had it; return what searches of it found."""
    every = await stores(path)
    facts, history, documents, graph = every
    for store in every:
        await store.open()
    for word in ("granite", "puffins", "nesting puffins"):
        await facts.add(content=f"Ann likes {word}", user_id="ann")
        await documents.add(content=f"On {word}. " * 150, metadata={"word": word})
        await history.add(
            session_id=word[0],
            messages=[Message("user", f"{word}?"), Message("assistant", "in burrows")],
        )
        await graph.add(triples=[Triple("ann", "likes", word)])
    found = await ask(*every)
    for store in every:
        await store.close()
    with closing(sqlite3.connect(path)) as conn:
        for name, text in TEXTS.items():
            conn.executescript(SCHEMA_1.format(name=name))
            previous = "''"
            if name == "messages":
                previous = (
                    "ifnull((SELECT p.content FROM messages AS p, messages_index AS i"
                    " WHERE i.seq = r.seq AND p.seq = i.context), '')"
                )
            conn.execute(
                f"INSERT INTO {name}_fts (rowid, scope, text, previous)"
                f" SELECT seq, '', {text}, {previous} FROM {name} AS r"
            )
            conn.execute(f"DROP TABLE {name}_index")
        conn.execute("PRAGMA user_version = 1")
        conn.commit()
    return found


async def test_an_earlier_file_answers_as_before(tmp_path):
    path = tmp_path / "memio.db"
    before = await make_old(path)
    every = await stores(path)
    for store in every:
        await store.open()
    assert await ask(*every) == before
    await every[0].add(content="Ann likes lanterns", user_id="ann")
    for store in every:
        await store.close()
    await assert_sound(path)
    with closing(sqlite3.connect(path)) as conn:
        names = {name for (name,) in conn.execute("SELECT name FROM sqlite_master")}
        assert not [name for name in names if "_fts" in name or "_vectors" in name]
        assert conn.execute("PRAGMA user_version").fetchone() == (2,)


async def test_what_cannot_be_taken_over_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "memio.db"
    await make_old(path)

    def fail(*_):
        raise sqlite3.OperationalError("disk full")

    db = (await stores(path))[0]._db
    monkeypatch.setattr(tables, "pack", fail)
    with pytest.raises(SetupError, match="disk full"):
        db.open()
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (1,)
        assert conn.execute("SELECT count(*) FROM facts_vectors").fetchone() == (3,)


async def test_a_later_file_is_refused(tmp_path):
    path = tmp_path / "memio.db"
    await make_old(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 3")
    db = (await stores(path))[0]._db
    with pytest.raises(SetupError, match="newer memio"):
        db.open()
