"""The contract and its page, served without any other server."""

import json
import re

import pytest
import yaml
from edge_testing import assert_error

from memio.server.docs import ASSETS


async def test_the_yaml_is_the_file_byte_for_byte(client, spec):
    answer = await client.get("/openapi.yaml")
    assert answer.content == spec.source
    assert answer.headers["content-type"] == "application/yaml"


async def test_the_json_says_the_same(locked, spec):
    answer = await locked.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said == spec.document
    at = said["components"]["schemas"]["Thing"]["properties"]["at"]
    assert at["example"] == "2026-01-31T12:00:00Z"


async def test_without_a_key_the_json_asks_for_none(client, spec):
    said = (await client.get("/openapi.json")).json()
    assert said == {**spec.document, "security": []}
    assert spec.document["security"] == [{"bearerAuth": []}]


@pytest.mark.parametrize(
    "path", ["/openapi.json", "/openapi.yaml", "/docs", "/docs/assets/docs.js"]
)
async def test_who_has_it_already_does_not_get_it_again(client, path):
    first = await client.get(path)
    etag = first.headers["etag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    other = await client.get(path, headers={"If-None-Match": '"x"'})
    assert other.content == first.content


async def test_the_page_needs_nothing_but_this_server(client):
    page = (await client.get("/docs")).text
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(not link.startswith(("http", "//", "/")) for link in links)
    assets = [link for link in links if link.startswith("docs/assets/")]
    assert {link.rpartition("/")[2] for link in assets} == set(ASSETS)
    for link in [*assets, "openapi.yaml"]:
        assert (await client.get(f"/{link}")).status_code == 200
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|style=", page)


@pytest.mark.parametrize(
    "path", ["/docs", *(f"/docs/assets/{name}" for name in ASSETS)]
)
async def test_the_page_may_load_nothing_from_elsewhere(client, path):
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "http" not in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


async def test_assets_have_their_media_types(client):
    for name, media_type in ASSETS.items():
        answer = await client.get(f"/docs/assets/{name}")
        assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"


async def test_assets_can_only_be_read(client):
    answer = await client.post("/docs/assets/docs.js")
    assert_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_the_root_leads_to_the_page_relatively(client):
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "docs")


def test_the_document_is_read_as_json_would_be(spec):
    # YAML itself would make a date of the example.
    assert "datetime" in str(yaml.safe_load(spec.source))
    assert "datetime" not in str(spec.document)
    assert json.loads(spec.json(secured=True)) == spec.document
