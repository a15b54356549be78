"""Servers that fail in every way that a provider's server may, on a real socket.

``faulty(kind)`` is a server that only fails. ``breakable(url)`` is a proxy before a
server that works: it passes everything on until its ``fault`` is set, for SDKs that
talk to their server while they are made.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

REFUSED: Final = "refused"
"""Nobody listens at the address."""

FAULTS: Final = (
    "401",  # with a JSON body, as are all with a number
    "403",
    "404",
    "429",  # with Retry-After: 0, so that whoever repeats does so at once
    "500",
    "503",
    "garbage",  # bytes that are not HTTP
    "half",  # a response that ends in the middle of its body
    "hang",  # a request is read and never answered
    "html",  # 200 OK and a page instead of JSON
    "reset",  # the connection is reset instead of answered
    "slow",  # a byte now and then, for ever: each read succeeds, the whole never does
    REFUSED,
)
"""Every kind of fault."""

LATE: Final = ("hang", "slow")
"""Faults of which only a deadline tells."""

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, fault: str | None, upstream: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault, self.upstream = fault, urlsplit(upstream).netloc
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: here clients are right to go away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.fault
        if fault is None:
            self._pass_on(body)
        elif fault.isdigit():
            self._send(int(fault), "application/json", b'{"error": "a fault"}')
        else:
            self.close_connection = True
            getattr(self, f"_{fault}")()

    # http.server looks for these names.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def _pass_on(self, body: bytes) -> None:
        upstream = HTTPConnection(self.server.upstream, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    def _garbage(self) -> None:
        self.wfile.write(b"\x00\xff SSH-2.0 \x1b[2J\r\n\r\n" * 20)

    def _half(self) -> None:
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b'Content-Length: 4096\r\n\r\n{"result": [{"id": "'
        )

    def _hang(self) -> None:
        self.server.stopped.wait(120)

    def _html(self) -> None:
        self._send(200, "text/html", b"<!doctype html><title>Log in</title>")

    def _reset(self) -> None:
        # Lingering for no time at all makes closing a reset.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    _refused = _reset  # on a connection that was open before

    def _slow(self) -> None:
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        while not self.server.stopped.wait(0.05):
            self.wfile.write(b" ")


class Breakable:
    """A proxy that can be broken.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.url = server.url

    @property
    def fault(self) -> str | None:
        """What it does wrong from the next request on; None for nothing."""
        return self._server.fault

    @fault.setter
    def fault(self, kind: str | None) -> None:
        self._server.fault = kind
        if kind == REFUSED:
            self._server.shutdown()
            self._server.server_close()


@contextmanager
def _running(server: _Server) -> Iterator[_Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def faulty(kind: str) -> Iterator[str]:
    """Give the base URL, "http://127.0.0.1:PORT", of a server with this fault."""
    if kind not in FAULTS:
        raise ValueError(f"{kind} is none of {FAULTS}")
    with _running(_Server(kind)) as server:
        if kind == REFUSED:
            Breakable(server).fault = REFUSED
        yield server.url


@contextmanager
def breakable(upstream: str) -> Iterator[Breakable]:
    """Give a proxy before the server at ``upstream``, a base URL with no path."""
    with _running(_Server(None, upstream)) as server:
        yield Breakable(server)
