"""Filters as SQL conditions on ``filterable``, the copy of a row's metadata in jsonb.

The copy compares as ``memio.filters`` does. What jsonb cannot hold (a text with the
character U+0000) has no copy: such a row meets every condition here, and so whoever
reads rows must let ``memio.filters`` have the last word.
"""

from __future__ import annotations

from typing import Any

from memio import jsontext
from memio.filters import And, Compare, Filter, Not, Or
from memio.models import Metadata
from memio.providers.postgres.tables import Parameters

MOST_PARAMETERS = 1000
"""Larger filters are left to ``memio.filters`` whole."""

_NUL = b"\\u0000"
_EXACT = 2**53  # from here on, the shortest text of a float is not its exact value
_SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def filterable(metadata: Metadata | None) -> str | None:
    """Return the copy of metadata that conditions look at, if jsonb can hold it."""
    text = jsontext.dumps(_exact(metadata or {}))
    return None if _NUL in text else text.decode()


def meets(filter_: Filter, given: Parameters, alias: str) -> str:
    """Return the condition that a row meets a filter, or at least may meet it."""
    mine = Parameters(given)
    condition = _Writer(mine, f"{alias}.filterable").write(filter_)
    values = [value for value in mine[len(given) :] if isinstance(value, str)]
    is_sayable = not any("\x00" in value or "\\u0000" in value for value in values)
    if not is_sayable or len(mine) > MOST_PARAMETERS:
        return "true"
    given[:] = mine
    return f"({alias}.filterable IS NULL OR {condition})"


class _Writer:
    """Writes conditions that are true or false, never NULL, so that NOT is exact."""

    def __init__(self, given: Parameters, column: str) -> None:
        self._given, self._column = given, column

    def write(self, filter_: Filter) -> str:
        match filter_:
            case Not(part):
                return f"NOT {self.write(part)}"
            case And(parts):
                return self._join(" AND ", parts, "true")
            case Or(parts):
                return self._join(" OR ", parts, "false")
            case Compare(field, op, value):
                return self._compare(field, op, value)

    def _join(self, word: str, parts: tuple[Filter, ...], empty: str) -> str:
        return f"({word.join(map(self.write, parts)) or empty})"

    def _compare(self, field: str, op: str, value: Any) -> str:
        if op == "$in":
            either = " OR ".join(self._equal(field, each) for each in value)
            return f"({either or 'false'})"
        if op == "$eq":
            return self._equal(field, value)
        name = f"{self._given.add(field)}::text"
        there = f"({self._column} ? {name})"
        found = f"({self._column} -> {name})"
        if op == "$exists":
            return there if value else f"NOT {there}"
        kind = f"jsonb_typeof{found}"
        text = f'({self._column} ->> {name}) COLLATE "C"'
        if op == "$contains":
            tests = [f"({kind} = 'array' AND {self._has_element(found, value)})"]
            if isinstance(value, str):
                part = f"strpos({text}, {self._given.add(value)}) > 0"
                tests.append(f"({kind} = 'string' AND {part})")
            condition = " OR ".join(tests)
        elif isinstance(value, str):
            bound = self._given.add(value)
            condition = f"{kind} = 'string' AND {text} {_SIGNS[op]} {bound}"
        else:
            condition = (
                f"{kind} = 'number' AND {found} {_SIGNS[op]} {self._json(value)}"
            )
        return f"coalesce({condition}, false)"

    def _equal(self, field: str, value: Any) -> str:
        # Containment is what the index knows; of a scalar it is equality.
        holds = f"{self._column} @> {self._json({field: value})}"
        if not isinstance(value, dict | list):
            return f"({holds})"
        name = f"{self._given.add(field)}::text"
        return f"({holds} AND {self._column} -> {name} = {self._json(value)})"

    def _has_element(self, found: str, value: Any) -> str:
        elements = f"CASE jsonb_typeof{found} WHEN 'array' THEN {found} ELSE '[]' END"
        return (
            f"EXISTS (SELECT FROM jsonb_array_elements({elements}) AS element"
            f" WHERE element = {self._json(value)})"
        )

    def _json(self, value: Any) -> str:
        return f"{self._given.add(jsontext.dumps(_exact(value)).decode())}::jsonb"


def _exact(value: Any) -> Any:
    """Return the value with every float written out in full, as jsonb compares them."""
    if isinstance(value, float) and abs(value) >= _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _exact(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_exact(each) for each in value]
    return value
