"""The laws of the filter language."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memio.exceptions import ValidationError
from memio.filters import MAX_DEPTH, And, Compare, Not, Or, matcher, parse

# Few and colliding values, so that equality and order are often met.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 2**70, 10**400]),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 2.0**53, 1e308]),
    st.sampled_from(["", "a", "b", "ab", "1", "A", "\uffee", "\U00010000"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)
FIELDS = st.sampled_from(["a", "b", "a.b", "$x", ""])
METADATA = st.none() | st.dictionaries(FIELDS, VALUES, max_size=3)
ORDERS = ["$gt", "$gte", "$lt", "$lte"]
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("$eq", "$ne", "$contains"), VALUES),
        **{op: st.lists(VALUES, max_size=3) for op in ("$in", "$nin")},
        **{op: SCALARS.filter(lambda v: type(v) in (str, int, float)) for op in ORDERS},
        "$exists": st.booleans(),
    },
).filter(bool)
LEAVES = st.dictionaries(FIELDS, SCALARS | CONDITIONS, max_size=2)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.fixed_dictionaries({"$not": inner})
        | st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=5,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=2)
            | st.sampled_from(["$and", "$or", "$not", "$eq", "$in", "$gt", "$exists"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def matches(filters, metadata):
    return matcher(parse(filters))(metadata)


# --- laws -----------------------------------------------------------------------------


@given(FILTERS, FILTERS, METADATA)
def test_de_morgan(one, other, row):
    neither = {"$not": {"$or": [one, other]}}
    assert matches(neither, row) == matches(
        {"$and": [{"$not": one}, {"$not": other}]}, row
    )
    not_both = {"$not": {"$and": [one, other]}}
    assert matches(not_both, row) == matches(
        {"$or": [{"$not": one}, {"$not": other}]}, row
    )


@given(FILTERS, METADATA)
def test_not_is_the_exact_complement_and_twice_the_identity(filters, row):
    assert matches({"$not": filters}, row) is not matches(filters, row)
    assert matches({"$not": {"$not": filters}}, row) is matches(filters, row)


@given(FIELDS, VALUES, METADATA)
def test_ne_is_the_complement_of_eq(field, value, row):
    assert matches({field: {"$ne": value}}, row) is not matches(
        {field: {"$eq": value}}, row
    )


@given(FIELDS, st.lists(VALUES, max_size=4), METADATA)
def test_in_is_the_or_of_eq_and_nin_its_complement(field, values, row):
    some = any(matches({field: {"$eq": value}}, row) for value in values)
    assert matches({field: {"$in": values}}, row) is some
    assert matches({field: {"$nin": values}}, row) is not some


@given(FIELDS, SCALARS, METADATA)
def test_a_bare_scalar_is_eq(field, value, row):
    assert parse({field: value}) == parse({field: {"$eq": value}})
    assert isinstance(matches({field: value}, row), bool)


@given(FILTERS)
def test_and_or_of_one_filter_are_that_filter(filters):
    assert parse({"$and": [filters]}) == parse({"$or": [filters]}) == parse(filters)


@given(FILTERS, FILTERS, METADATA)
def test_and_or_mean_all_and_any(one, other, row):
    each = [matches(one, row), matches(other, row)]
    assert matches({"$and": [one, other]}, row) is all(each)
    assert matches({"$or": [one, other]}, row) is any(each)


@given(LEAVES, METADATA)
def test_several_keys_mean_all_of_them(filters, row):
    each = (matches({key: value}, row) for key, value in filters.items())
    assert matches(filters, row) is all(each)


@given(FIELDS, CONDITIONS, METADATA)
def test_several_operators_mean_all_of_them(field, condition, row):
    each = (matches({field: {op: value}}, row) for op, value in condition.items())
    assert matches({field: condition}, row) is all(each)


@given(VALUES, VALUES)
def test_equality_is_reflexive_and_symmetric(one, other):
    assert matches({"a": {"$eq": one}}, {"a": one})
    assert matches({"a": {"$eq": one}}, {"a": other}) is matches(
        {"a": {"$eq": other}}, {"a": one}
    )


@given(SCALARS, SCALARS)
def test_order_is_total_within_numbers_and_strings_and_false_across(one, other):
    assume(type(one) in (str, int, float))
    row = {"a": other}
    comparable = isinstance(one, str) is isinstance(other, str) and type(other) in (
        *(str, int, float),
    )
    low, equal, high = (matches({"a": {op: one}}, row) for op in ("$lt", "$eq", "$gt"))
    assert low + equal + high == comparable
    assert matches({"a": {"$lte": one}}, row) is (low or equal)
    assert matches({"a": {"$gte": one}}, row) is (high or equal)


@given(METADATA)
def test_the_empty_filter_matches_everything(row):
    assert matches({}, row)
    assert not matches({"$not": {}}, row)


@given(FILTERS)
def test_metadata_of_none_counts_as_empty(filters):
    assert matches(filters, None) is matches(filters, {})


@given(JSON, METADATA)
def test_anything_parses_or_raises_validation_error_in_one_sentence(garbage, row):
    try:
        answer = matches(garbage, row)
    except ValidationError as error:
        answer = str(error)
    assert isinstance(answer, bool) or (
        answer.startswith("filters") and answer.endswith(".")
    )


@given(FILTERS, JSON.filter(lambda v: isinstance(v, dict)))
def test_matching_never_raises(filters, row):
    assert isinstance(matches(filters, row), bool)


@given(FILTERS)
def test_filters_survive_json(filters):
    assert parse(json.loads(json.dumps(filters))) == parse(filters)


# --- cases ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "row"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": None}, {"a": None}),
        ({"a.b": 1}, {"a.b": 1}),
        ({"$price": 3}, {"$price": 3}),
        ({"$price": {"$gt": 2}}, {"$price": 3}),
        ({"a": {"$ne": 1}}, {}),
        ({"a": {"$nin": [1]}}, None),
        ({"a": {"$exists": True}}, {"a": None}),
        ({"a": {"$exists": False}}, {}),
        ({"a": {"$gt": 1, "$lte": 3}}, {"a": 3}),
        ({"$not": {"a": {"$gt": 1}}}, {"a": "2"}),
        ({"a": {"$gt": "\uffee"}}, {"a": "\U00010000"}),
        ({"a": {"$gt": 1e308}}, {"a": 10**400}),
        ({"a": {"$eq": {"x": [1, {"y": None}]}}}, {"a": {"x": [1.0, {"y": None}]}}),
        ({"a": {"$contains": "ell"}}, {"a": "hello"}),
        ({"a": {"$contains": 1.0}}, {"a": [2, 1]}),
        ({"a": {"$contains": [1]}}, {"a": [[1]]}),
        ({"a": {"$nin": []}}, {"a": 1}),
    ],
)
def test_matches(filters, row):
    assert matches(filters, row)


@pytest.mark.parametrize(
    ("filters", "row"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": False}, {"a": 0}),
        ({"a": 1}, {"a": "1"}),
        ({"a": None}, {}),
        ({"a.b": 1}, {"a": {"b": 1}}),
        ({"a": "\u00e9"}, {"a": "e\u0301"}),
        ({"a": {"$eq": [1]}}, {"a": [True]}),
        ({"a": {"$in": [1]}}, {"a": True}),
        ({"a": {"$in": []}}, {"a": 1}),
        ({"a": {"$gt": 0}}, {"a": True}),
        ({"a": {"$gt": 0}}, {"a": None}),
        ({"a": {"$lt": "b"}}, {"a": ["a"]}),
        ({"a": {"$contains": 1}}, {"a": "1"}),
        ({"a": {"$contains": 1}}, {"a": [True, [1]]}),
        ({"a": {"$contains": "k"}}, {"a": {"k": 1}}),
        ({"a": float(2**53)}, {"a": 2**53 + 1}),
    ],
)
def test_does_not_match(filters, row):
    assert not matches(filters, row)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([], "filters: expected a filter (an object), not an empty array."),
        ({"$and": []}, "filters.$and: expected a non-empty array of filters"),
        ({"$or": [1]}, "filters.$or[0]: expected a filter (an object), not a number."),
        ({"$not": None}, "filters.$not: expected a filter (an object), not null."),
        ({"$eq": 1}, 'filters: $eq belongs inside a field, as in {"<field>": {"$eq"'),
        ({"a": {}}, "filters.a: an empty object says nothing"),
        ({"a": [1]}, "filters.a: to compare with an array, write"),
        ({"a": {"$gtt": 1}}, "filters.a: '$gtt' is not an operator; did you mean $gt."),
        ({"a": {"b": 1}}, "filters.a: 'b' is not an operator; use $eq, $ne"),
        ({"a": {"$not": {"$gt": 1}}}, "filters.a: $not stands outside a field"),
        ({"a": {"$in": "x"}}, "filters.a.$in: expected an array, not a string."),
        ({"a": {"$exists": 1}}, "filters.a.$exists: expected true or false"),
        ({"a": {"$gt": True}}, "filters.a.$gt: expected a number or a string, not a b"),
        ({"a": {"$lte": None}}, "filters.a.$lte: expected a number or a string"),
        ({"a": float("nan")}, "filters.a: numbers must be finite."),
        ({"a": {"$eq": [{"x": float("inf")}]}}, "filters.a.$eq: numbers must be"),
        ({"a": object()}, "filters.a: expected a JSON value, not object."),
        ({"a": {"$eq": {1: 2}}}, "filters.a.$eq: keys are strings, not a number."),
        ({1: 2}, "filters: keys are strings, not a number."),
    ],
)
def test_malformed_filters_name_the_place_and_the_cure(filters, message):
    with pytest.raises(ValidationError) as caught:
        parse(filters)
    assert str(caught.value).startswith(message)


def test_the_tree_is_small_and_has_one_form_for_each_meaning():
    assert parse({"a": {"$ne": 1}}) == Not(Compare("a", "$eq", 1))
    assert parse({"a": {"$nin": [1]}}) == Not(Compare("a", "$in", [1]))
    assert parse({}) == And(())
    assert parse({"$or": [{"a": 1}, {"b": {"$gt": 2, "$lt": 3}}]}) == Or(
        (
            Compare("a", "$eq", 1),
            And((Compare("b", "$gt", 2), Compare("b", "$lt", 3))),
        )
    )


def nested(levels):
    filters = {"a": 1}
    for _ in range(levels - 1):
        filters = {"$not": filters}
    return filters


def test_nesting_is_bounded_in_filters_and_in_their_values():
    assert matches(nested(MAX_DEPTH), {"a": 2}) is True
    deep = []
    for _ in range(MAX_DEPTH - 3):
        deep = [deep]
    assert matches({"a": {"$eq": deep}}, {"a": deep})
    for filters in (nested(MAX_DEPTH + 1), nested(5000), {"a": {"$eq": [deep]}}):
        with pytest.raises(ValidationError, match="at most 200 levels"):
            parse(filters)


def test_messages_stay_short_whatever_the_names_in_the_filter():
    with pytest.raises(ValidationError) as caught:
        parse({"x" * 100_000: {"y" * 100_000: 1}})
    assert len(str(caught.value)) < 400
