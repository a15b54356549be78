"""What handlers return becomes an answer."""

import pytest
from edge_testing import assert_error


@pytest.mark.parametrize(
    ("kind", "status", "body", "media_type"),
    [
        ("none", 204, b"", None),
        ("none-200", 200, b"", None),
        ("value", 202, b'{"a":1180591620717411303424}', "application/json"),
        ("status", 206, b'"x"', "application/json"),
        ("headers", 200, b"[]", "application/json"),
        ("response", 203, b"plain", "text/plain; charset=utf-8"),
        ("streamed", 200, b"ab", None),
    ],
)
async def test_results_become_answers(client, kind, status, body, media_type):
    answer = await client.get(f"/v1/answers/{kind}")
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("content-type") == media_type
    if status != 204 and kind != "streamed":
        assert answer.headers["content-length"] == str(len(body))


async def test_an_answer_of_no_content_has_no_content_headers(client):
    answer = await client.get("/v1/answers/none")
    assert list(answer.headers) == ["x-request-id"]


async def test_a_handler_may_ask_for_the_url_as_it_was_sent(client):
    answer = await client.get("/v1/answers/headers?q=a%20b+c%C3%A9")
    assert answer.headers["link"] == "</v1/answers/headers?q=a%20b+c%C3%A9>"


@pytest.mark.parametrize("kind", ["split", "unwritable", "no-such-kind"])
async def test_results_that_cannot_be_sent_are_500(client, kind):
    answer = await client.get(f"/v1/answers/{kind}")
    assert_error(answer, 500, "internal_error")
    assert "set-cookie" not in answer.headers


async def test_a_declared_status_is_the_default_one(client):
    assert (await client.get("/v1/answers/value")).status_code == 202
    assert (await client.get("/v1/things")).status_code == 200


async def test_204_for_nothing_though_nothing_is_declared_else(client):
    assert (await client.delete("/v1/things/7")).status_code == 204
    assert_error(await client.delete("/v1/things/missing"), 404, "not_found")
