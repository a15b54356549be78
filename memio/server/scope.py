"""What the layers of the edge tell each other about a request, in its ASGI scope."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.types import Scope

HEADERS: Final = "memio.headers"
"""Key of the request's headers, ``dict[bytes, bytes]``: scanned once for all."""

ROUTE: Final = "memio.route"
"""Key of the path template that the request matched; absent if none."""

PATH_VALUES: Final = "memio.path_values"
"""Key of what stands for the path's parameters, ``list[str]``, as it was sent."""

ARGUMENTS: Final = "memio.arguments"
"""Key of the handler's arguments, ``dict[str, Any]``, parsed and validated."""

STARTED: Final = "memio.started"
"""Key that is there once the answer has begun."""


def raw_path(scope: Scope) -> str:
    """Return the request's path as it was sent: percent-encoded, mount included."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.decode("latin-1")


def url(scope: Scope) -> str:
    """Return the request's path and query as they were sent, mount included."""
    path = raw_path(scope)
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def inner_path(scope: Scope) -> str:
    """Return the request's percent-encoded path below where the app is mounted."""
    path = raw_path(scope)
    root = scope.get("root_path")
    if root:
        mount = quote(root)
        if path == mount or path.startswith(mount + "/"):
            return path[len(mount) :]
    return path
