"""A row as an entry of Chroma's metadata, and conditions as Chroma's filters."""

from __future__ import annotations

from typing import Any, Final

from memio.filters import And, Compare, Filter, Or
from memio.vectorstore import Record, Where

# With colons, which no field that a caller's filter reaches has in its name.
ROW: Final = "memio:row"
PLACE: Final = "memio:place"
DIM: Final = "memio:dim"
SPACE: Final = "memio:space"


def entry(record: Record) -> dict[str, Any]:
    """Return what the metadata holds for memio."""
    scope = Where(record.user_id, record.agent_id).scope
    return {ROW: record.dump(), PLACE: record.created} | {
        f"memio:{name}": value for name, value in scope.items()
    }


def load(metadata: Any) -> Record:
    """Return the record in an entry's metadata.

    Raises:
        ValueError: There is none.
    """
    text = (metadata or {}).get(ROW)
    if text is None:
        raise ValueError("an entry was not written by memio")
    return Record.load(text)


def translate(where: Where, *conditions: dict[str, Any]) -> dict[str, Any] | None:
    """Return the filter for ``where`` and further conditions; None for everything."""
    every = [{f"memio:{name}": {"$eq": v}} for name, v in where.scope.items()]
    every += conditions
    if where.narrowed:
        every.append(_filter(where.narrowed))
    # One condition must stand alone, and none must not be given.
    return {"$and": every} if len(every) > 1 else next(iter(every), None)


def _filter(filter_: Filter) -> dict[str, Any]:
    match filter_:
        case And(parts):
            return {"$and": [_filter(part) for part in parts]}
        case Or(parts):
            return {"$or": [_filter(part) for part in parts]}
        case Compare(field, op, value):
            return {field: {op: value}}
    raise AssertionError(filter_)  # narrow leaves nothing else
