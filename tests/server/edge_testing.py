"""Helpers of the edge tests: a store, a client, a server, the shape of errors."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from memio.server.protocol import StrictProtocol

KEY = "a key: \u00e9"
SPEC = Path(__file__).with_name("edge.yaml")


class StubFacts:
    """A fact store of which only the life time matters."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.events: list[str] = []

    async def open(self) -> None:
        if self.broken:
            raise RuntimeError("the disk is full")
        self.events.append("open")

    async def close(self) -> None:
        self.events.append("close")

    async def _never(self, **_: Any) -> Any:
        raise AssertionError

    ping = add = get = get_all = search = update = delete = delete_all = _never


def connect(app: Any, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, **options), base_url="http://edge"
    )


@contextlib.contextmanager
def serve(app: Any, **options: Any) -> Iterator[int]:
    """Serve in a thread; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    defaults = {"http": StrictProtocol, "ws": "none", "lifespan": "on"}
    quiet = {"log_config": None, "access_log": False, "server_header": False}
    config = uvicorn.Config(app, **{**defaults, **quiet, **options})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        assert server.started
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def assert_error(answer: httpx.Response, status: int, error: str) -> dict:
    """Check that an answer is an error of the one shape; returns its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    body = answer.json()
    assert list(body) == ["error", "detail", "provider", "operation"]
    assert body["error"] == error
    assert body["detail"]
    return body
