"""OpenAPI 3.0 schemas, and what is said of values that they forbid."""

import time

import pytest

from memio.server.errors import HttpError
from memio.server.schemas import Schemas, draft4
from memio.server.spec import Spec

REF = "#/components/schemas/"


@pytest.fixture(scope="module")
def refusal(spec):
    """Return what validates a value and returns the refusal's sentence, or None."""
    schemas = Schemas(spec)

    def refuse(schema, value):
        try:
            schemas.compile(schema)(value, "body")
        except HttpError as error:
            return error.detail
        return None

    return refuse


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "enum": ["a"]},
        {"type": "string", "enum": ["a", None]},
        {"type": "string", "minLength": 1, "pattern": "^a$"},
        {"allOf": [{"$ref": f"{REF}Thing"}]},
        {"type": "object", "allOf": [{"$ref": f"{REF}Thing"}]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "string", "not": {"enum": [None]}},
        {"enum": ["a"]},
    ],
)
def test_null_is_allowed_where_nullable_says_so_and_nowhere_else(refusal, schema):
    inside = {"type": "array", "items": schema}
    assert refusal({**schema, "nullable": True}, None) is None
    assert refusal({**schema, "nullable": False}, None) is not None
    assert refusal({**inside, "items": {**schema, "nullable": True}}, [None]) is None
    assert refusal({**schema, "nullable": True}, 1.5) is not None


def test_nullable_beside_a_reference_is_ignored_as_openapi_says(refusal):
    assert refusal({"$ref": f"{REF}Thing", "nullable": True}, None) is not None


def test_a_property_may_have_the_name_of_a_keyword():
    properties = {"nullable": {"type": "string"}, "$ref": {"type": "string"}}
    schema = {"type": "object", "properties": properties}
    assert draft4(schema) == schema


def test_the_document_is_not_changed(spec):
    before = spec.json(secured=True)
    Schemas(spec)
    assert spec.json(secured=True) == before


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        (
            {"type": "number", "minimum": 1, "exclusiveMinimum": True},
            1,
            "must be more than 1",
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            1,
            "must be less than 1",
        ),
        ({"type": "number", "multipleOf": 2}, 3, "must be a multiple of 2"),
        (
            {"type": "array", "items": {}, "uniqueItems": True},
            [1, 1],
            "must not hold the same item twice",
        ),
        (
            {"type": "object", "maxProperties": 1},
            {"a": 1, "b": 2},
            "must have at most 1 fields",
        ),
        ({"type": "string", "pattern": "^a{2}$"}, "b", "must match the pattern ^a{2}$"),
        ({"type": "string", "format": "email"}, "b", "must be of the format email"),
        ({"not": {"type": "string"}}, "b", "is not valid here"),
        ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, "b", "is not valid here"),
        (
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {}}]},
            1,
            "must be a string or an array",
        ),
        ({"enum": [1, None, "a"]}, 2, "must be one of 1, null, a"),
    ],
)
def test_sentences(refusal, schema, value, sentence):
    assert refusal(schema, value) == f"body: {sentence}"


def test_of_the_branches_the_one_that_came_furthest_is_told(refusal):
    thing = {"$ref": f"{REF}Thing"}
    schema = {"anyOf": [{"type": "string"}, thing, {"type": "integer"}]}
    assert refusal(schema, {"content": ""}) == "body.content: must not be empty"
    assert refusal(schema, []) == "body: must be a string or an object or an integer"


def test_an_object_that_takes_nothing_says_so(refusal):
    schema = {"type": "object", "additionalProperties": False}
    assert refusal(schema, {"a": 1}) == "body: must not have any fields"


def test_places_are_short_whatever_the_names(refusal):
    filters = {"$ref": f"{REF}Filters"}
    assert len(refusal(filters, {"x" * 10_000: None})) < 120
    deep: object = 1
    for _ in range(150):
        deep = {"$and": [deep]}
    assert len(refusal(filters, deep)) < 120


def test_deep_and_wide_values_are_judged_in_no_time(refusal):
    filters = {"$ref": f"{REF}Filters"}
    deep: object = {"a": "b"}
    for _ in range(190):
        deep = {"$and": [deep]}
    many = {"type": "array", "items": {"$ref": f"{REF}Thing"}}
    started = time.perf_counter()
    assert refusal(filters, deep) is None
    assert refusal(many, [{}] * 300_000) == "body[0].content: is required"
    assert time.perf_counter() - started < 1


def test_a_document_without_components_has_no_schemas():
    spec = Spec.parse(b"{openapi: 3.0.3}")
    assert "Filters" not in Schemas(spec)
