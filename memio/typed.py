"""Turns what a YAML file holds into typed settings, noting every problem on the way."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from typing import (
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from memio.registry import suggest

T = TypeVar("T")

UNKNOWN: Final = object()
"""Stands for a value with a problem that is noted already."""

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def kind_of(value: Any) -> str:
    """Say in a word or two what YAML made of a value."""
    if value == [] or (isinstance(value, str) and not value.strip()):
        return "empty"
    return _KINDS.get(type(value), type(value).__name__)


class SettingsReader:
    """Reads frozen dataclasses out of mappings.

    The fields' types are the contract: text, numbers, booleans, literals, tuples of
    texts (a list, or one text with commas), mappings, and unions of these. A number
    may be given as text, since ``${VARIABLES}`` are text. Bounds stand in the field's
    metadata as ``least`` and ``most``.

    Attributes:
        problems: Where problems are noted, a sentence each.
        names: What to call a place that was not set in the file: its variable or flag.
    """

    def __init__(self, problems: list[str], names: Mapping[str, str]) -> None:
        self.problems = problems
        self.names = names

    def check_keys(
        self, raw: Mapping[Any, Any], known: Iterable[str], place: str
    ) -> None:
        """Note every key of ``raw`` that is not ``known``."""
        known = list(known)
        for key in raw:
            if key not in known:
                where = f"{place}.{key}" if place else str(key)
                self.problems.append(
                    f"{where} is not a setting; {suggest(str(key), known)}"
                    if known
                    else f"{where} is not a setting; there are none here."
                )

    def read(
        self, cls: type[T], raw: Any, place: str, *, secret: bool = False
    ) -> T | None:
        """Return the mapping ``raw`` as a ``cls``, or None if that is impossible.

        A field that is absent, null or wrong has its default. If ``secret``, problems
        do not show values.
        """
        if raw is UNKNOWN:
            return None
        if raw is None:
            raw = {}
        if not isinstance(raw, dict):
            self.problems.append(f"{place} must be a mapping, not {kind_of(raw)}.")
            return None
        hints = get_type_hints(cls)
        self.check_keys(raw, hints, place)
        values: dict[str, Any] = {}
        every = fields(cls)  # type: ignore[arg-type]  # all callers pass dataclasses
        for f in every:
            value = raw.get(f.name)
            where = f"{place}.{f.name}"
            if value is not None and value is not UNKNOWN:
                try:
                    values[f.name] = _convert(value, hints[f.name], f.metadata)
                except ValueError as error:
                    hidden = secret or not isinstance(value, str | int | float)
                    shown = kind_of(value) if hidden else repr(value)
                    self.problems.append(
                        f"{self.names.get(where, where)} must be {error}, not {shown}."
                    )
        required = {f.name for f in every if f.default is f.default_factory is MISSING}
        self.problems.extend(
            f"{place}.{name} is missing; it has no default."
            for name in sorted(required)
            if raw.get(name) is None
        )
        if not required <= values.keys():
            return None
        try:
            return cls(**values)
        except ValueError as error:
            told = str(error)
            self.problems.append(told if place in told else f"{place}: {told}")
            return None


def _convert(value: Any, wanted: Any, bounds: Mapping[str, Any]) -> Any:
    """Return the value in the type; the ``ValueError`` says what was expected."""
    origin, options = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return _convert_union(value, options, bounds)
    if origin is Literal:
        return _convert_literal(value, options)
    if origin is tuple:
        return _convert_texts(value)
    if wanted is bool:
        return _convert_bool(value)
    if wanted in (int, float):
        return _convert_number(value, wanted, bounds)
    plain = origin or wanted
    if not isinstance(value, plain):
        expected = _KINDS.get(plain, plain.__name__)
        expected += " in quotes" if plain is str else ""
        raise ValueError(expected)  # noqa: TRY004  # one class for every mismatch
    return value


def _convert_union(value: Any, options: Any, bounds: Mapping[str, Any]) -> Any:
    expected = []
    for option in options:
        if option is not types.NoneType:
            try:
                return _convert(value, option, bounds)
            except ValueError as error:
                expected.append(str(error))
    raise ValueError(" or ".join(expected))


def _convert_literal(value: Any, options: tuple[Any, ...]) -> Any:
    for option in options:
        if value == option or str(value).lower() == option:
            return option
    raise ValueError(f"one of {', '.join(map(str, options))}")


def _convert_texts(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        texts = tuple(item.strip() for item in items if item.strip())
        if texts:
            return texts
    raise ValueError("text in quotes, or a list of such texts")


def _convert_bool(value: Any) -> bool:
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("true or false")


def _convert_number(
    value: Any, wanted: type[int | float], bounds: Mapping[str, Any]
) -> int | float:
    least, most = bounds.get("least", -math.inf), bounds.get("most", math.inf)
    expected = "a whole number" if wanted is int else "a number"
    if "least" in bounds:
        expected += f" from {least}"
    if "most" in bounds:
        expected += f" to {most}"
    accepted = (int, str) if wanted is int else (int, float, str)
    if isinstance(value, accepted) and not isinstance(value, bool):
        with suppress(ValueError):
            number = wanted(value)
            if least <= number <= most:  # false for NaN
                return number
    raise ValueError(expected)
