"""HTTP/1.1 for uvicorn: lean, strict about heads, and done with an answer in one write.

uvicorn stays the server; this takes the place of its protocol, of which it keeps what
the server relies on: its state, the keep-alive time, how it shuts down.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextvars import copy_context
from typing import Any, ClassVar, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from memio.server.deadline import Deadline
from memio.server.exchange import Exchange
from memio.server.wire import Wire, last_words

_log = logging.getLogger("uvicorn.error")

_INVALID = b"Invalid HTTP request received."
_TOO_LONG = b"The head of the request is too long."


class StrictProtocol(asyncio.Protocol):
    """One connection: reads requests, has them answered in their order.

    Requests that are sent ahead are parsed but wait for the answers before theirs.

    A connection on which no head is complete in time is closed without an answer, since
    nothing was asked. The time runs from the connection, or from the first bytes after
    an answer; until those come, the shorter keep-alive time runs.

    A wish to upgrade is not granted, and the request is read as if it had none: the
    parser would take the body for another protocol, or for the next request. Clients
    such as Java's wish for h2c with every request.

    Attributes:
        head_seconds: How long a head may take.
        head_limit: How many bytes it may have; the longest of the contract fits.
    """

    head_seconds: ClassVar[float] = 10.0
    head_limit: ClassVar[int] = 128 * 1024

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._app = cast("ASGIApp", config.loaded_app)
        self._app_state = app_state
        self._root_path = config.root_path
        self._keep_alive_seconds = config.timeout_keep_alive
        self._asgi = {"version": config.asgi_version, "spec_version": "2.3"}
        self._server_state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._wire: Wire
        self._scope: dict[str, Any] = {}  # what requests on this connection share
        self._context = copy_context()

        self._parser = httptools.HttpRequestParser(self)
        # Or a request sent ahead would spoil the answer to one that is to be the last.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_upgrade = False
        self._unread = 0  # bytes since the parser last had something to tell

        self._newest: Exchange | None = None
        self._running: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._refusal = b""  # of what came after the requests that wait

        self._head_began = False
        self._deadline = Deadline(self._loop, self._close)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = Wire(
            cast("asyncio.Transport", transport), self._loop, self._server_state
        )
        secure = transport.get_extra_info("sslcontext") is not None
        self._scope = {
            "type": "http",
            "asgi": self._asgi,
            "scheme": "https" if secure else "http",
            "server": _address(transport.get_extra_info("sockname")),
            "client": _address(transport.get_extra_info("peername")),
            "root_path": self._root_path,
        }
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # it says: one of uvicorn's own
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._server_state.connections.discard(self)
        self._waiting.clear()
        if self._running is not None:
            self._running.disconnect()
        self._wire.resume()
        self._deadline.end()
        del self._parser  # which holds on to this

    def pause_writing(self) -> None:
        self._wire.pause()

    def resume_writing(self) -> None:
        self._wire.resume()

    def shutdown(self) -> None:
        """Close when the requests that were read are answered; uvicorn calls it."""
        if self._is_idle:
            self._close()
        elif self._newest is not None:
            self._newest.keep_alive = False

    @property
    def _is_idle(self) -> bool:
        return self._newest is None or self._newest.complete

    def _close(self) -> None:
        self._wire.transport.close()

    # Reading.

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        while data:
            data = self._parse(data)
        if self._newest is None or self._newest.complete:
            if not self._head_began:
                self._await_head()
            if self._unread > self.head_limit:
                self._refuse(_TOO_LONG)
        elif self._unread > self.head_limit:  # in a head sent ahead, or in trailers
            self._close()

    def _parse(self, data: bytes) -> bytes:
        """Parse, and return what is to be parsed next."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as news:
            if self._is_upgrade:
                return self._head_without_upgrade() + data[news.args[0] :]
        except httptools.HttpParserError:
            _log.warning("Invalid HTTP request received.")
            self._refuse(_INVALID)
        return b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._unread = 0
        parser = self._parser
        if parser.should_upgrade():
            self._is_upgrade = any(name == b"upgrade" for name, _ in self._headers)
            if self._is_upgrade:
                return
        self._head_began = False
        self._deadline.lift()
        url, self._url = self._url, b""
        headers, self._headers = self._headers, []
        version = parser.get_http_version()
        path, query = _split(url)
        if self._root_path:
            path = self._root_path.encode() + path
        text = path.decode("ascii")
        scope = self._scope.copy()
        scope["http_version"] = version
        scope["method"] = parser.get_method().decode("ascii")
        scope["path"] = unquote(text) if "%" in text else text
        scope["raw_path"] = path
        scope["query_string"] = query
        scope["headers"] = headers
        scope["state"] = self._app_state.copy()
        exchange = Exchange(
            self._wire,
            scope,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_complete=self._on_answered,
        )
        is_first = self._newest is None or self._newest.complete
        self._newest = exchange
        if is_first:
            self._begin(exchange)
        else:
            self._wire.pause_reading()
            self._waiting.append(exchange)

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        if self._newest is not None:
            self._newest.add_body(body)

    def on_message_complete(self) -> None:
        if self._newest is not None and not self._is_upgrade:
            self._headers = []  # without the trailers
            self._newest.end_body()

    def _head_without_upgrade(self) -> bytes:
        version = self._parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self._parser.get_method(), self._url, version)]
        lines += [b"%s: %s" % pair for pair in self._headers if pair[0] != b"upgrade"]
        self._url, self._headers, self._is_upgrade = b"", [], False
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self, reason: bytes) -> None:
        """Answer what is no request, after the requests before it, and close."""
        newest = self._newest
        if newest is None or newest.complete:
            self._say_goodbye(reason)
        elif not newest.more_body:  # what came after it is at fault
            self._refusal = reason
            self._wire.pause_reading()
        elif newest is self._running:
            self._say_goodbye(b"" if newest.started else reason)
        else:
            self._waiting.pop()
            self._refusal = reason

    def _say_goodbye(self, reason: bytes) -> None:
        transport = self._wire.transport
        if transport.is_closing():
            return
        if reason:
            head, _ = self._wire.head(400, last_words(reason))
            transport.write(head + b"\r\n" + reason)
        transport.close()

    # Answering.

    def _begin(self, exchange: Exchange) -> None:
        self._running = exchange
        tasks = self._server_state.tasks
        # Of the connection: this may be called within the request before.
        context = self._context.copy()
        exchange.task = self._loop.create_task(
            exchange.run(self._app, tasks), context=context
        )
        tasks.add(exchange.task)

    def _on_answered(self) -> None:
        self._server_state.total_requests += 1
        if self._wire.transport.is_closing():
            return
        if self._waiting:
            self._begin(self._waiting.popleft())
        elif self._refusal:
            self._say_goodbye(self._refusal)
        else:
            self._wire.resume_reading()
            self._head_began = False
            self._deadline.set(self._keep_alive_seconds)

    def _await_head(self) -> None:
        self._head_began = True
        self._deadline.set(self.head_seconds)


def _split(url: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request's target.

    Raises:
        HttpParserInvalidURLError: It has no path.
    """
    if url.startswith(b"/") and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    parsed = httptools.parse_url(url)
    return parsed.path, parsed.query or b""


def _address(name: Any) -> tuple[str, int] | None:
    is_inet = isinstance(name, tuple)
    return (str(name[0]), int(name[1])) if is_inet else None
