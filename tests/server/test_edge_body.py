"""Request bodies: media type, syntax, schema."""

import pytest
from edge_testing import assert_error, connect

GOOD = b'{"content": "x"}'


async def post(client, content, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/things", content=content, headers=names)


@pytest.mark.parametrize(
    "body",
    [
        {"content": "x"},
        {"content": "x" * 100_000},
        {"content": "\u0000\u2028\U0001f600"},
        {"content": "x", "size": None, "mode": None, "metadata": None},
        {"content": "x", "size": 3, "mode": "hybrid", "metadata": {"a": [1.5, None]}},
        {"content": "x", "metadata": {"n": 2**80, "f": 1.0, "i": 1}},
        {"content": "x", "at": "2026-01-31T12:00:00.5+01:00"},
        {"content": "x", "parts": [{"role": "a"}, {"role": "b", "more": 1}]},
    ],
)
async def test_a_valid_body_reaches_the_handler_as_given(client, body):
    answer = await client.post("/v1/things", json=body)
    assert answer.status_code == 201
    assert answer.json()["body"] == body


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=bogus",
        None,
    ],
)
async def test_json_is_known_by_any_spelling_of_its_type(client, kind):
    headers = {"Content_Type": kind} if kind else {}
    assert (await post(client, GOOD, **headers)).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "application/jsonx"},
        {"Content_Type": "application/json+x"},
        {"Content_Type": ""},
        {"Content_Type": b"\xff"},
        {"Content_Encoding": "gzip"},
    ],
)
async def test_other_media_types_are_415(client, headers):
    answer = await post(client, GOOD, **headers)
    assert_error(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content",
    [
        b" ",
        b"{",
        GOOD + b"x",
        b'{"content": NaN}',
        b'{"content": "\xff"}',
        b'{"content": "\\ud800"}',
        b'{"content": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        '{"content": "x"}'.encode("utf-16"),
        b"content=x",
    ],
)
async def test_what_is_not_json_is_422(client, content):
    body = assert_error(await post(client, content), 422, "validation_error")
    assert body["detail"].startswith("body: not valid JSON: ")
    assert len(body["detail"]) < 120


async def test_deep_nesting_is_422(client):
    content = b'{"content":"x","metadata":' + b'{"a":' * 300 + b"1" + b"}" * 301
    body = assert_error(await post(client, content), 422, "validation_error")
    assert body["detail"] == "body: nested deeper than 200 levels"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "body: is required"),
        (b"{}", "body.content: is required"),
        (b"[]", "body: must be an object"),
        (b"null", "body: must be an object"),
        (b'{"content": 1}', "body.content: must be a string"),
        (b'{"content": ""}', "body.content: must not be empty"),
        (
            b'{"contnt": 1, "content": "x"}',
            "body.contnt: unknown field; did you mean content?",
        ),
        (
            b'{"content": "x", "zzzz": 1}',
            "body.zzzz: unknown field; known: content, size, mode, at, metadata, parts",
        ),
        (b'{"content": "x", "size": 10.0}', "body.size: must be an integer or null"),
        (b'{"content": "x", "size": -1}', "body.size: must be at least 0"),
        (b'{"content": "x", "size": true}', "body.size: must be an integer or null"),
        (
            b'{"content": "x", "mode": "fast"}',
            "body.mode: must be one of hybrid, keyword, null",
        ),
        (
            b'{"content": "x", "at": "yesterday"}',
            "body.at: must be a date and time with zone, such as 2026-01-31T12:00:00Z",
        ),
        (b'{"content": "x", "at": null}', "body.at: must be a string"),
        (
            b'{"content": "x", "metadata": 3}',
            "body.metadata: must be an object or null",
        ),
        (
            b'{"content": "x", "parts": [{"role": ""}]}',
            "body.parts[0].role: must not be empty",
        ),
        (
            b'{"content": "x", "parts": [{"role": "a"}, {}]}',
            "body.parts[1].role: is required",
        ),
        (
            b'{"content": "x", "parts": [1,2,3,4]}',
            "body.parts: must have at most 3 items",
        ),
    ],
)
async def test_what_the_schema_forbids_is_422_and_named(client, content, detail):
    body = assert_error(await post(client, content), 422, "validation_error")
    assert body["detail"] == detail


async def test_refusals_do_not_echo_values(client):
    for name in ("content", "size", "mode", "at", "metadata", "parts"):
        content = {"content": "x", name: {"secret": "secret"}}
        if name == "metadata":
            content[name] = ["secret"]
        answer = await client.post("/v1/things", json=content)
        assert "secret" not in assert_error(answer, 422, "validation_error")["detail"]


async def test_an_optional_body_may_be_left_out(client):
    answer = await client.post("/v1/things/search")
    assert answer.json() == {"body": "no body"}
    answer = await client.post("/v1/things/search", json={"filters": None})
    assert answer.json() == {"body": {"filters": None}}
    answer = await client.post("/v1/things/search", json={"filters": {"$and": 1}})
    assert assert_error(answer, 422, "validation_error")["detail"] == (
        "body.filters.$and: must be an array"
    )


async def test_a_body_that_no_operation_takes_is_ignored(client):
    answer = await client.request(
        "GET", "/v1/things/7", content=b"{", headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("declared", [True, False])
async def test_the_limit_counts_bytes(make_app, declared):
    async def chunks(content):
        for byte in content:
            yield bytes([byte])

    async with connect(make_app(body_limit=len(GOOD))) as client:
        for content, status in ((GOOD, 201), (GOOD + b" ", 413)):
            answer = await post(client, content if declared else chunks(content))
            assert answer.status_code == status
    body = assert_error(answer, 413, "payload_too_large")
    assert body["detail"] == "The body is longer than 16 bytes; send less at once."


async def test_media_type_and_size_come_before_parameters(client):
    for headers, status in (
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Length": str(2**21)}, 413),
        ({"Content-Length": "9" * 5000}, 413),
        ({}, 422),
    ):
        answer = await client.post("/v1/things?x=1", content=b"{", headers=headers)
        assert answer.status_code == status
