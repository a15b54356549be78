"""memio.jsontext: strict in, exact out."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memio.jsontext import MAX_DEPTH, dumps, loads
from memio.models import Fact, Page

DOUBLE_MAX = 10**308
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-DOUBLE_MAX, DOUBLE_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda child: st.lists(child) | st.dictionaries(st.text('ab[{]}"\\9'), child),
    max_leaves=20,
)


@given(json_values)
def test_what_is_written_is_read_back_exactly(value: Any) -> None:
    text = dumps(value)
    assert loads(text) == value
    assert json.dumps(loads(text)) == json.dumps(value)  # 1 is not 1.0 is not True


@given(json_values)
def test_bytes_and_str_are_read_alike(value: Any) -> None:
    text = json.dumps(value)
    assert loads(text) == loads(text.encode()) == value


@given(st.binary(max_size=40))
def test_garbage_is_a_value_error_or_json_as_the_standard_library_reads_it(
    data: bytes,
) -> None:
    try:
        value = loads(data)
    except ValueError:
        return
    assert json.loads(data) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e400",
        b"1" * 400,
        b"1" * 5000,
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"{'a': 1}",
        b'{"a": 1} {}',
        b"[1,]",
        b'"a\nb"',
        b"01",
        "\ud800",
    ],
)
def test_what_is_not_json_is_refused(text: bytes | str) -> None:
    with pytest.raises(ValueError, match="not valid JSON"):
        loads(text)


def test_a_refusal_does_not_quote_the_text() -> None:
    with pytest.raises(ValueError, match="not valid JSON") as caught:
        loads(b'{"content": secret-thing}')
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_limit(opening: str, closing: str) -> None:
    depth = MAX_DEPTH
    inner = "1" if opening == '{"a":' else ""
    deepest = loads(opening * depth + inner + closing * depth)
    assert loads(dumps(deepest)) == deepest
    for deeper in (depth + 1, 900, 100_000):
        with pytest.raises(ValueError, match=r"deep|depth"):
            loads(opening * deeper + inner + closing * deeper)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    text = "[" + ",".join(['{"a": ["[[["]}'] * 500) + "]"
    assert len(loads(text)) == 500


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**300])
def test_integers_beyond_64_bits_stay_integers(number: int) -> None:
    text = dumps({"n": [number, 0.5]})
    assert text == b'{"n":[%d,0.5]}' % number
    assert loads(text) == {"n": [number, 0.5]}


def test_an_integer_beyond_64_bits_changes_nothing_else() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    plain = Fact(id="1", content="x", metadata={"n": 1}, created_at=at)
    huge = Fact(id="1", content="x", metadata={"n": 2**70}, created_at=at)
    assert dumps([huge]) == dumps([plain]).replace(b'"n":1', b'"n":%d' % 2**70)


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert loads(b'{"a": 1, "a": 2}') == {"a": 2}


def test_models_become_objects_and_pages_arrays() -> None:
    page = Page([Fact(id="1", content="\u00e9\u2028")], "0a")
    assert (
        dumps(page)
        == (
            '[{"id":"1","content":"\u00e9\u2028","user_id":null,"agent_id":null,'
            '"metadata":null,"score":null,"created_at":null,"updated_at":null}]'
        ).encode()
    )


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(0)), None], ids=["utc", "zero", "naive"]
)
def test_utc_datetimes_end_in_z(zone: timezone | None) -> None:
    assert dumps(datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)) == (
        b'"2026-01-02T03:04:05Z"'
    )


def test_nan_is_written_as_null() -> None:
    assert dumps([math.nan, math.inf]) == b"[null,null]"


@dataclass
class _Odd:
    thing: object


@pytest.mark.parametrize("value", [object(), {1: 2}, _Odd(object()), b"x", int])
def test_what_has_no_json_form_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        dumps(value)
