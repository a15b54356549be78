"""What is derived from a row so that search finds it, and the log of what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from memio.embedding import Embedder
from memio.providers.local.tables import Scope, Table
from memio.retrieval.passages import Passages, Text

LOG_KEPT = 50_000
"""Changes that the log keeps; a process further behind reads its vectors anew."""

_PRUNE_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Indexed:
    """A text with its vectors, ready to be stored."""

    text: Text
    vector: bytes


async def embed(embedder: Embedder, texts: Sequence[Text]) -> list[Indexed]:
    """Give texts their vectors: one per chunk, float32, in one blob per text."""
    passages = Passages(texts)
    vectors = await embedder.embed(passages.to_embed)
    return [
        Indexed(text, block.tobytes())
        for text, block in zip(texts, passages.blocks(vectors), strict=True)
    ]


def put(
    conn: sqlite3.Connection,
    table: Table,
    seq: int,
    scope: Scope,
    entry: Indexed,
    *,
    replaces: bool = False,
) -> None:
    """Write what is derived from a row, new or changed."""
    text = entry.text
    if replaces:
        conn.execute(f"DELETE FROM {table.name}_fts WHERE rowid = ?", (seq,))
    conn.execute(
        f"INSERT INTO {table.name}_fts (rowid, scope, text, previous)"
        " VALUES (?, ?, ?, ?)",
        (seq, scope_tokens(table, scope), text.searchable, text.previous),
    )
    conn.execute(
        f"INSERT OR REPLACE INTO {table.name}_vectors VALUES (?, ?, ?, ?)",
        (seq, len(text.content.split()), text.who, entry.vector),
    )
    log(conn, table, "put", seq, scope)


def delete(conn: sqlite3.Connection, table: Table, seqs: Sequence[int]) -> None:
    """Delete rows and all that is derived from them."""
    for seq in seqs:
        conn.execute(f"DELETE FROM {table.name}_fts WHERE rowid = ?", (seq,))
        conn.execute(f"DELETE FROM {table.name}_vectors WHERE seq = ?", (seq,))
        conn.execute(f"DELETE FROM {table.name} WHERE seq = ?", (seq,))
    if len(seqs) == 1:
        log(conn, table, "delete", seqs[0])
    elif seqs:
        log(conn, table, "reset")


def log(
    conn: sqlite3.Connection,
    table: Table,
    kind: str,
    seq: int | None = None,
    scope: Scope = (),
) -> None:
    """Tell every process what changed: a row 'put' or 'delete', or 'reset': all."""
    first, second = (*scope, None, None)[:2]
    cursor = conn.execute(
        "INSERT INTO changes (store, kind, seq, first_scope, second_scope)"
        " VALUES (?, ?, ?, ?, ?)",
        (table.name, kind, seq, first, second),
    )
    rev = cursor.lastrowid or 0
    if rev % _PRUNE_EVERY == 0:
        conn.execute("DELETE FROM changes WHERE rev <= ?", (rev - LOG_KEPT,))


def scope_tokens(table: Table, scope: Scope) -> str:
    """Return a scope as words for the full-text index, which joins them by AND.

    An indexed word finds a user's rows at once, where a filter on a column would
    first find everybody's. The digits keep the stemmer away.
    """
    named = zip("ab", scope, strict=False) if table.scope else ()
    return " ".join(
        f"{letter}{int.from_bytes(_digest(str(value)))}"
        for letter, value in named
        if value is not None
    )


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
