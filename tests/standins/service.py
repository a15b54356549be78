"""What the stand-ins of hosted services have in common: routes, keys, a real socket.

A stand-in is not the vendor's service. It answers the requests of the vendor's SDK in
the shapes of the SDK's own types, and refuses what the vendor's documentation says that
the vendor refuses; it learns nothing, and ranks texts by shared words and letters.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Handle = Callable[..., Any]

ssl_context = functools.cache(ssl.create_default_context)
"""``ssl.create_default_context`` for tests that make many clients: it takes 50 ms."""


class RefusalError(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body
        super().__init__(status, body)


def route(method: str, path: str, status: int = 200) -> Callable[[Handle], Handle]:
    """Make a method answer a path, whose ``{names}`` become its arguments.

    It may ask for ``query`` and ``body`` too.
    """
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))

    def mark(handle: Handle) -> Handle:
        vars(handle).update(route=(method, pattern, status))
        return handle

    return mark


class Standin:
    """A service with state; requests are handled one at a time.

    Attributes:
        requests: What was asked: (method, path with query, body).
    """

    KEY = "right-key"
    SCHEME = "Bearer"

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self._lock = threading.Lock()
        self._routes = [
            (member.route, getattr(self, name))
            for name, member in vars(type(self)).items()
            if hasattr(member, "route")
        ]

    def refuse(self, status: int, why: str) -> RefusalError:
        """Make an error in the vendor's shape."""
        return RefusalError(status, {"error": why})

    def handle(
        self, method: str, target: str, headers: Any, raw: bytes
    ) -> tuple[int, Any]:
        parts = urlsplit(target)
        try:
            if headers.get("Authorization") != f"{self.SCHEME} {self.KEY}":
                raise self.refuse(401, "Unauthorized")
            body = json.loads(raw) if raw else {}
            query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
            with self._lock:
                self.requests.append((method, target, body))
                return self._answer(method, parts.path, query, body)
        except RefusalError as refusal:
            return refusal.status, refusal.body

    def _answer(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        for (verb, pattern, status), handle in self._routes:
            match = pattern.fullmatch(path) if verb == method else None
            if match:
                given: dict[str, Any] = {
                    k: unquote(v) for k, v in match.groupdict().items()
                }
                given |= {"query": query, "body": body}
                wanted = inspect.signature(handle).parameters
                return status, handle(**{name: given[name] for name in wanted})
        raise self.refuse(404, f"no such operation: {method} {path}")

    def only(self, given: dict[str, Any], *allowed: str) -> None:
        """Refuse fields and parameters that the vendor does not know."""
        if unknown := given.keys() - set(allowed):
            raise self.refuse(400, f"unrecognized: {', '.join(sorted(unknown))}")

    def number(
        self, value: Any, least: int, most: int, default: int | None = None
    ) -> int:
        if value is None and default is not None:
            return default
        if not re.fullmatch(r"\d+", str(value)) or not least <= int(value) <= most:
            raise self.refuse(400, f"expected a number from {least} to {most}: {value}")
        return int(value)


@contextmanager
def serving(standin: Standin) -> Iterator[str]:
    """Give the base URL at which the stand-in answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = standin.handle(self.command, self.path, self.headers, raw)
            self.send_response(status)
            if status != 204:
                data = json.dumps(body).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if status != 204:
                self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Say nothing: tests cancel requests."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def now() -> str:
    """Return the time as vendors write it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def similarity(one: str, other: str) -> float:
    """Return the cosine of two texts' words and groups of three letters."""
    a, b = _features(one), _features(other)
    dot = sum(count * b[feature] for feature, count in a.items())
    lengths = math.hypot(*a.values()) * math.hypot(*b.values())
    return min(dot / lengths, 1.0) if lengths else 0.0


def _features(text: str) -> Counter[str]:
    text = text[:3000].lower()
    threes = (text[i : i + 3] for i in range(len(text) - 2))
    return Counter((*text.split(), *threes))


def best(query: str, rows: Iterable[tuple[str, Any]]) -> list[tuple[float, Any]]:
    """Rank (text, value) by similarity."""
    scored = [(similarity(query, text), value) for text, value in rows]
    return sorted(scored, key=lambda pair: -pair[0])
