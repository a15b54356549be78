"""The contract that a server shows is the one in the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memio.server.spec import Spec
from tests.contract import Api
from tests.serving import Server


def shown(server: Server) -> dict[str, Any]:
    with Api(base_url=server.url) as api:
        answer = api.get("/openapi.json")
        assert answer.headers["etag"]
        document: dict[str, Any] = json.loads(answer.content)
        return document


def test_the_yaml_is_the_file_byte_for_byte(
    server: Server, locked: Server, root: Path
) -> None:
    """With its comments and its order, whether or not there is a key."""
    for each in (server, locked):
        with Api(base_url=each.url) as api:
            served = api.get("/openapi.yaml").content
        assert served == (root / "openapi.yaml").read_bytes()


def test_the_json_of_a_locked_server_is_the_file(locked: Server) -> None:
    assert shown(locked) == Spec.load().document


def test_the_json_of_an_open_server_asks_for_no_key(server: Server) -> None:
    """Or a generated client would send one, and a fuzzer expect a refusal."""
    document = Spec.load().document
    assert document["security"] != []
    assert shown(server) == {**document, "security": []}
