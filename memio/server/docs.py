"""The documentation page and its files, complete without any other server."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from memio.server.errors import HttpError
from memio.server.scope import HEADERS, inner_path

PREFIX = "/docs/assets/"

ASSETS = {
    "docs.css": "text/css",
    "docs.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
"""The files that are served, and nothing else is; see their LICENSE beside them."""

_SECURITY_HEADERS = {
    # Swagger UI's own icons are data: images; all else comes from this server.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class StoredResponse(Response):
    """A body that does not change; whoever has it already gets 304 and no body."""

    def __init__(
        self, body: bytes, media_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self._etag = f'"{sha256(body).hexdigest()[:32]}"'
        given = {"ETag": self._etag, "Cache-Control": "no-cache", **(headers or {})}
        super().__init__(body, headers=given, media_type=media_type)
        self._not_modified = Response(status_code=304, headers=given)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope[HEADERS].get(b"if-none-match", b"").decode("latin-1")
        if known == "*" or self._etag in known:
            await self._not_modified(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


@cache
def stored_file(name: str, media_type: str) -> StoredResponse:
    """Return a file of the ``assets`` directory."""
    body = files("memio.server").joinpath("assets", name).read_bytes()
    return StoredResponse(body, media_type, _SECURITY_HEADERS)


async def serve_assets(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page's files; whatever else is asked for does not exist.

    This is where requests end that are for nothing in the specification.
    """
    if scope["type"] != "http":
        await WebSocketClose()(scope, receive, send)
        return
    prefix, _, name = inner_path(scope).rpartition("/")
    if f"{prefix}/" != PREFIX or name not in ASSETS:
        raise HttpError(
            "not_found", "There is nothing at this path; see /docs for what there is."
        )
    if scope["method"] not in {"GET", "HEAD"}:
        raise HttpError(
            "method_not_allowed",
            "This method is not allowed here; use one of GET, HEAD.",
            headers=[(b"allow", b"GET, HEAD")],
        )
    await stored_file(name, ASSETS[name])(scope, receive, send)
