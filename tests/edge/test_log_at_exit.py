"""The request log of a real server, whole when the server is stopped."""

import re

import httpx
import pytest

from tests.serving import Server


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["1", "2 workers"])
def test_every_answered_request_has_a_line_after_sigterm(tmp_path, arguments):
    with Server(tmp_path, arguments=arguments) as server:
        ids = [f"r{number}" for number in range(40)]
        with httpx.Client(base_url=server.url) as client:
            for name in ids:
                client.get("/health", headers={"X-Request-ID": name})
            server.process.terminate()
    told = re.findall(r"request_id=(r\d+) method=GET route=/health", server.log)
    assert told == ids
