"""Conditions in SQL say what ``memio.filters`` says, on any metadata."""

from __future__ import annotations

import asyncio
import string
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memio.filters import matcher, parse
from memio.providers.postgres.conditions import filterable, meets
from memio.providers.postgres.tables import Parameters

KEYS = st.sampled_from(["a", "b", "a.b", "$x", "", "q\"u'o\\te"])
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 + 1, 10**22, 10**23, 10**23 - 1, -(2**70), 10**400]),
    st.sampled_from([0.1, -0.0, 1.0, 2.5, 1e22, 1e23, 2.0**53, 5e-324, 1e300]),
)
TEXTS = st.one_of(
    st.text(string.ascii_letters + "%_\\'\" é\uffee\U00010000", max_size=3),
    st.sampled_from(["\x00", "a\x00", "\\u0000", "null", "1", "true"]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=2)
    ),
    max_leaves=4,
)
METADATA = st.one_of(st.none(), st.dictionaries(KEYS, VALUES, max_size=3))

BOUNDS = st.one_of(NUMBERS, TEXTS)
COMPARISONS = st.one_of(
    SCALARS,
    *(st.fixed_dictionaries({op: VALUES}) for op in ("$eq", "$ne", "$contains")),
    *(
        st.fixed_dictionaries({op: st.lists(VALUES, max_size=3)})
        for op in ("$in", "$nin")
    ),
    *(st.fixed_dictionaries({op: BOUNDS}) for op in ("$gt", "$gte", "$lt", "$lte")),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
FIELDS = st.dictionaries(KEYS.filter(lambda key: key != "$x"), COMPARISONS, max_size=2)
FILTERS = st.recursive(
    FIELDS,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$not": inner}),
        st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=4,
)


class Judge:
    """Asks PostgreSQL which metadata meet a filter."""

    def __init__(self, dsn: str) -> None:
        self._runner = asyncio.Runner()
        self._conn = self._runner.run(asyncpg.connect(dsn))

    def ask(self, filters: dict[str, Any], rows: list[Any]) -> list[bool]:
        given = Parameters(([filterable(metadata) for metadata in rows],))
        condition = meets(parse(filters), given, "r")
        sql = (
            f"SELECT {condition} AS met FROM unnest($1::jsonb[]) WITH ORDINALITY"
            " AS r (filterable, place) ORDER BY place"
        )
        found = self._runner.run(self._conn.fetch(sql, *given))
        return [row["met"] for row in found]

    def close(self) -> None:
        self._runner.run(self._conn.close())
        self._runner.close()


@pytest.fixture(scope="module")
def judge(postgres: str) -> Iterator[Judge]:
    judge = Judge(postgres)
    yield judge
    judge.close()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(filters=FILTERS, rows=st.lists(METADATA, min_size=1, max_size=12))
def test_sql_agrees_with_the_language(
    judge: Judge, filters: dict[str, Any], rows: list[Any]
) -> None:
    matches = matcher(parse(filters))
    has_nul = "\\u0000" in (filterable({"f": filters}) or "\\u0000")
    for metadata, met in zip(rows, judge.ask(filters, rows), strict=True):
        if matches(metadata):
            assert met, metadata  # or the row would be lost
        elif filterable(metadata) is not None and not has_nul:
            assert not met, metadata


def test_what_jsonb_cannot_hold_is_left_to_the_language() -> None:
    assert filterable({"a": "\x00"}) is None
    assert filterable(None) == "{}"


def test_a_filter_of_any_size_is_a_statement_that_postgresql_takes(
    judge: Judge,
) -> None:
    many = {"$or": [{"a": n} for n in range(20_000)]}
    assert judge.ask(many, [{"a": 1}, {"b": 1}])[0]
    deep: dict[str, Any] = {"a": 1}
    for _ in range(198):
        deep = {"$not": deep}
    assert judge.ask(deep, [{"a": 1}, {"a": 2}]) == [True, False]
