"""The tables in PostgreSQL: rows, and the parts of them that search looks at.

Every store has two tables: ``<name>`` holds the rows and is the truth;
``<name>_parts`` is derived from it and written with it: for each passage of a row its
words, its vector and a copy of the row's scope, so that search reads one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memio.exceptions import SetupError

MOST_DIMENSIONS = 2000
MOST_HALF_DIMENSIONS = 4000
"""What pgvector can index, as vectors of 32 and of 16 bits."""


@dataclass(frozen=True, slots=True)
class Table:
    """The names of one store's tables, and how its rows are searched.

    Attributes:
        name: Of the table of rows; also the name of the store.
        scope: The columns by which a read is narrowed.
        columns: What a store reads of a row, as SELECT has it; the row is ``r``.
        previous: The text that came before a row, likewise.
        has_prior: Whether longer rows are worth more in a search.
    """

    name: str
    scope: tuple[str, ...]
    columns: str
    previous: str = "''"
    has_prior: bool = True

    @property
    def parts(self) -> str:
        """The table of what search looks at."""
        return f"{self.name}_parts"

    @property
    def nearest(self) -> str:
        """The index of the vectors."""
        return f"{self.name}_nearest"


Scope = tuple[str | int | None, ...]
"""A value for each of a table's scope columns; in a read, None means any."""

FACTS = Table(
    "facts",
    ("user_id", "agent_id"),
    "r.seq, r.id, r.user_id, r.agent_id, r.content, r.metadata,"
    " r.created_at, r.updated_at",
)
MESSAGES = Table(
    "messages",
    ("session", "user_id"),
    "r.seq, r.id, (SELECT id FROM sessions WHERE seq = r.session) AS session_id,"
    " r.role, r.name, r.content, r.metadata, r.timestamp",
    previous="coalesce((SELECT content FROM messages WHERE session = r.session"
    " AND seq < r.seq ORDER BY seq DESC LIMIT 1), '')",
)
DOCUMENTS = Table(
    "documents",
    (),
    "r.seq, r.id, r.content, r.metadata, r.created_at, r.updated_at",
    has_prior=False,
)
TRIPLES = Table(
    "triples",
    ("user_id",),
    "r.seq, r.id, r.user_id, r.subject, r.predicate, r.object, r.metadata",
    has_prior=False,
)
TABLES = (FACTS, MESSAGES, DOCUMENTS, TRIPLES)


class Parameters(list[Any]):
    """The values of a statement, collected while its text is written."""

    def add(self, value: Any) -> str:
        """Note a value and return what stands for it in the text."""
        self.append(value)
        return f"${len(self)}"


def in_scope(table: Table, scope: Scope, given: Parameters, alias: str) -> str:
    """Return the condition that a row is in a scope."""
    conditions = (
        f"{alias}.{column} = {given.add(value)}"
        for column, value in zip(table.scope, scope, strict=True)
        if value is not None
    )
    return " AND ".join(conditions) or "true"


def vector_type(dim: int) -> str:
    """Return the type as which vectors of an embedder are indexed.

    They have one more number than the embedder gives: see ``index.py``.

    Raises:
        SetupError: pgvector cannot index vectors as long as these.
    """
    if dim < MOST_DIMENSIONS:
        return f"vector({dim + 1})"
    if dim < MOST_HALF_DIMENSIONS:
        return f"halfvec({dim + 1})"
    raise SetupError(
        f"The embedder's vectors have {dim} numbers, and PostgreSQL can index fewer "
        f"than {MOST_HALF_DIMENSIONS}; choose a smaller embedding."
    )


# Keys are compared byte by byte ("C"): no upgrade of the system's locales, which may
# change their order, breaks the indexes. Entities may be too long for a B-tree: hash.
_ROWS = """
CREATE TABLE facts (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    user_id text COLLATE "C",
    agent_id text COLLATE "C",
    content text NOT NULL,
    metadata json,      -- as it was given
    filterable jsonb,   -- as filters compare it; NULL if jsonb cannot hold it
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL
);
CREATE INDEX facts_user ON facts (user_id, seq);
CREATE INDEX facts_agent ON facts (agent_id, seq);

CREATE TABLE sessions (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    user_id text COLLATE "C"
);
CREATE INDEX sessions_user ON sessions (user_id, seq);

CREATE TABLE messages (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    session bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id text COLLATE "C",  -- the session's
    role text NOT NULL,
    name text,
    content text NOT NULL,
    metadata json,
    filterable jsonb,
    timestamp text NOT NULL  -- RFC 3339, with the offset that was given
);
CREATE INDEX messages_session ON messages (session, seq);

CREATE TABLE documents (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    content text NOT NULL,
    metadata json,
    filterable jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL
);

CREATE TABLE triples (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    identity bytea NOT NULL UNIQUE,  -- SHA-256 of user, subject, predicate, object
    user_id text COLLATE "C",
    subject text COLLATE "C" NOT NULL,
    predicate text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    metadata json,
    filterable jsonb
);
CREATE INDEX triples_user ON triples (user_id, seq);
CREATE INDEX triples_subject ON triples USING hash (subject);
CREATE INDEX triples_object ON triples USING hash (object);
"""

# A language's stop words are looked up like other words: the query decides.
_WORDS = """
CREATE TEXT SEARCH DICTIONARY stem (TEMPLATE = pg_catalog.snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION words (PARSER = pg_catalog.default);
ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR
    asciiword, word, numword, int, uint, float, sfloat, version WITH stem;
"""

# Vectors of every length fit into the column; its index, which is made for the length
# that the embedder has, is not part of the schema. Rows stay in one piece up to a page,
# since looking up their vectors elsewhere is what an exact search would spend most on.
_PARTS = """
CREATE TABLE {parts} (
    seq bigint NOT NULL REFERENCES {name} ON DELETE CASCADE,
    part smallint NOT NULL,
    {scope}
    words integer NOT NULL,  -- of the whole row
    who text NOT NULL,       -- who speaks, or is spoken of: lower-cased words
    lexemes tsvector NOT NULL,
    embedding vector NOT NULL,
    PRIMARY KEY (seq, part)
) WITH (toast_tuple_target = 8160);
CREATE INDEX {parts}_lexemes ON {parts} USING gin (lexemes);
CREATE INDEX {name}_filterable ON {name} USING gin (filterable jsonb_path_ops);
CREATE INDEX {name}_unfilterable ON {name} (seq) WHERE filterable IS NULL;
"""


def first_schema() -> str:
    """Return the script that makes version 1 of the schema."""
    return (
        'CREATE TABLE meta (key text COLLATE "C" PRIMARY KEY, value text NOT NULL);'
        + _ROWS
        + _WORDS
        + "".join(map(_parts, TABLES))
    )


def _parts(table: Table) -> str:
    text = 'text COLLATE "C"'
    types = dict.fromkeys(table.scope, text) | {"session": "bigint"}
    scope = "".join(f"{column} {types[column]}, " for column in table.scope)
    script = _PARTS.format(name=table.name, parts=table.parts, scope=scope)
    return script + "".join(
        f"CREATE INDEX ON {table.parts} ({column}, seq);\n" for column in table.scope
    )
