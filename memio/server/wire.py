"""The sending half of a connection: its transport, its back-pressure, its heads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

from uvicorn.server import ServerState

LENGTH = b"content-length: "
CODING = b"transfer-encoding: "
CONNECTION = b"connection: "
_FRAMING = {LENGTH, CODING, CONNECTION}
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A tab may stand in a value, other control characters may not.
_IN_LINES = b"\t" + bytes(range(0x20, 0x100)).replace(b"\x7f", b"")


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
        self._default_lines = b""
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

    def head(
        self, status: int, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the head of an answer, and of its headers those that frame it.

        The empty line at its end is left out, for more headers to be added.

        Raises:
            RuntimeError: A header would be read as something else.
        """
        if self._default_headers is not self._server_state.default_headers:
            # uvicorn puts a new list there whenever the date has changed.
            self._default_headers = self._server_state.default_headers
            self._default_lines = b"".join(
                [b"%s: %s\r\n" % pair for pair in self._default_headers]
            )
        lines: list[bytes] = []
        framing = {}
        for name, value in headers:
            start = _line_start(name)
            lines += (start, value, b"\r\n")
            if start in _FRAMING:
                framing[start] = value
        written = b"".join(lines)
        if written.translate(None, _IN_LINES) != b"\r\n" * (len(lines) // 3):
            raise RuntimeError("a header of the answer holds a control character")
        return _status_line(status) + self._default_lines + written, framing


@lru_cache(1024)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


@lru_cache(256)
def _line_start(name: bytes) -> bytes:
    if not _HEADER_NAME.fullmatch(name):
        raise RuntimeError("a header of the answer has a name that is none")
    return name.lower() + b": "
