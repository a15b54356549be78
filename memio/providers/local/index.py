"""What is derived from a row so that search finds it, and the log of what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from memio.embedding import Embedder
from memio.embedding.base import run_reading
from memio.providers.local.tables import Scope, Table
from memio.retrieval.passages import Passages, Text
from memio.retrieval.terms import pack

LOG_KEPT = 50_000
"""Changes that the log keeps; a process further behind reads its scopes anew."""

_PRUNE_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Indexed:
    """A text with its words and vectors, ready to be stored.

    Attributes:
        terms: Its words, as ``retrieval.terms.pack`` makes them.
        vector: One vector per chunk, float32.
    """

    text: Text
    terms: bytes
    vector: bytes


async def embed(embedder: Embedder, texts: Sequence[Text]) -> list[Indexed]:
    """Take texts apart into their words and give them their vectors."""
    passages = Passages(texts)
    vectors = await embedder.embed(passages.to_embed)
    length = sum(len(text.content) + len(text.previous) for text in texts)
    terms = await run_reading(_pack_all, texts, characters=length)
    blocks = passages.blocks(vectors)
    return [
        Indexed(text, words, block.tobytes())
        for text, words, block in zip(texts, terms, blocks, strict=True)
    ]


def _pack_all(texts: Sequence[Text]) -> list[bytes]:
    return [pack(text.searchable, text.previous) for text in texts]


def put(  # noqa: PLR0917 (what is derived, and of what)
    conn: sqlite3.Connection,
    table: Table,
    seq: int,
    scope: Scope,
    entry: Indexed,
    context: int | None = None,
) -> None:
    """Write what is derived from a row, new or changed.

    ``context`` is the row before, by whose words this one may be found as well.
    """
    text = entry.text
    conn.execute(
        f"INSERT OR REPLACE INTO {table.name}_index"
        " (seq, words, who, context, terms, vector) VALUES (?, ?, ?, ?, ?, ?)",
        (seq, len(text.content.split()), text.who, context, entry.terms, entry.vector),
    )
    log(conn, table, "put", seq, scope)


def delete(conn: sqlite3.Connection, table: Table, seqs: Sequence[int]) -> None:
    """Delete rows and all that is derived from them."""
    for seq in seqs:
        conn.execute(f"DELETE FROM {table.name}_index WHERE seq = ?", (seq,))
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
