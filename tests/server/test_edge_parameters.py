"""Query, path and header parameters."""

import json

import httpx
import pytest
from edge_testing import assert_error
from hypothesis import given
from hypothesis import strategies as st

from memio.server.errors import HttpError
from memio.server.parameters import Parameters
from memio.server.schemas import Schemas

_KNOWN = "limit, user_id, dry_run, min_score, filters"


async def test_defaults_are_filled_in_and_absent_ones_left_to_the_handler(client):
    answer = await client.get("/v1/things")
    assert answer.json() == {
        "limit": 10,
        "dry_run": False,
        "url": "/v1/things",
        "user_id": None,
        "min_score": None,
        "filters": None,
    }


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("limit=1", "limit", 1),
        ("limit=100", "limit", 100),
        ("dry_run=true", "dry_run", True),
        ("dry_run=false", "dry_run", False),
        ("min_score=0.5", "min_score", 0.5),
        ("min_score=1", "min_score", 1.0),
        ("min_score=5e-1", "min_score", 0.5),
        ("user_id=a+b%2Bc", "user_id", "a b+c"),
        ("user_id=%C3%A9", "user_id", "\u00e9"),
        ("user_id=a=b", "user_id", "a=b"),
        ("us%65r_id=x&", "user_id", "x"),
        ('filters={"a":1}', "filters", {"a": 1}),
        ("filters=%7B%7D", "filters", {}),
        (
            'filters={"$and":[{"$and":[{"a":true}]}]}',
            "filters",
            {"$and": [{"$and": [{"a": True}]}]},
        ),
        ('filters={"a":18446744073709551616}', "filters", {"a": 2**64}),
    ],
)
async def test_text_becomes_typed(client, query, name, value):
    answer = await client.get(f"/v1/things?{query}")
    assert answer.json()[name] == value
    assert type(answer.json()[name]) is type(value)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=", "query parameter limit: must be an integer"),
        ("limit", "query parameter limit: must be an integer"),
        ("limit=0", "query parameter limit: must be at least 1"),
        ("limit=101", "query parameter limit: must be at most 100"),
        ("limit=1_0", "query parameter limit: must be an integer"),
        ("limit=+5", "query parameter limit: must be an integer"),
        ("limit=%2B5", "query parameter limit: must be an integer"),
        ("limit=%205", "query parameter limit: must be an integer"),
        ("limit=5%0A", "query parameter limit: must be an integer"),
        ("limit=05", "query parameter limit: must be an integer"),
        ("limit=5.0", "query parameter limit: must be an integer"),
        ("limit=1e1", "query parameter limit: must be an integer"),
        ("limit=%D9%A5", "query parameter limit: must be an integer"),
        (f"limit={'9' * 5000}", "query parameter limit: must be an integer"),
        ("limit=5&limit=5", "query parameter limit: is given twice"),
        ("dry_run=True", "query parameter dry_run: must be true or false"),
        ("dry_run=1", "query parameter dry_run: must be true or false"),
        ("dry_run", "query parameter dry_run: must be true or false"),
        ("min_score=nan", "query parameter min_score: must be a number"),
        ("min_score=1e999", "query parameter min_score: must be a number"),
        ("min_score=.5", "query parameter min_score: must be a number"),
        ("min_score=2", "query parameter min_score: must be at most 1"),
        ("user_id=", "query parameter user_id: must not be empty"),
        ("user_id=%FF", "query parameter user_id: must be UTF-8"),
        ("%FF=1", "query: must be UTF-8"),
        ("limt=5", "query parameter limt: unknown parameter; did you mean limit?"),
        (
            "limit%00=5",
            "query parameter limit\x00: unknown parameter; did you mean limit?",
        ),
        (
            "=5",
            f"query parameter : unknown parameter; known: {_KNOWN}",
        ),
        ("filters=[]", "query parameter filters: must be a JSON object"),
        ("filters=null", "query parameter filters: must be a JSON object"),
        (
            'filters={"a":{}}',
            "query parameter filters.a: must be a string or a number or a boolean",
        ),
        ('filters={"$and":[]}', "query parameter filters.$and: must not be empty"),
        (
            'filters={"$and":[{"$and":1}]}',
            "query parameter filters.$and[0].$and: must be an array",
        ),
        (
            f'filters={{"a":"{"x" * 200}"}}',
            "query parameter filters: must have at most 200 characters",
        ),
    ],
)
async def test_what_does_not_fit_is_refused(client, query, detail):
    body = assert_error(
        await client.get(f"/v1/things?{query}"), 422, "validation_error"
    )
    assert body["detail"] == detail


@pytest.mark.parametrize("filters", ["", "{", "{'a':1}", '{"a":NaN}', "{}{}"])
async def test_filters_are_strict_json(client, filters):
    answer = await client.get("/v1/things", params={"filters": filters})
    body = assert_error(answer, 422, "validation_error")
    assert body["detail"].startswith("query parameter filters: not valid JSON: ")


async def test_an_operation_without_parameters_refuses_any(client):
    body = assert_error(await client.get("/health?x=1"), 422, "validation_error")
    assert body["detail"] == (
        "query parameter x: unknown parameter; there are none here"
    )


async def test_long_names_are_not_echoed(client):
    body = assert_error(
        await client.get(f"/health?{'x' * 999}"), 422, "validation_error"
    )
    assert len(body["detail"]) < 120


async def test_required_parameters_are_asked_for(client):
    answer = await client.get("/v1/things/1/parts/2")
    body = assert_error(answer, 422, "validation_error")
    assert body["detail"] == "query parameter verbose: is required"


@pytest.mark.parametrize("number", ["x", "1.5", "%31x", "-"])
async def test_path_parameters_are_typed_too(client, number):
    answer = await client.get(f"/v1/things/1/parts/{number}?verbose=true")
    body = assert_error(answer, 422, "validation_error")
    assert body["detail"] == "path parameter number: must be an integer"


async def test_path_parameters_are_validated(client):
    answer = await client.get(f"/v1/things/{'x' * 65}")
    body = assert_error(answer, 422, "validation_error")
    assert body["detail"] == "path parameter thing_id: must have at most 64 characters"


@pytest.mark.parametrize(
    ("prefer", "detail"),
    [
        ("x" * 21, "header parameter Prefer: must have at most 20 characters"),
        (b"\xff", "header parameter Prefer: must be UTF-8"),
    ],
)
async def test_header_parameters_are_validated(client, prefer, detail):
    answer = await client.post(
        "/v1/things", json={"content": "x"}, headers={"Prefer": prefer}
    )
    assert assert_error(answer, 422, "validation_error")["detail"] == detail


async def test_header_parameters_reach_the_handler(client):
    answer = await client.post(
        "/v1/things", json={"content": "x"}, headers={"pReFer": "return=minimal"}
    )
    assert answer.json()["prefer"] == "return=minimal"


_VALID = st.characters(exclude_categories=["Cs"])
_NAMES = st.sampled_from(["limit", "user_id", "dry_run", "min_score", "filters"])
_PAIRS = st.lists(st.tuples(_NAMES, st.text() | st.integers().map(str)))
_QUERIES = st.binary() | _PAIRS.map(
    lambda pairs: "&".join(f"{name}={text}" for name, text in pairs).encode("utf-8")
)


@pytest.fixture(scope="module")
def parameters(spec):
    return Parameters(spec, Schemas(spec), "/v1/things", "get")


@given(query=_QUERIES)
def test_any_query_is_read_or_refused_with_a_short_sentence(parameters, query):
    refusal = arguments = None
    try:
        arguments = parameters.read({"query_string": query, "memio.headers": {}})
    except HttpError as error:
        refusal = error
    if refusal is not None:
        assert refusal.error == "validation_error"
        assert len(refusal.detail) < 250
    else:
        assert 1 <= arguments["limit"] <= 100
        assert type(arguments["dry_run"]) is bool
        json.dumps(arguments, allow_nan=False)


@given(st.integers(1, 100), st.text(_VALID, min_size=1, max_size=64))
def test_what_httpx_writes_is_read_back(parameters, limit, user_id):
    query = str(httpx.QueryParams({"limit": limit, "user_id": user_id}))
    scope = {"query_string": query.encode(), "memio.headers": {}}
    arguments = parameters.read(scope)
    assert arguments == {"limit": limit, "user_id": user_id, "dry_run": False}
