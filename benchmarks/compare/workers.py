"""Workers: reads by one process and by two, on one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

import orjson

from benchmarks.filling import fill_facts
from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import TOOL, Request, ask, flood
from benchmarks.rivals import CORES, serve
from benchmarks.texts import Texts

TITLE = "Workers"
TWO = OURS
ONE = "memio, 1 worker"
USER = "user-0"
CLIENTS = 32
QUERIES = 50
TARGET = 1.7


def run(bench: Bench) -> Comparison:
    stored = bench.pick(full=10_000, quick=2_000, smoke=300)
    seconds = bench.pick(full=3, quick=1, smoke=1)
    place = bench.directory / "workers"
    fill_facts(place, Texts().texts(), stored)
    with serve(place) as one, serve(place, None, "--workers", "2") as two:
        listed = ask(one.port, Request("GET", f"/v1/facts?user_id={USER}&limit=50"))
        reads = {
            "GET by id": [
                Request("GET", f"/v1/facts/{fact['id']}")
                for fact in orjson.loads(listed)
            ],
            "search": [
                Request("POST", "/v1/facts/search", _query(query))
                for query in islice(Texts(2).queries(), QUERIES)
            ],
        }
        rows = [
            Row(
                what,
                "requests/s",
                alternate(
                    {
                        TWO: _rate(two.port, requests, seconds),
                        ONE: _rate(one.port, requests, seconds),
                    },
                    rounds=min(bench.rounds, 3),
                )["rate"],
                targets={ONE: TARGET},
            )
            for what, requests in reads.items()
        ]
    return Comparison(
        TITLE,
        rows,
        [
            (
                f"memio here has two workers. Load by {TOOL} with {CLIENTS} "
                f"connections, on one file of {stored:,} facts; nothing is kept on a "
                f"core of its own. This machine has {CORES} cores, of which the load "
                "takes its share."
            ),
        ],
    )


def _query(text: str) -> bytes:
    return orjson.dumps({"query": text, "user_id": USER, "limit": 10})


def _rate(
    port: int, requests: list[Request], seconds: int
) -> Callable[[], Mapping[str, float]]:
    def measure() -> Mapping[str, float]:
        load = flood(port, requests, connections=CLIENTS, seconds=seconds)
        return {"rate": load.rate}

    return measure
