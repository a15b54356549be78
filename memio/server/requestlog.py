"""The outermost layer: what holds for every answer, and the line that tells of it."""

from __future__ import annotations

import logging
import re
from time import perf_counter
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memio.server.logs import REQUEST_ID
from memio.server.scope import HEADERS, ROUTE

_log = logging.getLogger("memio.access")
_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch
_CLIENT_GONE = 499  # what proxies log for it; nobody receives it


class RequestLog:
    """ASGI layer that gives a request its id and logs one line when it is answered.

    The client may name the id in ``X-Request-ID``; every answer carries it. The line
    tells the path's template, not the path, whose ids may say something of a person.
    A HEAD request is answered without the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        headers = scope[HEADERS] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given if _VALID_ID(given) else uuid4().hex.encode()
        is_head = scope["method"] == "HEAD"
        status = _CLIENT_GONE
        size = 0

        async def send_on(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id),
                ]
            elif message["type"] == "http.response.body":
                if is_head:
                    message["body"] = b""
                size += len(message.get("body", b""))
            await send(message)

        token = REQUEST_ID.set(request_id.decode())
        try:
            await self._app(scope, receive, send_on)
        finally:
            if _log.isEnabledFor(logging.INFO):
                _write(scope, status, size, perf_counter() - started)
            REQUEST_ID.reset(token)


def _write(scope: Scope, status: int, size: int, seconds: float) -> None:
    # Made by hand, since Logger.info would look for the caller in the stack.
    record = logging.LogRecord(_log.name, logging.INFO, "", 0, "", None, None)
    record.fields = {
        "method": scope["method"],
        "route": scope.get(ROUTE, "-"),
        "status": status,
        "ms": round(seconds * 1000, 2),
        "bytes": size,
    }
    _log.handle(record)
