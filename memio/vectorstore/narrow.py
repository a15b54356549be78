"""Filters made so simple that an engine can help with them."""

from __future__ import annotations

from typing import Any, Final

from memio.filters import And, Compare, Filter, Operator, Or
from memio.vectorstore.record import is_field, scalar

MOST_DEPTH: Final = 8
MOST_VALUES: Final = 64

_EXACT: Final = 2**53
_SLACK: Final = 1e-12  # engines that read numbers as text may miss the last digit


def narrow(filter_: Filter | None, depth: int = MOST_DEPTH) -> Filter | None:
    """Return a simpler filter, which matches all that this one does and maybe more.

    Of it engines need to know ``And`` and ``Or`` of two parts and more, ``$eq`` with a
    text, number or boolean, and ``$gte`` and ``$lte`` with a number; fields and values
    are those of ``record.scalars``. What it matches is to be tested by the filter
    itself. None matches everything.
    """
    match filter_ if depth else None:
        case And(parts):
            some = [part for each in parts if (part := narrow(each, depth - 1))]
            return And(tuple(some)) if len(some) > 1 else next(iter(some), None)
        case Or(parts):
            every = [narrow(part, depth - 1) for part in parts]
            known = tuple(part for part in every if part is not None)
            return Or(known) if len(known) == len(every) else None
        case Compare(field, "$in", values):
            equal = tuple(Compare(field, "$eq", v) for v in values[: MOST_VALUES + 1])
            some_of = equal[0] if len(equal) == 1 else Or(equal)
            return narrow(some_of, depth) if 0 < len(equal) <= MOST_VALUES else None
        case Compare(field, op, value):
            return _narrow_comparison(field, op, value)
    return None


def _narrow_comparison(field: str, op: Operator, value: Any) -> Filter | None:
    plain = scalar(value)
    if plain is None or not is_field(field):
        return None
    if isinstance(plain, str | bool):
        return Compare(field, "$eq", plain) if op == "$eq" else None
    slack = abs(plain) * _SLACK + 1 / _EXACT
    above = Compare(field, "$gte", plain - slack)
    below = Compare(field, "$lte", plain + slack)
    if op == "$eq":
        is_exact = plain == int(plain) and abs(plain) <= _EXACT
        return Compare(field, op, plain) if is_exact else And((above, below))
    return {"$gt": above, "$gte": above, "$lt": below, "$lte": below}.get(op)
