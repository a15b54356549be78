"""The sending half of a connection: its transport, its back-pressure, its heads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus

from uvicorn.server import ServerState

Headers = Sequence[tuple[bytes, bytes]]

_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_USUAL_NAMES = {
    b"allow",
    b"connection",
    b"content-length",
    b"content-type",
    b"date",
    b"etag",
    b"link",
    b"location",
    b"retry-after",
    b"www-authenticate",
    b"x-request-id",
}
# A tab may stand in a value, other control characters may not.
_IN_LINES = b"\t" + bytes(range(0x20, 0x100)).replace(b"\x7f", b"")


def last_words(text: bytes) -> Headers:
    """Return the headers of a plain text after which the connection is closed."""
    return [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        (b"connection", b"close"),
    ]


class Wire:
    """What an answer is written to.

    Attributes:
        transport: Takes bytes that stand for themselves.
        loop: The event loop that it belongs to.
        paused: Whether the client reads so slowly that nothing should be added.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        server_state: ServerState,
    ) -> None:
        self.transport = transport
        self.loop = loop
        self.paused = False
        self._server_state = server_state
        self._drained: asyncio.Event | None = None
        self._default_headers: list[tuple[bytes, bytes]] = []
        self._starts: dict[int, bytes] = {}
        self._is_reading = True

    def pause(self) -> None:
        """Have those who ask wait; the transport holds enough."""
        self.paused = True

    def resume(self) -> None:
        """Let those who wait go on."""
        self.paused = False
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    async def drain(self) -> None:
        """Wait until the transport takes more."""
        if self.paused:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        if self._is_reading:
            self._is_reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the client again."""
        if not self._is_reading:
            self._is_reading = True
            self.transport.resume_reading()

    def head(self, status: int, headers: Headers) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the head of an answer, and its headers by name.

        The empty line at its end is left out, for more headers to be added.

        Raises:
            RuntimeError: A header would be read as something else.
        """
        if self._default_headers is not self._server_state.default_headers:
            # uvicorn puts a new list there whenever the date has changed.
            self._default_headers = self._server_state.default_headers
            self._starts.clear()
        start = self._starts.get(status)
        if start is None:
            start = self._starts[status] = _start(status, self._default_headers)
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if lines.translate(None, _IN_LINES) != b"\r\n" * len(headers):
            raise RuntimeError("a header of the answer holds a control character")
        named = dict(headers)
        if not _USUAL_NAMES.issuperset(named) and not all(
            map(_HEADER_NAME.fullmatch, named)
        ):
            raise RuntimeError("a header of the answer has no lower-case name")
        return start + lines, named


def _start(status: int, headers: Headers) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode()) + b"".join(lines)
