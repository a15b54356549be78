"""Who is let in."""

import pytest
from edge_testing import KEY, assert_error, connect

from memio.server import EdgeSettings

OPEN = ["/health", "/openapi.json", "/openapi.yaml", "/docs", "/docs/assets/docs.js"]


def bearer(key: str, scheme: str = "Bearer") -> dict:
    return {"Authorization": f"{scheme} {key}".encode()}


@pytest.mark.parametrize("key", [KEY, "another"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_every_key_opens(locked, key, scheme):
    answer = await locked.get("/v1/things/7", headers=bearer(key, scheme))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": ""},
        {"Authorization": KEY.encode()},
        {"Authorization": b"Basic YTpi"},
        {"Authorization": b"Bearer \xff"},
        bearer(KEY[:-1]),
        bearer(KEY + "x"),
        bearer("another,x"),
        bearer("ANOTHER"),
    ],
)
async def test_anything_else_is_refused(locked, headers):
    answer = await locked.get("/v1/things/7", headers=headers)
    assert_error(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text


@pytest.mark.parametrize("path", OPEN)
async def test_open_operations_need_no_key(locked, path):
    assert (await locked.get(path)).status_code == 200


async def test_without_keys_everything_is_open(client):
    for headers in ({}, bearer("whatever")):
        answer = await client.get("/v1/things/7", headers=headers)
        assert answer.status_code == 200


async def test_the_key_comes_before_everything_about_the_request(locked):
    answer = await locked.post(
        "/v1/things?x=1", content=b"{", headers={"Content-Type": "text/plain"}
    )
    assert_error(answer, 401, "unauthorized")


async def test_no_body_is_read_before_the_key_is_checked(locked_app):
    async def refuse():
        raise AssertionError("the body was read")
        yield b""

    async with connect(locked_app) as client:
        answer = await client.post("/v1/things", content=refuse())
    assert_error(answer, 401, "unauthorized")


@pytest.mark.parametrize("keys", [("",), ("a", " ")])
def test_an_empty_key_is_no_key(keys):
    with pytest.raises(ValueError, match="an API key is empty"):
        EdgeSettings(api_keys=keys)


def test_keys_do_not_show():
    assert "secret" not in repr(EdgeSettings(api_keys=("secret",)))
