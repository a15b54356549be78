"""Growth: what search takes, and a memory costs, the more memories there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import orjson

from benchmarks.filling import fill_facts
from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import Request, send
from benchmarks.machine import resident_bytes
from benchmarks.rivals import pid_of, serve
from benchmarks.texts import Texts

TITLE = "Growth"
USERS = 1_000
MILLION = 1_000_000
P50_LIMITS = {"10,000": 5.0, "100,000": 25.0}


def run(bench: Bench) -> Comparison:
    sizes = bench.pick(
        full=(1_000, 10_000, 100_000), quick=(1_000, 10_000), smoke=(100, 1_000)
    )
    many = sizes[-1]
    calls = bench.pick(full=200, quick=100, smoke=20)
    directory = bench.directory / "growth"
    places = {f"{size:,}": (directory / str(size), size, 1) for size in sizes}
    spread = f"{many:,} over {USERS:,} users"
    places[spread] = (directory / "users", many, USERS)
    if bench.million:
        places[f"{MILLION:,}"] = (directory / "million", MILLION, 1)
    rows: list[Row] = []
    with ExitStack() as stack:
        servers = {}
        for name, (place, size, users) in places.items():
            fill_facts(place, Texts().texts(), size, users=users)
            servers[name] = stack.enter_context(serve(place))
        started = {n: resident_bytes(pid_of(s)) for n, s in servers.items()}
        samples = alternate(
            {
                name: _search(servers[name].port, calls, users)
                for name, (_, _, users) in places.items()
            },
            rounds=bench.rounds,
        )
        searched = {n: resident_bytes(pid_of(s)) for n, s in servers.items()}
        for name in places:
            p50 = {OURS: samples["p50"][name]}
            limit = P50_LIMITS.get(name)
            label = f"search of {name}"
            rows += [
                Row(f"{label}: p50", "ms", p50, better="lower", limit=limit),
                Row(
                    f"{label}: p99", "ms", {OURS: samples["p99"][name]}, better="lower"
                ),
            ]
    disk = {name: _disk_bytes(place) for name, (place, _, _) in places.items()}
    for name in places:
        for what, sizes_of in (
            ("RAM after starting", started),
            ("RAM after searching", searched),
            ("on disk", disk),
        ):
            mib = [sizes_of[name] / 2**20]
            rows.append(Row(f"{name}: {what}", "MiB", {OURS: mib}, better="lower"))
    least, most = f"{sizes[0]:,}", f"{sizes[-1]:,}"
    more = sizes[-1] - sizes[0]
    per_memory = {
        "in RAM": (searched[most] - searched[least]) / more,
        "on disk": (disk[most] - disk[least]) / more,
    }
    rows += [
        Row(f"one more memory {where}", "bytes", {OURS: [value]}, better="lower")
        for where, value in per_memory.items()
    ]
    return Comparison(
        TITLE,
        rows,
        [
            (
                "One client over HTTP, hybrid search by one user for the best 10; "
                "facts of about 200 bytes, 256 dimensions. Over many users, each "
                "search is by another one: its vectors are in memory only from its "
                "second search on."
            ),
            (
                "'one more memory' is the difference of the largest store of one user "
                "to the smallest, per memory."
            ),
        ],
    )


def _search(port: int, calls: int, users: int) -> Callable[[], Mapping[str, float]]:
    queries = Texts(2).queries()
    turn = 0

    def measure() -> Mapping[str, float]:
        nonlocal turn
        asked = []
        for query in islice(queries, calls):
            body = {"query": query, "user_id": f"user-{turn % users}", "limit": 10}
            asked.append(Request("POST", "/v1/facts/search", orjson.dumps(body)).raw)
            turn += 1
        load = send(port, asked, clients=1, status=200)
        return {"p50": load.p50, "p99": load.p99}

    return measure


def _disk_bytes(place: Path) -> int:
    return sum(file.stat().st_size for file in (place / "memio-data").iterdir())
