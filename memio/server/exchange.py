"""One request on a connection and its answer, as ASGI tells of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, cast

from starlette.types import ASGIApp, Message, Scope

from memio.server.wire import Headers, Wire, last_words

_log = logging.getLogger("uvicorn.error")

_HIGH_WATER = 64 * 1024  # bytes of a body that may wait to be asked for
_WITHOUT_BODY = {204, 304}


class _Done:
    """An awaitable that has nothing to wait for: cheaper than a coroutine."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return _NOTHING


_NOTHING = cast("Generator[Any, Any, None]", iter(()))
_DONE = _Done()


class Exchange:
    """A request, of which the body may still be arriving, and the answer to it.

    Attributes:
        keep_alive: Whether the connection stays open for another request.
        complete: Whether the answer has been written whole.
        started: Whether the answer has begun.
        more_body: Whether some of the request's body is still to come.
        task: What runs the application.
    """

    __slots__ = (
        "_body",
        "_continued",
        "_disconnected",
        "_head",
        "_left",
        "_news",
        "_on_complete",
        "_scope",
        "_told",
        "_wire",
        "complete",
        "keep_alive",
        "more_body",
        "started",
        "task",
    )

    def __init__(
        self,
        wire: Wire,
        scope: Scope,
        *,
        keep_alive: bool,
        on_complete: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._scope = scope
        self._on_complete = on_complete
        self.keep_alive = keep_alive
        self.complete = self.started = False
        self.task: asyncio.Task[None] | None = None

        self.more_body = True
        self._body: bytes | bytearray = b""
        self._told = False  # the application has seen the end of the body
        self._continued = False  # 100 Continue has been sent, or would come too late
        self._disconnected = False
        self._news: asyncio.Event | None = None

        self._head = b""
        self._left: int | None = 0  # bytes of the answer to come; None: in chunks

    async def run(self, app: ASGIApp, tasks: set[asyncio.Task[Any]]) -> None:
        """Have the application answer, and see that it does."""
        try:
            await app(self._scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001  # also of a task that is cancelled
            _log.error("Exception in ASGI application\n", exc_info=error)
            self._give_up()
        else:
            if not (self.complete or self._disconnected):
                _log.error("ASGI application returned before its answer was complete.")
                self._give_up()
        finally:
            tasks.discard(cast("asyncio.Task[None]", self.task))

    def add_body(self, part: bytes) -> None:
        """Keep a part of the request's body until it is asked for."""
        if self.complete:
            return
        if self._body:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part
        else:
            self._body = part
        if len(self._body) > _HIGH_WATER:
            self._wire.pause_reading()
        self._tell()

    def end_body(self) -> None:
        """Take note that the request has arrived whole."""
        self.more_body = False
        self._tell()

    def disconnect(self) -> None:
        """Take note that the client is gone."""
        self._disconnected = True
        self._tell()

    async def receive(self) -> Message:
        """Return what has come of the body, or wait for more or for the end."""
        while True:
            if self._disconnected or self.complete:
                return {"type": "http.disconnect"}
            if self._body or not (self.more_body or self._told):
                body, self._body = bytes(self._body), b""
                more_body = self.more_body
                self._told = not more_body
                return {"type": "http.request", "body": body, "more_body": more_body}
            await self._wait()

    def send(self, message: Message) -> Awaitable[None]:
        """Write a part of the answer; wait only if the client is slow to read."""
        if self._wire.paused and not self._disconnected:
            return self._send_later(message)
        kind = message["type"]
        if self._disconnected:
            pass
        elif kind == "http.response.start" and not self.started:
            self._start(message["status"], list(message.get("headers", ())))
        elif kind == "http.response.body" and self.started and not self.complete:
            self._go_on(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"the ASGI message {kind} may not be sent now")
        return _DONE

    async def _send_later(self, message: Message) -> None:
        await self._wire.drain()
        await self.send(message)

    async def _wait(self) -> None:
        self._wire.resume_reading()
        if self.more_body and not self._continued:
            self._continued = True
            if (b"expect", b"100-continue") in [
                (name, value.lower()) for name, value in self._scope["headers"]
            ]:
                self._wire.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    def _start(self, status: int, headers: Headers) -> None:
        head, said = self._wire.head(status, headers)
        if b"close" in said.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            head += b"connection: close\r\n"
        if self._scope["method"] == "HEAD":
            pass
        elif b"transfer-encoding" in said:
            self._left = None
        elif b"content-length" in said:
            self._left = int(said[b"content-length"])
        elif status not in _WITHOUT_BODY:
            self._left = None
            head += b"transfer-encoding: chunked\r\n"
        self.started = self._continued = True
        self._head = head + b"\r\n"
        # With the body, which mostly follows at once, it makes one write.
        self._wire.loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._head and not self._disconnected:
            self._wire.transport.write(self._head)
            self._head = b""

    def _go_on(self, body: bytes, more_body: bool) -> None:  # noqa: FBT001
        if self._scope["method"] == "HEAD":
            body = b""
        elif self._left is None:
            part = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = part if more_body else part + b"0\r\n\r\n"
        else:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more_body):
                raise RuntimeError("the answer is not as long as its Content-Length")
        if self._head:
            body = self._head + body
            self._head = b""
        self._wire.transport.write(body)
        if not more_body:
            self.complete = True
            self._tell()
            if not self.keep_alive:
                self._wire.transport.close()
            self._on_complete()

    def _give_up(self) -> None:
        if self._disconnected:
            return
        self._flush()
        if self.started:
            self._wire.transport.close()  # so that the client sees it is incomplete
            return
        text = b"Internal Server Error"
        self._start(500, last_words(text))
        self._go_on(text, more_body=False)
