"""What memio stores and returns: facts, messages, documents, triples, pages of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

Metadata = dict[str, Any]
"""Any JSON object. It comes back exactly as it was given."""

Filters = dict[str, Any]
"""A filter expression, as ``memio.filters`` defines it."""

Mode = Literal["hybrid", "semantic", "keyword"]
"""How search ranks: by meaning and words together, by meaning, or by words."""

T = TypeVar("T")


class Keep(enum.Enum):
    """The type of ``KEEP``; an enum so that type checkers can tell it from None."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP
"""In an update: leave the stored metadata as it is. (None clears it.)"""


# What is answered in numbers has no slots: orjson writes it three times as fast.


@dataclass(frozen=True)
class Fact:
    """A short piece of knowledge about a user or an agent.

    Attributes:
        id: Assigned by the store.
        score: Relevance in [0, 1], higher is better; set by search only.
        created_at: When it was stored, UTC.
        updated_at: When it last changed, UTC; equals ``created_at`` at first.
    """

    id: str
    content: str
    user_id: str | None = None
    agent_id: str | None = None
    metadata: Metadata | None = None
    score: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks, such as "user" or "assistant".
        timestamp: When it was said, with a time zone; set on storing if missing.
        name: Display name of the speaker.
        id: Assigned by the store.
        session_id: The conversation it belongs to; set by the store.
        score: Relevance in [0, 1], higher is better; set by search only.
    """

    role: str
    content: str
    metadata: Metadata | None = None
    timestamp: datetime | None = None
    name: str | None = None
    id: str | None = None
    session_id: str | None = None
    score: float | None = None


@dataclass(frozen=True)
class Document:
    """A text to be found again, under an id of the caller's choice or the store's.

    Attributes:
        score: Relevance in [0, 1], higher is better; set by search only.
        created_at: When it was stored, UTC.
        updated_at: When it last changed, UTC; equals ``created_at`` at first.
    """

    id: str
    content: str
    metadata: Metadata | None = None
    score: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Triple:
    """An edge of the knowledge graph: subject, predicate, object.

    Attributes:
        id: Assigned by the store; None in a triple that is yet to be added.
    """

    subject: str
    predicate: str
    object: str
    metadata: Metadata | None = None
    id: str | None = None


class Page(list[T]):
    """A list of results that knows where the next one starts.

    Attributes:
        next_cursor: The ``cursor`` of the rows that follow; None at the end.
    """

    __slots__ = ("next_cursor",)

    def __init__(self, rows: Iterable[T] = (), next_cursor: str | None = None) -> None:
        super().__init__(rows)
        self.next_cursor = next_cursor


@dataclass(frozen=True, slots=True)
class GraphResult:
    """Triples that answer a question about the graph.

    Attributes:
        triples: The edges found, best or newest first.
        nodes: Every entity that the triples mention, once, in order of appearance.
        scores: Relevance of each triple in [0, 1]; empty unless this answers a search.
        next_cursor: What to pass as ``cursor`` for the triples that follow.
    """

    triples: list[Triple] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    next_cursor: str | None = None

    @classmethod
    def of(
        cls,
        triples: list[Triple],
        *,
        scores: Iterable[float] = (),
        next_cursor: str | None = None,
    ) -> GraphResult:
        """Build a result, taking the nodes from the triples."""
        ends = (end for t in triples for end in (t.subject, t.object))
        return cls(triples, list(dict.fromkeys(ends)), list(scores), next_cursor)
