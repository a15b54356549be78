"""The filter language: which metadata a list, a search or a deletion is about.

A filter is a JSON object, and matches metadata when every one of its keys does; ``{}``
matches everything. A key is one of

* ``$and``, ``$or`` with a non-empty array of filters, ``$not`` with one filter;
* any other text: a top-level key of the metadata, literally (a dot is a dot), with the
  value it must equal (string, number, boolean or null) or with a non-empty object of
  operators, all of which must hold. A field cannot have the name of an operator.

==============================  ====================================================
``$eq`` any, ``$ne`` any        equal as JSON, at any depth; not so
``$in`` array, ``$nin`` array   equal to one of these; to none
``$gt $gte $lt $lte``           in order: a number against a number, a string against
                                a string (by code point); false for anything else
``$exists`` boolean             the key is there (a null is there), or is not
``$contains`` any               substring of a string; element of an array
==============================  ====================================================

Equality is that of JSON: ``1`` is ``1.0``, integers are exact at any size, ``true`` is
not ``1``, strings are equal code point by code point and nothing is equal to a key that
is missing, not even null. ``$ne``, ``$nin`` and ``$not`` are exact complements of
``$eq``, ``$in`` and the filter: metadata that lacks the key matches them. Metadata of
None counts as ``{}``.

Providers translate what ``parse`` returns, or evaluate it with ``matcher``; both must
agree on every metadata.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, cast

from memio.exceptions import ValidationError
from memio.models import Metadata

MAX_DEPTH: Final = 200
"""How deep objects and arrays may nest in a filter, itself included."""

Operator = Literal["$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$exists", "$contains"]

_COMBINATORS: Final = ("$and", "$or", "$not")
_OPERATORS: Final = (
    *("$eq", "$ne", "$in", "$nin", "$gt", "$gte"),
    *("$lt", "$lte", "$exists", "$contains"),
)
_COMPLEMENTS: Final[dict[str, Operator]] = {"$ne": "$eq", "$nin": "$in"}
_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}
_NUMBERS: Final = frozenset({int, float})
_PLAIN: Final = frozenset({int, float, str})
_MISSING: Final = object()
_SHOWN: Final = 100  # characters of a name that an error message repeats


@dataclass(frozen=True, slots=True)
class And:
    """All parts match; of no parts, everything does."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part matches."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not match."""

    part: Filter


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against one value.

    Attributes:
        field: A top-level key of the metadata, literally.
        op: ``$ne`` and ``$nin`` are not among them: they are ``Not`` of another.
        value: Any JSON for ``$eq`` and ``$contains``, a list for ``$in``, a bool for
            ``$exists``, otherwise a str or a finite number.
    """

    field: str
    op: Operator
    value: Any


Filter = And | Or | Not | Compare
Predicate = Callable[[Metadata | None], bool]


def parse(filters: Mapping[str, Any]) -> Filter:
    """Read a filter.

    Raises:
        ValidationError: It is malformed; the message names the place.
    """
    return _filter(filters, "filters", 1)


def matcher(filter_: Filter) -> Predicate:
    """Compile a filter to a function that tells whether metadata matches it."""
    test = _compile(filter_)
    return lambda metadata: test(metadata or {})


# --- parsing --------------------------------------------------------------------------


def _filter(given: object, place: str, depth: int) -> Filter:
    if not isinstance(given, Mapping):
        _fail(place, f"expected a filter (an object), not {_kind(given)}")
    _check_depth(place, depth)
    return _all([_entry(key, value, place, depth) for key, value in given.items()])


def _entry(key: object, value: object, place: str, depth: int) -> Filter:
    if not isinstance(key, str):
        _fail(place, f"keys are strings, not {_kind(key)}")
    inside = f"{place}.{key}"
    if key == "$not":
        return Not(_filter(value, inside, depth + 1))
    if key in _COMBINATORS:
        if not isinstance(value, list) or not value:
            _fail(inside, f"expected a non-empty array of filters, not {_kind(value)}")
        _check_depth(inside, depth + 1)
        parts = [
            _filter(part, f"{inside}[{index}]", depth + 2)
            for index, part in enumerate(value)
        ]
        return _all(parts) if key == "$and" else _any(parts)
    if key in _OPERATORS:
        example = f'{{"<field>": {{"{key}": ...}}}}'
        _fail(place, f"{key} belongs inside a field, as in {example}")
    return _field(key, value, inside, depth + 1)


def _field(field: str, given: object, place: str, depth: int) -> Filter:
    if isinstance(given, list):
        _fail(place, 'to compare with an array, write {"$eq": [...]}')
    if not isinstance(given, Mapping):
        _check_json(given, place, depth)
        return Compare(field, "$eq", given)
    if not given:
        _fail(place, 'an empty object says nothing; for equality write {"$eq": {}}')
    return _all([_compare(field, op, given[op], place, depth) for op in given])


def _compare(field: str, op: object, value: object, place: str, depth: int) -> Filter:
    if op in _COMBINATORS:
        _fail(place, f"{op} stands outside a field, as a key of a filter of its own")
    if op not in _OPERATORS:
        near = difflib.get_close_matches(str(op)[:40], _OPERATORS, n=1)
        hint = f"did you mean {near[0]}" if near else f"use {', '.join(_OPERATORS)}"
        _fail(place, f"'{_short(str(op))}' is not an operator; {hint}")
    inside = f"{place}.{op}"
    _check_json(value, inside, depth + 1)
    if op in ("$in", "$nin") and not isinstance(value, list):
        _fail(inside, f"expected an array, not {_kind(value)}")
    if op == "$exists" and not isinstance(value, bool):
        _fail(inside, f"expected true or false, not {_kind(value)}")
    if op.startswith(("$g", "$l")) and type(value) not in _PLAIN:
        _fail(inside, f"expected a number or a string, not {_kind(value)}")
    if op in _COMPLEMENTS:
        return Not(Compare(field, _COMPLEMENTS[op], value))
    return Compare(field, cast("Operator", op), value)


def _all(parts: list[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _any(parts: list[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _check_json(value: object, place: str, depth: int) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        _fail(place, "numbers must be finite")
    if isinstance(value, dict | list):
        _check_depth(place, depth)
        for key in value if isinstance(value, dict) else ():
            if not isinstance(key, str):
                _fail(place, f"keys are strings, not {_kind(key)}")
        for member in value.values() if isinstance(value, dict) else value:
            _check_json(member, place, depth + 1)
    elif value is not None and not isinstance(value, str | int | float):
        _fail(place, f"expected a JSON value, not {_kind(value)}")


def _check_depth(place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        _fail(place, f"filters nest at most {MAX_DEPTH} levels deep")


def _kind(value: object) -> str:
    if value in ([], {}):
        return "an empty array" if value == [] else "an empty object"
    return _KINDS.get(type(value), type(value).__name__)


def _short(text: str) -> str:
    half = _SHOWN // 2
    return text if len(text) <= _SHOWN else f"{text[:half]}...{text[-half:]}"


def _fail(place: str, problem: str) -> NoReturn:
    raise ValidationError(f"{_short(place)}: {problem}.")


# --- evaluation -----------------------------------------------------------------------


def _compile(filter_: Filter) -> Callable[[Metadata], bool]:
    match filter_:
        case Not(part):
            test = _compile(part)
            return lambda metadata: not test(metadata)
        case And(parts):
            return _fold([_compile(part) for part in parts], until=False)
        case Or(parts):
            return _fold([_compile(part) for part in parts], until=True)
        case Compare(field, "$exists", value):
            return lambda metadata: (field in metadata) is value
        case Compare(field, op, value):
            holds = _TESTS[op](value)
            return lambda metadata: holds(metadata.get(field, _MISSING))


def _fold(
    tests: list[Callable[[Metadata], bool]], *, until: bool
) -> Callable[[Metadata], bool]:
    def fold(metadata: Metadata) -> bool:
        for test in tests:  # a loop: any() over a generator takes twice the time
            if test(metadata) is until:
                return until
        return not until

    return fold


Test = Callable[[object], bool]


def _equals(wanted: Any) -> Test:
    if isinstance(wanted, str):
        return lambda value: value == wanted
    return lambda value: _equal(value, wanted)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _equal(member, other[key]) for key, member in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _one_of(wanted: list[Any]) -> Test:
    hashed = frozenset(each for each in wanted if _is_plain(each))
    others = [each for each in wanted if not _is_plain(each)]

    def holds(value: Any) -> bool:
        if _is_plain(value):
            return value in hashed
        return any(_equal(value, each) for each in others)

    return holds


def _is_plain(value: object) -> bool:
    """Tell whether Python's equality and hash are those of JSON."""
    return type(value) in _PLAIN


def _contains(wanted: Any) -> Test:
    if isinstance(wanted, str):
        return lambda value: isinstance(value, (str, list)) and wanted in value
    return lambda value: (
        isinstance(value, list) and any(_equal(each, wanted) for each in value)
    )


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    def test(wanted: Any) -> Test:
        types = frozenset({str}) if isinstance(wanted, str) else _NUMBERS
        return lambda value: type(value) in types and compare(value, wanted)

    return test


_TESTS: Final[dict[Operator, Callable[[Any], Test]]] = {
    "$eq": _equals,
    "$in": _one_of,
    "$gt": _ordered(lambda value, wanted: value > wanted),
    "$gte": _ordered(lambda value, wanted: value >= wanted),
    "$lt": _ordered(lambda value, wanted: value < wanted),
    "$lte": _ordered(lambda value, wanted: value <= wanted),
    "$contains": _contains,
}
