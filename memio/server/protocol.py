"""What uvicorn's HTTP/1.1 lacks: bounded heads, bodies beside an Upgrade, one write."""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, Transport
from typing import Any, ClassVar, cast

from httptools import HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class _JoinedWrites:
    """A transport that sends the head of an answer together with its body.

    uvicorn writes them one after the other, and each write is a system call. A head
    whose body is not there yet is sent when the event loop comes round.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            data = self._head + data
            self._head = b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            self._transport.write(self._head)
            self._head = b""


class StrictProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with an end to heads that do not end.

    A connection on which none is complete in time is closed without an answer, since
    nothing was asked. The time runs from the connection, or from the first bytes after
    an answer; until those come, uvicorn's own and shorter one runs.

    A wish to upgrade is not granted, and the request is read as if it had none: the
    parser would take the body for another protocol, or for the next request. Clients
    such as Java's wish for h2c with every request.

    Attributes:
        head_seconds: How long a head may take.
        head_limit: How many bytes it may have; the longest of the contract fits.
    """

    head_seconds: ClassVar[float] = 10.0
    head_limit: ClassVar[int] = 128 * 1024

    _deadline: TimerHandle | None = None
    _data = _unparsed = b""
    _unread = 0  # bytes since the parser last had something to tell

    def connection_made(self, transport: BaseTransport) -> None:
        joined = _JoinedWrites(cast("Transport", transport), self.loop)
        super().connection_made(cast("Transport", joined))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        self._unparsed = data
        while self._unparsed:
            self._data, self._unparsed = self._unparsed, b""
            super().data_received(self._data)
        self._data = b""
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._deadline is None:
            self._await_head()
        if self._unread > self.head_limit and not self.transport.is_closing():
            if idle:
                self.send_400_response("The head of the request is too long.")
            else:  # in the trailers of a body, whose answer may have begun
                self.transport.close()

    def on_headers_complete(self) -> None:
        self._unread = 0
        if not self._wants_upgrade():
            self._stop_awaiting()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._wants_upgrade():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def _unsupported_upgrade_warning(self) -> None:
        """Have the request read again; called as the parser's news of it is handled."""
        news = sys.exception()
        if self._wants_upgrade() and isinstance(news, HttpParserUpgrade):
            version = self.parser.get_http_version().encode()
            lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
            lines += [
                b"%s: %s" % pair for pair in self.headers if pair[0] != b"upgrade"
            ]
            self._unparsed = b"\r\n".join([*lines, b"", self._data[news.args[0] :]])

    def _wants_upgrade(self) -> bool:
        wishes = self.parser.should_upgrade()
        return wishes and any(name == b"upgrade" for name, _ in self.headers)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_awaiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
