"""Rows as hosted services keep them: a text, and an envelope for all the rest."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from memio import jsontext
from memio.ids import uuid7
from memio.models import KEEP, Keep, Metadata

TICKS: Final = 4096
"""How many ticks a millisecond has: as many as a UUIDv7 of ours counts."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BLANK: Final = "(blank)"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows are meant; None for anybody's."""

    user_id: str | None = None
    agent_id: str | None = None

    def holds(self, row: Row) -> bool:
        return (self.user_id is None or row.user_id == self.user_id) and (
            self.agent_id is None or row.agent_id == self.agent_id
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A fact, a document, a message or a triple.

    Attributes:
        created: When it was first stored, in ticks; no two rows of a process share one.
        updated: When it last changed, in ticks.
        extra: What else its kind has, such as a message's role.
        places: Where the service keeps it: its newest copy first, then older ones
            that an interrupted update left behind.
        ready: Whether its text can be read; false while the service processes it.
    """

    id: str
    text: str
    metadata: Metadata | None
    created: int
    updated: int
    user_id: str | None = None
    agent_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[Any, ...] = ()
    ready: bool = True

    @property
    def order(self) -> tuple[int, str]:
        """Its place in a list, which no update changes."""
        return self.created, self.id

    def changed(self, text: str, metadata: Metadata | Keep | None) -> Row:
        """Return the row with another text, and metadata unless it is to be kept."""
        kept = self.metadata if metadata is KEEP else metadata
        updated = max(_ticks(uuid7()), self.updated + TICKS)
        return replace(self, text=text, metadata=kept, updated=updated, ready=True)


def new_row(
    text: str,
    metadata: Metadata | None,
    *,
    row_id: str | None = None,
    scope: Scope | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Row:
    """Make a row that is stored now; rows made later sort later."""
    scope, made = scope or Scope(), uuid7()
    now = _ticks(made)
    return Row(
        id=made if row_id is None else row_id,
        text=text,
        metadata=metadata,
        created=now,
        updated=now,
        user_id=scope.user_id,
        agent_id=scope.agent_id,
        extra=extra or {},
    )


def newest(rows: Iterable[Row]) -> list[Row]:
    """Return each row once, as it was updated last, with the places of all copies."""
    found: dict[str, Row] = {}
    for row in rows:
        known = found.get(row.id)
        if known is None:
            found[row.id] = row
        elif row.places[0] not in known.places:
            new, old = (row, known) if row.updated > known.updated else (known, row)
            found[row.id] = replace(new, places=(*new.places, *old.places))
    return list(found.values())


def created_within(row_id: str) -> tuple[datetime, datetime] | None:
    """Return between which two moments the row of an id was created.

    None if the id is not one that memio made.
    """
    try:
        known = uuid.UUID(row_id)
    except ValueError:
        return None
    if str(known) != row_id or known.version != 7:  # noqa: PLR2004 (UUIDv7)
        return None
    start = as_moment((known.int >> 80) * TICKS)
    return start, start + timedelta(milliseconds=1)


def as_moment(ticks: int) -> datetime:
    """Return a row's time as a date."""
    return _EPOCH + timedelta(microseconds=ticks * 1000 // TICKS)


def as_sent(text: str, most: int | None = None) -> str:
    """Return what of a text a service is given: not nothing, no NUL, not too much."""
    sent = text.replace("\x00", " ")[:most]
    return sent if sent.strip() else _BLANK


def digest(text: str) -> str:
    """Return a name for any text that is safe in every path, query and filter."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def pack(row: Row, *, text: bool) -> str:
    """Return the envelope: the row as JSON, its text only if that is asked for."""
    envelope = {
        "id": row.id,
        "created": row.created,
        "updated": row.updated,
        "user": row.user_id,
        "agent": row.agent_id,
        **({"metadata": row.metadata} if row.metadata is not None else {}),
        **({"extra": row.extra} if row.extra else {}),
        **({"text": row.text} if text else {}),
    }
    return jsontext.dumps(envelope).decode()


def unpack(envelope: str, *, text: str | None, place: Any) -> Row:
    """Return the row of an envelope.

    ``text`` is what the service has for its text, None if that is not ready yet.
    """
    found = jsontext.loads(envelope)
    whole = found.get("text", text)
    return Row(
        id=found["id"],
        text=whole or "",
        metadata=found.get("metadata"),
        created=found["created"],
        updated=found["updated"],
        user_id=found["user"],
        agent_id=found["agent"],
        extra=found.get("extra", {}),
        places=(place,),
        ready=whole is not None,
    )


def _ticks(made: str) -> int:
    """Return the ticks since 1970 that a UUIDv7 of ours stands for."""
    value = uuid.UUID(made).int
    # 48 bits of milliseconds, then (after the version) 12 bits that count on.
    return (value >> 80) * TICKS + (value >> 64 & 0xFFF)
