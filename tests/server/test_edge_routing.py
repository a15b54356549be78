"""Which operation answers which method and path."""

import httpx
import pytest
from edge_testing import assert_error, connect, serve
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from memio.server.routing import _Node


@pytest.mark.parametrize(
    ("path", "thing_id"),
    [
        ("/v1/things/7", "7"),
        ("/v1/things/AC%2FDC", "AC/DC"),
        ("/v1/things/a%20b", "a b"),
        ("/v1/things/a+b", "a+b"),
        ("/v1/things/%C3%A9", "\u00e9"),
        ("/v1/things/%2e%2e", ".."),
        ("/v1/things/100%25", "100%"),
        ("/v1/things/%252F", "%2F"),
        ("/v1/%74hings/7", "7"),
    ],
)
async def test_an_id_may_hold_any_character(client, path, thing_id):
    answer = await client.get(path)
    assert answer.json() == {"thing_id": thing_id}


async def test_an_id_that_is_not_utf8_is_not_valid(client):
    body = assert_error(await client.get("/v1/things/%FF"), 422, "validation_error")
    assert body["detail"] == "path parameter thing_id: must be UTF-8"


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/things/",
        "/v1/things//",
        "//v1/things",
        "/v1/things/7/parts",
        "/v1%2Fthings",
        "/V1/things",
        "/nothing",
        "/docs/",
        "/docs/assets",
        "/docs/assets/",
        "/docs/assets/docs.html",
        "/docs/assets/../docs.html",
        "/docs/assets/..%2fdocs.py",
        "/docs/assets/LICENSE",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_other_paths_are_404_with_a_key_and_without(client, locked, method, path):
    for server in (client, locked):
        assert_error(await server.request(method, path), 404, "not_found")


async def test_a_literal_beats_a_parameter(client):
    answer = await client.get("/v1/things/search")
    assert_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert (await client.get("/v1/things/all/parts")).json() == {"rest": "parts"}


async def test_a_literal_that_leads_nowhere_gives_way_to_the_parameter(client):
    assert (await client.get("/v1/things/all")).json() == {"thing_id": "all"}
    answer = await client.get("/v1/things/all/parts/3?verbose=true")
    assert answer.json() == ["all", 3, True]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "BREW"])
async def test_405_names_every_method_there_is(client, method):
    answer = await client.request(method, "/v1/things/7")
    assert_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


async def test_routing_comes_before_the_key(locked):
    answer = await locked.put("/v1/things/7")
    assert_error(answer, 405, "method_not_allowed")


async def test_options_tells_the_methods_without_a_key(locked):
    answer = await locked.options("/v1/things")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/v1/things/7", "/openapi.json", "/docs/assets/docs.js", "/v1/things?a=1"]
)
async def test_head_is_get_without_the_body(client, path):
    get, head = await client.get(path), await client.head(path)
    assert head.content == b""
    for answer in (get, head):
        del answer.headers["x-request-id"]
    assert (head.status_code, head.headers) == (get.status_code, get.headers)


async def test_a_server_without_raw_path_is_served_too(open_app):
    async def without_raw_path(scope, receive, send):
        scope.pop("raw_path", None)
        await open_app(scope, receive, send)

    async with connect(without_raw_path) as client:
        answer = await client.get("/v1/things/a%20b")
        assert answer.json() == {"thing_id": "a b"}


@pytest.mark.parametrize("mount", ["/memio", "/two words", "/a/b"])
async def test_it_may_be_mounted(open_app, mount):
    async with connect(Starlette(routes=[Mount(mount, app=open_app)])) as client:
        answer = await client.get(f"{mount}/v1/things?limit=3")
        assert answer.json()["url"] == str(httpx.URL(f"{mount}/v1/things?limit=3"))
        assert (await client.get(f"{mount}/docs/assets/docs.js")).status_code == 200
        assert_error(await client.get(f"{mount}/v1/nothing"), 404, "not_found")


def test_a_proxy_prefix_is_part_of_the_url(open_app):
    with serve(open_app, root_path="/memio") as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/things?limit=3")
        assert answer.json()["url"] == "/memio/v1/things?limit=3"
        redirect = httpx.get(f"http://127.0.0.1:{port}/")
        assert (redirect.status_code, redirect.headers["location"]) == (307, "docs")


def _tree(templates: list[tuple[str, ...]]) -> _Node:
    root = _Node()
    for template in templates:
        node = root
        for segment in template:
            if segment == "{}":
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        node.template = "/".join(template)
        node.operations["GET"] = [], {}
    return root


_SEGMENT = st.sampled_from(["a", "b", "{}"])
_TEMPLATES = st.lists(st.lists(_SEGMENT, min_size=1, max_size=4).map(tuple))


@given(_TEMPLATES, st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=4))
def test_the_most_literal_template_that_fits_is_found(templates, path):
    fitting = [
        template
        for template in templates
        if len(template) == len(path)
        and all(
            t == p or (t == "{}" and p) for t, p in zip(template, path, strict=True)
        )
    ]
    # "{}" sorts behind every literal.
    expected = "/".join(min(fitting)) if fitting else None
    values: list[str] = []
    found = _tree(templates).find(path, 0, values)
    assert (found.template if found else None) == expected
    if found:
        assert len(values) == expected.count("{}")
