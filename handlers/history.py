"""The operations of tag ``history``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from memio.client import Memio
from memio.exceptions import ValidationError
from memio.models import Message

from ._http import paged, wants_representation, would_delete


async def add_messages(
    memio: Memio, session_id: str, body: dict[str, Any], prefer: str = ""
) -> Any:
    stored = await memio.require("history").add(
        session_id=session_id,
        messages=[
            _message(message, place) for place, message in enumerate(body["messages"])
        ],
        user_id=body.get("user_id"),
    )
    return stored if wants_representation(prefer) else None


async def list_messages(memio: Memio, url: str, session_id: str, **query: Any) -> Any:
    page = await memio.require("history").get(session_id=session_id, **query)
    return paged(page, url, page.next_cursor)


async def search_session(
    memio: Memio, session_id: str, body: dict[str, Any]
) -> list[Message]:
    return await memio.require("history").search(session_id=session_id, **body)


async def search_history(memio: Memio, body: dict[str, Any]) -> list[Message]:
    return await memio.require("history").search(**body)


async def list_sessions(memio: Memio, url: str, **query: Any) -> Any:
    page = await memio.require("history").get_all(**query)
    return paged({"sessions": page}, url, page.next_cursor)


async def delete_session(memio: Memio, session_id: str) -> None:
    await memio.require("history").delete(session_id=session_id)


async def delete_sessions(memio: Memio, *, dry_run: bool = False, **query: Any) -> Any:
    count = await memio.require("history").delete_all(dry_run=dry_run, **query)
    return would_delete(count) if dry_run else None


def _message(given: dict[str, Any], place: int) -> Message:
    """Read a message; RFC 3339 allows times that no clock of Python's can show."""
    timestamp = given.get("timestamp")
    try:
        moment = timestamp and datetime.fromisoformat(timestamp.upper())
    except ValueError as error:
        raise ValidationError(
            f"body.messages[{place}].timestamp: not a time that can be kept, "
            "such as 2026-11-22T09:30:00Z."
        ) from error
    return Message(**{**given, "timestamp": moment or None})
