"""The HTTP layer: routing, validation, serialisation, over stores that do nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import TOOL, Request, ask, flood
from benchmarks.machine import cpu_seconds
from benchmarks.rivals import (
    LOAD_CORE,
    MEMIO_031,
    STARLETTE,
    pid_of,
    serve,
)
from tests.serving import Server

TITLE = "HTTP layer"
ORIGINAL = "memio 0.3.1"
QUIET = "memio 0.3.1, no request log"
BY_STARLETTE = "Starlette, no validation"
BY_ASGI = "raw ASGI function"
FLOOR = "one constant answer"
SECONDS = 1
BODY_BYTES = 200

CONFIG = "stores: {facts: {provider: trivial}}"
CONFIG_031 = "stores: {facts: {provider: trivial, config: {}}}"

_TARGETS = {
    "GET by id": {ORIGINAL: 5.0, BY_STARLETTE: 1.3, BY_ASGI: 0.65},
    "POST create": {ORIGINAL: 4.5, BY_STARLETTE: 1.3, BY_ASGI: 0.65},
    "POST search": {ORIGINAL: 5.0, BY_STARLETTE: 1.3, BY_ASGI: 0.65},
    "404": {ORIGINAL: 4.5, BY_STARLETTE: 1.3, BY_ASGI: 0.65},
    "422": {ORIGINAL: 4.5},
}
_VALIDATING = (OURS, ORIGINAL, QUIET)


def _can(who: str, what: str) -> bool:
    """Tell whether a server gives the answer that a request is to get."""
    if who == FLOOR:
        return what == "GET by id"
    return what != "422" or who in _VALIDATING


def servers(bench: Bench) -> dict[str, Server]:
    """Make every server, each kept on one core and logging into a file."""
    directory = bench.directory / "http"

    def make(
        name: str, script: str, *arguments: str, python: str | Path, config: str = ""
    ) -> Server:
        return serve(
            directory / name,
            script,
            *arguments,
            python=python,
            config=config,
            pinned=True,
        )

    original = partial(make, python=MEMIO_031.python, config=CONFIG_031)
    by_hand = partial(make, python=STARLETTE.python)
    made = {
        OURS: make("ours", "ours_trivial.py", python=sys.executable, config=CONFIG),
        ORIGINAL: original("memio031", "memio031.py"),
        BY_STARLETTE: by_hand("starlette", "by_hand.py", "starlette"),
        BY_ASGI: by_hand("asgi", "by_hand.py", "asgi"),
    }
    if bench.size == "full":
        made[FLOOR] = by_hand("protocol", "by_hand.py", "protocol")
        made[QUIET] = original("memio031-quiet", "memio031.py", "--quiet")
    return made


def requests(port: int) -> dict[str, Request]:
    """Store what is asked for, and return the requests to measure."""
    fact = {"content": "", "user_id": "alice", "metadata": {"lang": "en", "n": 1}}
    fact["content"] = "x" * (BODY_BYTES - len(json.dumps(fact)))
    create = Request("POST", "/v1/facts", json.dumps(fact).encode(), 201)
    stored = [json.loads(ask(port, create)) for _ in range(20)]
    query = {"query": "what does alice drink in the morning", "user_id": "alice"}
    return {
        "GET by id": Request("GET", f"/v1/facts/{stored[0]['id']}"),
        "POST create": create,
        "POST search": Request(
            "POST", "/v1/facts/search", json.dumps({**query, "limit": 10}).encode()
        ),
        "404": Request("GET", "/v1/facts/0198-no-such-fact", status=404),
        "422": Request("POST", "/v1/facts", b'{"user_id": "alice"}', 422),
    }


def _get_anything() -> dict[str, Request]:
    return {"GET by id": Request("GET", "/v1/facts/00000000000000000000000000000000")}


def run(bench: Bench) -> Comparison:
    rounds = bench.pick(full=4, quick=1, smoke=1)
    connected = (1, 32) if bench.size == "full" else (32,)
    rows: list[Row] = []
    with ExitStack() as stack:
        running = {
            who: stack.enter_context(server) for who, server in servers(bench).items()
        }
        asked = {
            who: requests(server.port) if who != FLOOR else _get_anything()
            for who, server in running.items()
        }
        for what, targets in _TARGETS.items():
            for connections in connected:
                rivals = {
                    who: _measure(server, asked[who][what], connections)
                    for who, server in running.items()
                    if _can(who, what)
                }
                samples = alternate(rivals, rounds=rounds)
                label = f"{what}, {connections} connection{'s' * (connections > 1)}"
                rows.append(Row(label, "requests/s", samples["rate"], targets=targets))
                rows.append(
                    Row(f"{label}: server CPU", "us", samples["cpu"], better="lower")
                )
    return Comparison(
        TITLE,
        rows,
        [
            (
                f"Load by {TOOL}; every server is one process on core 0, the load on "
                "core 1. Create sends 200 bytes, search gets 10 results."
            ),
            (
                "memio and memio 0.3.1 log each request as their commands do, into a "
                "file; the others do not log. Starlette and the raw function validate "
                "nothing, so there is no 422 of theirs. All run on uvicorn with "
                "uvloop and httptools, memio with a protocol of its own in it; what "
                "memio does without (access log, Server header, proxy headers) "
                "Starlette and the raw function are spared, too, and their facts have "
                "no slots either, which makes orjson faster."
            ),
            (
                f"'{FLOOR}' is no server: asyncio's protocol on uvloop that parses a "
                "request and sends the same bytes every time. Nothing in Python can be "
                "faster, and with one connection that is what client and server take "
                "to wake each other."
            ),
        ],
    )


def _measure(
    server: Server, request: Request, connections: int
) -> Callable[[], Mapping[str, float]]:
    def measure() -> Mapping[str, float]:
        ask(server.port, request)  # as it should be answered, or this raises
        before = cpu_seconds(pid_of(server))
        load = flood(
            server.port,
            [request],
            connections=connections,
            seconds=SECONDS,
            core=LOAD_CORE,
        )
        spent = cpu_seconds(pid_of(server)) - before
        return {"rate": load.rate, "cpu": spent / load.requests * 1e6}

    return measure
