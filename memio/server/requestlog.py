"""The outermost layer: what holds for every answer, and the line that tells of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from random import getrandbits
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memio.server.logs import REQUEST_ID, log_request
from memio.server.scope import HEADERS, ROUTE, STARTED

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
        request_id = headers.get(b"x-request-id")
        if request_id is None or not _VALID_ID(request_id):
            # It need not be hard to guess, and asking the system for it takes longer.
            request_id = b"%032x" % getrandbits(128)
        is_head = scope["method"] == "HEAD"
        status = _CLIENT_GONE
        size = 0

        # Not async itself, which would be one more coroutine for each message.
        def send_on(message: Message) -> Awaitable[None]:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                scope[STARTED] = True
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id),
                ]
            elif message["type"] == "http.response.body":
                if is_head:
                    message["body"] = b""
                size += len(message.get("body", b""))
            return send(message)

        token = REQUEST_ID.set(request_id.decode())
        try:
            await self._app(scope, receive, send_on)
        finally:
            log_request(
                scope["method"],
                scope.get(ROUTE, "-"),
                status,
                size,
                seconds=perf_counter() - started,
            )
            REQUEST_ID.reset(token)
