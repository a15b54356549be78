"""The tables of the embedded database: rows, what is derived from them, the log.

Every store has two tables: ``<name>`` holds the rows and is the truth; ``<name>_index``
(words and meaning) is derived from it and written with it. ``changes`` is the log by
which every process keeps what it has in memory up to date with what all processes
write.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from memio.exceptions import SetupError
from memio.retrieval.terms import pack

APPLICATION_ID = 0x6D656D69  # "memi", so that `file` can tell whose database it is
SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Table:
    """The names of one store's tables, and how its rows are searched.

    Attributes:
        name: Of the table of rows; also the name of the store.
        scope: The columns by which a read is narrowed, at most two.
        has_prior: Whether longer rows are worth more in a search.
        has_context: Whether a row may be found by the words of the one before it.
    """

    name: str
    scope: tuple[str, ...]
    has_prior: bool = True
    has_context: bool = False


Scope = tuple[str | int | None, ...]
"""A value for each of a table's scope columns; in a read, None means any."""

FACTS = Table("facts", ("user_id", "agent_id"))
MESSAGES = Table("messages", ("session", "user_id"), has_context=True)
DOCUMENTS = Table("documents", (), has_prior=False)
TRIPLES = Table("triples", ("user_id",), has_prior=False)
TABLES = (FACTS, MESSAGES, DOCUMENTS, TRIPLES)

_ROWS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE changes (
    rev INTEGER PRIMARY KEY AUTOINCREMENT,
    store TEXT NOT NULL,
    kind TEXT NOT NULL,  -- 'put' or 'delete' of one row; 'reset': anything happened
    seq INTEGER,
    first_scope,         -- the row's scope columns, so that the log can be read alone
    second_scope
);

CREATE TABLE facts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT,
    agent_id TEXT,
    content TEXT NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
    updated_at INTEGER NOT NULL
);
CREATE INDEX facts_user ON facts (user_id, seq);
CREATE INDEX facts_agent ON facts (agent_id, seq);

CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT
);
CREATE INDEX sessions_user ON sessions (user_id, seq);

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES sessions (seq),
    user_id TEXT,                 -- the session's, so that a search needs no join
    role TEXT NOT NULL,
    name TEXT,
    content TEXT NOT NULL,
    metadata TEXT,
    timestamp TEXT NOT NULL       -- RFC 3339, with the offset that was given
);
CREATE INDEX messages_session ON messages (session, seq);
CREATE INDEX messages_user ON messages (user_id, seq);

CREATE TABLE documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    content TEXT NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE triples (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT,
    subject TEXT NOT NULL,
    predicate TEXT NOT NULL,
    object TEXT NOT NULL,
    metadata TEXT
);
-- NULLs never equal each other in a UNIQUE index, so the absent user is spelled ''.
CREATE UNIQUE INDEX triples_identity
    ON triples (ifnull(user_id, ''), subject, predicate, object);
CREATE INDEX triples_user ON triples (user_id, seq);
CREATE INDEX triples_subject ON triples (subject, seq);
CREATE INDEX triples_object ON triples (object, seq);
"""

_DERIVED = """
CREATE TABLE {name}_index (
    seq INTEGER PRIMARY KEY,
    words INTEGER NOT NULL,
    who TEXT NOT NULL,    -- speaks, or is spoken of
    context INTEGER,      -- the row before, by whose words this one is found as well
    terms BLOB NOT NULL,  -- the words, as memio.retrieval.terms packs them
    vector BLOB NOT NULL  -- float32, one or more rows of the embedder's dimension
);
"""


def where(table: Table, scope: Scope) -> tuple[str, list[Any]]:
    """Return the condition that a row is in a scope, and its parameters."""
    pairs = zip(table.scope, scope, strict=True)
    given = [(column, value) for column, value in pairs if value is not None]
    condition = " AND ".join(f"{column} = ?" for column, _ in given) or "1"
    return condition, [value for _, value in given]


def create(conn: sqlite3.Connection) -> None:
    """Create what is missing or older, in the caller's transaction.

    Raises:
        SetupError: The file is another program's, or a newer memio's.
    """
    (owner,) = conn.execute("PRAGMA application_id").fetchone()
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    (tables,) = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner == APPLICATION_ID and version == SCHEMA_VERSION:
        return
    if owner == APPLICATION_ID and version == 1:
        _add_index(conn)
        return
    if owner == APPLICATION_ID:
        raise SetupError(
            f"The database was written by a newer memio (schema {version}, this one "
            f"knows {SCHEMA_VERSION}); upgrade memio or choose another path."
        )
    if tables:
        raise SetupError(
            "The database file belongs to another program; choose another path."
        )
    _run(conn, _ROWS)
    for table in TABLES:
        _run(conn, _DERIVED.format(name=table.name))
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _add_index(conn: sqlite3.Connection) -> None:
    """Make the index out of what schema 1 had: words in FTS5, vectors in a table."""
    for table in TABLES:
        name = table.name
        _run(conn, _DERIVED.format(name=name))
        before = "NULL"
        if table.has_context:
            before = (
                f"(SELECT max(p.seq) FROM {name} AS p WHERE p.session ="
                f" (SELECT session FROM {name} WHERE seq = v.seq) AND p.seq < v.seq)"
            )
        rows = conn.execute(
            f"SELECT v.seq, v.words, v.who, {before}, f.text, f.previous, v.vector"
            f" FROM {name}_vectors AS v JOIN {name}_fts AS f ON f.rowid = v.seq"
        )
        conn.executemany(
            f"INSERT INTO {name}_index VALUES (?, ?, ?, ?, ?, ?)",
            (
                (*derived, pack(text, previous), vector)
                for *derived, text, previous, vector in rows
            ),
        )
        conn.execute(f"DROP TABLE {name}_fts")
        conn.execute(f"DROP TABLE {name}_vectors")
    conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _run(conn: sqlite3.Connection, script: str) -> None:
    """Run a script; sqlite3's executescript would end the caller's transaction."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            conn.execute(part)
            part = ""
