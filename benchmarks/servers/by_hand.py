"""What one would write by hand: Starlette with orjson, or a bare ASGI function.

Neither validates, gives request ids or logs requests. ``protocol`` is no server that
anybody would run: it has a parser find where a request ends, and answers every one with
the same bytes. It shows what is left when a server does nothing.

    by_hand.py starlette|asgi|protocol --port N
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import httptools
import orjson
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KEPT = 1000


@dataclass(frozen=True)  # with slots orjson would take three times as long
class Fact:
    id: str
    content: str
    user_id: str | None
    agent_id: str | None
    metadata: dict[str, Any] | None
    score: float | None
    created_at: datetime
    updated_at: datetime


facts: dict[str, Fact] = {}


def add(body: dict[str, Any]) -> Fact:
    now = datetime.now(UTC)
    fact = Fact(
        id=uuid4().hex,
        content=body["content"],
        user_id=body.get("user_id"),
        agent_id=body.get("agent_id"),
        metadata=body.get("metadata"),
        score=None,
        created_at=now,
        updated_at=now,
    )
    if len(facts) == KEPT:
        facts.popitem()
    facts[fact.id] = fact
    return fact


def search(body: dict[str, Any]) -> list[Fact]:
    return list(islice(facts.values(), body.get("limit", 10)))


def missing(fact_id: str) -> dict[str, Any]:
    return {
        "error": "not_found",
        "detail": f"fact '{fact_id}' not found",
        "provider": None,
        "operation": None,
    }


def _answer(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def _get(request: Request) -> Response:
    fact_id = request.path_params["fact_id"]
    fact = facts.get(fact_id)
    return _answer(missing(fact_id), 404) if fact is None else _answer(fact)


async def _add(request: Request) -> Response:
    return _answer(add(orjson.loads(await request.body())), 201)


async def _search(request: Request) -> Response:
    return _answer(search(orjson.loads(await request.body())))


async def _health(_: Request) -> Response:
    return _answer({"status": "ok"})


by_starlette = Starlette(
    routes=[
        Route("/health", _health),
        Route("/v1/facts", _add, methods=["POST"]),
        Route("/v1/facts/search", _search, methods=["POST"]),
        Route("/v1/facts/{fact_id}", _get),
    ]
)


async def by_asgi(scope: Any, receive: Any, send: Any) -> None:
    path, status = scope["path"], 200
    value: object
    if scope["method"] == "POST":
        message = await receive()
        data = message["body"]
        while message["more_body"]:
            message = await receive()
            data += message["body"]
        if path == "/v1/facts":
            value, status = add(orjson.loads(data)), 201
        else:
            value = search(orjson.loads(data))
    elif path == "/health":
        value = {"status": "ok"}
    else:
        fact_id = path[len("/v1/facts/") :]
        value = facts.get(fact_id)
        if value is None:
            value, status = missing(fact_id), 404
    body = orjson.dumps(value)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Floor(asyncio.Protocol):
    """A connection that answers a fact of the usual length, whatever it is asked."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        body = orjson.dumps(add({"content": "x" * 130, "user_id": "alice"}))
        self._answer = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b"
        ) % (len(body), body)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(self._answer)


async def serve_floor(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Floor, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("starlette", "asgi", "protocol"))
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    lean = {"access_log": False, "server_header": False, "proxy_headers": False}
    if options.kind == "protocol":
        uvloop.run(serve_floor(options.port))
    elif options.kind == "starlette":
        uvicorn.run(by_starlette, port=options.port, **lean)
    else:
        uvicorn.run(by_asgi, port=options.port, lifespan="off", **lean)


if __name__ == "__main__":
    main()
