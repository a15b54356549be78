"""Load on a server: wrk where the server is all there is, else a client in asyncio."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import cast

import httptools
import numpy as np
import uvloop

WRK = shutil.which("wrk")
TOOL = "wrk" if WRK else "an asyncio client (install wrk for higher and truer figures)"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send again and again."""

    method: str
    path: str
    body: bytes = b""
    status: int = 200

    @property
    def raw(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        if self.body:
            lines.append("Content-Type: application/json")
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Load:
    """What a server bore.

    Attributes:
        ms: p50 and p99 of the answers' times, in milliseconds.
    """

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def ask(port: int, request: Request) -> bytes:
    """Send a request once and return the answer's body.

    Raises:
        RuntimeError: It is not answered as it should be.
    """

    async def once() -> bytes:
        connection = await _connect(port)
        status, body = await connection.ask(request.raw)
        connection.close()
        if status != request.status:
            raise RuntimeError(
                f"{request.method} {request.path}: {status} {body[:200]!r}"
            )
        return body

    return uvloop.run(once())


def flood(
    port: int,
    requests: list[Request],
    *,
    connections: int,
    seconds: int,
    core: int | None = None,
) -> Load:
    """Send the requests in turn for some seconds, over some connections at once.

    Raises:
        RuntimeError: An answer has another status than the request's.
    """
    if WRK is None:
        endless = (request.raw for request in cycle(requests))
        deadline = time.perf_counter() + seconds
        return send(
            port,
            endless,
            clients=connections,
            status=requests[0].status,
            until=deadline,
        )
    return _wrk(WRK, port, requests, connections, seconds, core)


def send(
    port: int,
    requests: Iterator[bytes] | Iterable[bytes],
    *,
    clients: int,
    status: int,
    until: float = float("inf"),
) -> Load:
    """Send each request once, by some clients at once; each waits for its answer.

    Args:
        until: When to stop even though there are more, by ``time.perf_counter``.

    Raises:
        RuntimeError: An answer has another status.
    """
    return uvloop.run(_send(port, iter(requests), clients, status, until))


async def _send(
    port: int, requests: Iterator[bytes], clients: int, status: int, until: float
) -> Load:
    times: list[float] = []

    async def client() -> None:
        connection = await _connect(port)
        for request in requests:
            before = time.perf_counter()
            got, body = await connection.ask(request)
            now = time.perf_counter()
            if got != status:
                raise RuntimeError(f"{request[:80]!r}: {got} {body[:200]!r}")
            times.append(now - before)
            if now > until:
                break
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - started
    p50, p99 = np.percentile(times, (50, 99)) * 1000
    return Load(len(times), seconds, float(p50), float(p99))


class _Connection(asyncio.Protocol):
    """A kept-alive connection on which one request at a time is under way."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, raw: bytes) -> tuple[int, bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._body = b""
        self._transport.write(raw)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answer
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        self._answer.set_result((status, self._body))


async def _connect(port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
    return connection


def _wrk(  # noqa: PLR0917 (the arguments of flood, in their order)
    wrk: str,
    port: int,
    requests: list[Request],
    connections: int,
    seconds: int,
    core: int | None,
) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(requests))
        script.flush()
        pin = [] if core is None else ["taskset", "-c", str(core)]
        done = subprocess.run(
            [
                *pin, wrk, "-t1", f"-c{connections}", f"-d{seconds}s",
                "--timeout", "9s", "-s", script.name, f"http://127.0.0.1:{port}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
    result = json.loads(done.stdout.rpartition("RESULT ")[2])
    refused = result["requests"] if requests[0].status >= 400 else 0
    if result["lost"] or abs(result["bad"] - refused) > connections:
        raise RuntimeError(f"{requests[0].path}: other answers than {done.stdout}")
    return Load(*(result[key] for key in ("requests", "seconds", "p50", "p99")))


def _script(requests: list[Request]) -> str:
    """Return what wrk is to do, in Lua."""
    if len(requests) == 1:  # which wrk then composes only once
        (request,) = requests
        what = (
            f"wrk.method = {_lua(request.method.encode())}\n"
            f"wrk.path = {_lua(request.path.encode())}\n"
        )
        if request.body:
            what += (
                f"wrk.body = {_lua(request.body)}\n"
                'wrk.headers["Content-Type"] = "application/json"\n'
            )
    else:
        what = _CYCLE % ", ".join(_lua(request.raw) for request in requests)
    return what + _DONE


def _lua(text: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in text) + '"'


_CYCLE = """
local requests = {%s}
local at = 0
request = function()
  at = at %% #requests + 1
  return requests[at]
end
"""
_DONE = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %d, "seconds": %f, "p50": %f, "p99": %f, '
      .. '"bad": %d, "lost": %d}',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""
