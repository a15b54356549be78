"""JSON as memio reads and writes it: strict, fast, and exact for every integer."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

MAX_DEPTH = 200
"""How deep arrays and objects may nest: what is read can always be written again."""

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
_ZERO_FOR_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19  # the shortest integer that 64 bits may fail to hold


def loads(text: bytes | str) -> Any:
    """Parse one JSON document.

    Integers come out exact whatever their size; of a key given twice the last counts.

    Raises:
        ValueError: The text is not JSON by RFC 8259 in UTF-8, holds a number that a
            double cannot (NaN, Infinity, 1e400), half a surrogate pair, or nests
            deeper than ``MAX_DEPTH``. The message never quotes the text.
    """
    try:
        data = text.encode() if isinstance(text, str) else text
        value = orjson.loads(data)
    except UnicodeEncodeError:
        raise ValueError("not valid JSON: half a surrogate pair") from None
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error}") from None
    if len(data) > MAX_DEPTH and _is_deeper(data, value, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if data.translate(_ZERO_FOR_DIGIT).find(_LONG_NUMBER) >= 0:
        # orjson makes a float of an integer beyond 64 bits.
        value = json.loads(data.decode())
    return value


def dumps(value: Any) -> bytes:
    """Write JSON; dataclasses become objects and datetimes RFC 3339 strings.

    A NaN or infinity becomes null, since JSON has no word for it.

    Raises:
        TypeError: The value holds something that has no JSON form.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        # Most likely an integer beyond 64 bits; anything else fails here again.
        return orjson.dumps(_with_exact_integers(value), option=_OPTIONS)


def _is_deeper(data: bytes, value: Any, limit: int) -> bool:
    if data.count(b"[") + data.count(b"{") <= limit:
        return False
    level = [value]
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _with_exact_integers(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    if isinstance(value, dict):
        return {key: _with_exact_integers(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_with_exact_integers(child) for child in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _with_exact_integers(getattr(value, field.name))
            for field in fields(value)
        }
    return value
