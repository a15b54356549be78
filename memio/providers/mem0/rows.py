"""Mem0's memories as rows: what memio keeps in their metadata, and whose they are.

Mem0 merges metadata on updates, refuses ids with white space in them, and sets times of
its own. So everything but the text is memio's envelope, one string in the metadata. A
memory without it was stored by another program, and is read as it is.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from memio.hosted import Row, Scope, pack, unpack
from memio.hosted.rows import TICKS

FIELD = "memio"
"""The key of the envelope in a memory's metadata."""

OWNER = "memio"
"""Whose memories those are that have neither a user nor an agent."""

Memory = dict[str, Any]
"""A memory as Mem0 answers it."""

_UNSAFE = re.compile(r"[\s%*]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def escape(entity_id: str) -> str:
    """Return an id without white space, which Mem0 refuses, and not its wildcard.

    No two ids become the same. An empty one, which Mem0 refuses too, becomes "%".
    """

    def quote(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match[0].encode())

    return _UNSAFE.sub(quote, entity_id) or "%"


def entities(scope: Scope) -> dict[str, str]:
    """Return the ids of a scope, by Mem0's names, as Mem0 takes them."""
    ids = {"user_id": scope.user_id, "agent_id": scope.agent_id}
    return {key: escape(value) for key, value in ids.items() if value is not None}


def scope_of(row: Row) -> Scope:
    """Return whose a row is."""
    return Scope(row.user_id, row.agent_id)


def metadata_of(row: Row) -> dict[str, str]:
    """Return the metadata of the memory that a row becomes."""
    return {FIELD: pack(row, text=False)}


def row_of(memory: Memory) -> Row:
    """Return a memory as a row."""
    memory_id, text = str(memory["id"]), memory["memory"]
    metadata = memory.get("metadata") or {}
    if isinstance(metadata.get(FIELD), str):
        row = unpack(metadata[FIELD], text=text, place=memory_id)
        return replace(row, id=memory_id)
    created = _ticks(memory.get("created_at"))
    return Row(
        id=memory_id,
        text=text,
        metadata=memory.get("metadata"),
        created=created,
        updated=max(created, _ticks(memory.get("updated_at"))),
        user_id=memory.get("user_id"),
        agent_id=memory.get("agent_id"),
        places=(memory_id,),
    )


def says_the_same(row: Row, other: Row) -> bool:
    """Tell whether two rows differ in nothing but when they were stored, and where."""
    return (row.text, row.metadata, scope_of(row)) == (
        *(other.text, other.metadata, scope_of(other)),
    )


def share(score: float) -> float:
    """Return a score within [0, 1], 0 for one that is no number."""
    return min(float(score), 1.0) if score > 0 else 0.0


def _ticks(moment: object) -> int:
    """Return a date of Mem0's in the ticks of rows, 0 for none."""
    try:
        read = datetime.fromisoformat(str(moment))
    except ValueError:
        return 0
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    micros = (read - _EPOCH) // timedelta(microseconds=1)
    return -(-micros * TICKS // 1000)  # up, so that it is read as the same date
