"""An answer's head waits for its body, but not for long, and is never lost."""

import asyncio
import socket

import uvicorn
from edge_testing import serve

from memio.server.protocol import StrictProtocol


async def _slow(scope, _, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    body = b"HTTP/1.1 " + b"x" * 10
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"end"})


def _ask(port: int, path: str) -> list[bytes]:
    """Return what is received, part by part, until the server closes."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(request.encode())
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return parts


def _serve_strictly(monkeypatch):
    config = uvicorn.Config

    def strict(*args, **options):
        return config(*args, **{**options, "http": StrictProtocol, "lifespan": "off"})

    monkeypatch.setattr(uvicorn, "Config", strict)
    return serve(_slow)


def test_a_head_does_not_wait_for_a_slow_body(monkeypatch):
    with _serve_strictly(monkeypatch) as port:
        first, *rest = _ask(port, "/slow")
    assert first.endswith(b"\r\n\r\n")
    assert b"HTTP/1.1 xxxxxxxxxx" in b"".join(rest)
    assert b"end" in b"".join(rest)


def test_head_and_body_come_whole_and_in_order(monkeypatch):
    with _serve_strictly(monkeypatch) as port:
        whole = b"".join(_ask(port, "/quick"))
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b"13\r\nHTTP/1.1 xxxxxxxxxx\r\n3\r\nend\r\n0\r\n\r\n"
