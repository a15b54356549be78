"""What stores on vector engines are made of: records, narrowed filters, ranks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memio.exceptions import ValidationError
from memio.filters import And, Compare, Filter, Or, matcher, parse
from memio.metadata import MOST_METADATA
from memio.vectorstore.narrow import narrow
from memio.vectorstore.record import (
    Record,
    is_field,
    latest,
    moment,
    scalar,
    scalars,
)

EDGES = (0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**70 + 1, 10**400)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.sampled_from(EDGES) | st.integers() | floats
values = st.none() | st.booleans() | numbers | st.sampled_from(("", "a", "x" * 300))
keys = st.sampled_from(("a", "b", "a.b", "", "ключ", "memio:row"))
metadatas = st.dictionaries(keys, values | st.lists(values, max_size=2), max_size=3)
comparisons = st.one_of(
    values,
    *(st.fixed_dictionaries({op: values}) for op in ("$eq", "$ne", "$contains")),
    *(st.fixed_dictionaries({op: numbers}) for op in ("$gt", "$gte", "$lt", "$lte")),
    *(
        st.fixed_dictionaries({op: st.lists(values, max_size=3)})
        for op in ("$in", "$nin")
    ),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)


filters = st.recursive(
    st.dictionaries(keys, comparisons, max_size=2),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$not": inner}),
    ),
    max_leaves=6,
)


def _misread(value, towards):
    """Return a number as an engine may have it that reads the last digit wrong."""
    is_exact = not isinstance(value, float) or value == int(value) <= 2**53
    return value if is_exact else math.nextafter(value, towards)


@given(filters, metadatas, st.sampled_from((-math.inf, math.inf)))
def test_a_narrowed_filter_loses_no_match(given, metadata, towards):
    parsed = parse(given)
    narrowed = narrow(parsed)
    if narrowed is not None and matcher(parsed)(metadata):
        assert matcher(narrowed)(scalars(metadata))
        kept = {k: _misread(v, towards) for k, v in scalars(metadata).items()}
        assert matcher(narrowed)(kept)


@given(filters)
def test_a_narrowed_filter_asks_of_engines_what_they_can(given):
    def check(filter_: Filter | None) -> None:
        match filter_:
            case And(parts) | Or(parts):
                assert len(parts) > 1
                for part in parts:
                    check(part)
            case Compare(field, op, value):
                assert is_field(field)
                assert op in {"$eq", "$gte", "$lte"}
                assert scalar(value) is not None
                assert op == "$eq" or not isinstance(value, str)
            case other:
                assert other is None

    narrowed = narrow(parse(given))
    if narrowed is not None:
        check(narrowed)


def test_narrowing_keeps_what_it_can():
    def narrowed(given):
        return narrow(parse(given))

    equal = Compare("a", "$eq", 1)
    assert narrowed({"a": 1}) == equal
    assert narrowed({"a": 1, "b": {"$exists": True}}) == equal
    assert narrowed({"a": {"$gt": 1}}) == Compare("a", "$gte", pytest.approx(1))
    assert isinstance(narrowed({"a": 0.5}), And)
    assert narrowed({"a": {"$gt": "text"}}) is None
    assert narrowed({"$or": [{"a": 1}, {"a": 2}]}) == Or(
        (equal, Compare("a", "$eq", 2))
    )
    assert narrowed({"a": {"$in": [1, 2]}}) == narrowed({"$or": [{"a": 1}, {"a": 2}]})
    for vague in (
        {"$or": [{"a": 1}, {"b": None}]},
        {"$not": {"a": 1}},
        {},
        {"a": None},
    ):
        assert narrowed(vague) is None
    deep = {"a": 1}
    for _ in range(50):
        deep = {"$and": [deep, {"$or": [{"a": 1}, {"a": 2}]}]}
    assert narrowed(deep) is not None


RECORD = Record("k", "fact", 10**15, 10**15 + 5, "m", "o", {"a": [10**30, None]}, "u")


def test_a_record_comes_back_as_it_was():
    assert Record.load(RECORD.dump()) == RECORD


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"key": "k"}'])
def test_what_is_no_record_is_told(text):
    with pytest.raises(ValueError, match="not written by memio"):
        Record.load(text)


@pytest.mark.parametrize("metadata", [{"a": "x" * MOST_METADATA}, {"a": object()}])
def test_metadata_that_cannot_be_kept_is_refused(metadata):
    with pytest.raises(ValidationError):
        Record("k", "fact", 1, 1, "m", "o", metadata).dump()


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.text(), st.text())
def test_places_are_in_the_order_of_creation(first, second, key, other):
    def place(created, key):
        return Record(key, "fact", created, created, "m", "o").place

    if first < second:
        assert place(first, key) < place(second, other)
    assert latest(place(first, key)) == first


def test_numbers_that_are_no_times_are_not_shown():
    assert moment(7) is None
    assert str(moment(1_700_000_000_000_001)) == "2023-11-14 22:13:20.000001+00:00"
