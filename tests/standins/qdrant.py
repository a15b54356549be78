"""A stand-in for a Qdrant server: its REST API over the embedded Qdrant.

This is not Qdrant. Requests are checked against the vendor's own models, which know
every field there is, and carried out by the vendor's embedded implementation; what the
server demands beyond it is added here: an API key, an index to order by and, in strict
mode, to filter by. It proves what goes over the wire, not how the server performs.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydantic
from qdrant_client import QdrantClient
from qdrant_client.http import models

VERSION = "1.17.0"


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


@dataclass
class QdrantStandIn:
    """The state of a server.

    Attributes:
        api_key: What clients must send, if anything.
        strict: Whether filters need an index.
        requests: Every request as (method, path, body), in order.
    """

    client: QdrantClient
    api_key: str = ""
    strict: bool = False
    version: str = VERSION
    url: str = ""
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    indexes: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, key: str | None, body: Any) -> Any:
        """Carry out a request and return its result."""
        self.requests.append((method, path, body))
        if self.api_key and key != self.api_key:
            told = "Must provide an API key or an Authorization bearer token"
            raise _RefusedError(401, told)
        for wanted, pattern, work in _ROUTES:
            if method == wanted and (found := re.fullmatch(pattern, path)):
                name = found.groupdict().get("name", "")
                if name and not path.endswith("/exists"):
                    self._check_there(name, created=method == "PUT" and work is _create)
                return work(self, name, body)
        raise _RefusedError(404, "")

    def _check_there(self, name: str, *, created: bool) -> None:
        there = self.client.collection_exists(name)
        if created and there:
            told = f"Wrong input: Collection `{name}` already exists!"
            raise _RefusedError(409, told)
        if not created and not there:
            told = f"Not found: Collection `{name}` doesn't exist!"
            raise _RefusedError(404, told)

    def check_filter(self, name: str, filter_: Any) -> None:
        if self.strict:
            for key in re.findall(r'"key":"((?:[^"\\]|\\.)*)"', _dump(filter_)):
                plain = key.replace("\\", "")
                if plain not in self.indexes.get(name, {}):
                    raise _RefusedError(
                        400,
                        f'Bad request: Index required but not found for "{plain}" of '
                        "one of the following types: [keyword]. Help: Create an index "
                        "for this key or use a different filter.",
                    )


def _dump(value: Any) -> str:
    return value.model_dump_json(exclude_none=True) if value is not None else ""


def _create(server: QdrantStandIn, name: str, body: Any) -> bool:
    asked = models.CreateCollection(**body)
    server.indexes[name] = {}
    return server.client.create_collection(name, vectors_config=asked.vectors)


def _index(server: QdrantStandIn, name: str, body: Any) -> Any:
    asked = models.CreateFieldIndex(**body)
    server.indexes[name][asked.field_name] = str(asked.field_schema.value)
    return {"operation_id": 0, "status": "completed"}


def _upsert(server: QdrantStandIn, name: str, body: Any) -> Any:
    asked = models.PointsList(**body)
    return server.client.upsert(name, asked.points, update_mode=asked.update_mode)


def _retrieve(server: QdrantStandIn, name: str, body: Any) -> Any:
    asked = models.PointRequest(**body)
    return server.client.retrieve(
        name, asked.ids, with_payload=asked.with_payload, with_vectors=False
    )


def _scroll(server: QdrantStandIn, name: str, body: Any) -> Any:
    asked = models.ScrollRequest(**body)
    server.check_filter(name, asked.filter)
    if asked.order_by is not None:
        key = asked.order_by.key
        if server.indexes[name].get(key) not in {"integer", "float", "datetime"}:
            told = f"Bad request: No range index for `order_by` key: {key}."
            raise _RefusedError(400, told)
    points, following = server.client.scroll(
        name,
        scroll_filter=asked.filter,
        limit=asked.limit,
        order_by=asked.order_by,
        with_payload=asked.with_payload,
    )
    return {"points": points, "next_page_offset": following}


def _query(server: QdrantStandIn, name: str, body: Any) -> Any:
    asked = models.QueryRequest(**body)
    server.check_filter(name, asked.filter)
    return server.client.query_points(
        name,
        query=asked.query,
        query_filter=asked.filter,
        limit=asked.limit,
        with_payload=asked.with_payload,
    )


def _delete(server: QdrantStandIn, name: str, body: Any) -> Any:
    return server.client.delete(name, models.PointIdsList(**body))


_NAME = "/collections/(?P<name>[^/]+)"
_ROUTES: list[tuple[str, str, Callable[[QdrantStandIn, str, Any], Any]]] = [
    (
        "GET",
        f"{_NAME}/exists",
        lambda server, name, _: {"exists": server.client.collection_exists(name)},
    ),
    ("PUT", _NAME, _create),
    ("GET", _NAME, lambda server, name, _: server.client.get_collection(name)),
    ("DELETE", _NAME, lambda server, name, _: server.client.delete_collection(name)),
    ("PUT", f"{_NAME}/index", _index),
    ("PUT", f"{_NAME}/points", _upsert),
    ("POST", f"{_NAME}/points", _retrieve),
    ("POST", f"{_NAME}/points/scroll", _scroll),
    ("POST", f"{_NAME}/points/query", _query),
    ("POST", f"{_NAME}/points/delete", _delete),
]


def _jsonable(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _jsonable(each) for key, each in value.items()}
    return [_jsonable(each) for each in value] if isinstance(value, list) else value


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        state = self.server.state
        path = self.path.partition("?")[0]
        if self.command == "GET" and path == "/":
            about = {"title": "qdrant - vector search engine", "version": state.version}
            self._send(200, about)
            return
        try:
            given = json.loads(body) if body else None
            with state.lock:
                result = _jsonable(
                    state.answer(self.command, path, self.headers.get("api-key"), given)
                )
        except _RefusedError as refused:
            self._send(refused.status, {"status": {"error": refused.message}})
        except (ValueError, TypeError) as error:  # pydantic's are ValueErrors
            told = f"Format error in JSON body: {error}"
            self._send(400, {"status": {"error": told}})
        else:
            self._send(200, {"result": result, "status": "ok", "time": 0.0})

    # http.server looks for these names.
    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, state: QdrantStandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state


@contextmanager
def qdrant_stand_in(**options: Any) -> Iterator[QdrantStandIn]:
    """Run a server that is empty; it keeps its data in memory."""
    state = QdrantStandIn(QdrantClient(":memory:"), **options)
    server = _Server(state)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        state.client.close()
