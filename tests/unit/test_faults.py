"""The faults that providers' tests use are what their names say."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.standins.faults import FAULTS, REFUSED, breakable, faulty

RAISED = {
    "garbage": httpx.RemoteProtocolError,
    "half": httpx.RemoteProtocolError,
    "hang": httpx.ReadTimeout,
    "reset": httpx.ReadError,
    REFUSED: httpx.ConnectError,
}


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "slow"])
def test_a_fault_is_what_its_name_says(kind):
    with faulty(kind) as url, httpx.Client(base_url=url, timeout=0.3) as client:
        if kind in RAISED:
            with pytest.raises(RAISED[kind]):
                client.post("/anything", json={"a": 1})
        else:
            answer = client.post("/anything", json={"a": 1})
            assert answer.status_code == (200 if kind == "html" else int(kind))


def test_a_slow_answer_outlasts_timeouts_between_bytes():
    started = time.monotonic()
    with (
        faulty("slow") as url,
        httpx.stream("GET", url, timeout=0.3) as answer,
    ):
        for _ in answer.iter_raw(1):
            if time.monotonic() - started > 1:
                break
    assert time.monotonic() - started > 1


def test_unknown_faults_are_refused():
    with pytest.raises(ValueError, match="none of"), faulty("404 not found"):
        pass


def test_a_proxy_works_until_it_is_broken():
    with faulty("html") as upstream, breakable(upstream) as proxy:
        with httpx.Client(base_url=proxy.url) as client:
            assert "Log in" in client.post("/", json={"a": 1}).text
            proxy.fault = "500"
            assert client.get("/").status_code == 500
            proxy.fault = None
            assert client.get("/").status_code == 200
            proxy.fault = REFUSED
            with pytest.raises(httpx.ReadError):
                client.get("/")
        with pytest.raises(httpx.ConnectError):
            httpx.get(proxy.url)
