"""Facts, one caller after the other: memio over HTTP, Mem0 open source in-process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import orjson

from benchmarks.filling import fill_facts
from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import Request, send
from benchmarks.rivals import MEM0, SERVERS, serve
from benchmarks.texts import Texts

TITLE = "Facts"
RIVAL = "Mem0 in-process"
USER = "user-0"
_DOES = ("create", "list", "search")


def run(bench: Bench) -> Comparison:
    stored = bench.pick(full=1_000, quick=300, smoke=50)
    calls = bench.pick(full=100, quick=50, smoke=10)
    directory = bench.directory / "facts"
    fill_facts(directory / "ours", Texts().texts(), stored)
    mem0 = subprocess.Popen(
        [MEM0.python, SERVERS / "mem0_facts.py", directory / "mem0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(bench.directory / "mem0.log").open("w"),
        text=True,
    )
    with mem0, serve(directory / "ours") as server:
        tell = _teller(mem0)
        tell("add", list(islice(Texts().texts(), stored)))
        samples = alternate(
            {
                OURS: _ours(server.port, calls),
                RIVAL: _theirs(tell, calls),
            },
            rounds=bench.rounds,
        )
        assert mem0.stdin
        mem0.stdin.close()
    return Comparison(
        TITLE,
        [
            Row(f"{what} at {stored:,}", "calls/s", samples[what], targets={RIVAL: 3.0})
            for what in _DOES
        ],
        [
            (
                "One caller, one call at a time. memio is called over HTTP, with all "
                "that this costs; Mem0 is a library here, called without any network: "
                "infer off, no LLM, its default store (Qdrant, on disk), the embedder "
                "of memio put in. A list has 100 facts, a search the best 10 of one "
                "user."
            ),
        ],
    )


def _ours(port: int, calls: int) -> Callable[[], Mapping[str, float]]:
    texts = Texts(2)
    new, asked = texts.texts(), texts.queries()

    def creates() -> Iterator[bytes]:
        for text in islice(new, calls):
            body = orjson.dumps({"content": text, "user_id": USER})
            yield Request("POST", "/v1/facts", body).raw

    def searches() -> Iterator[bytes]:
        for query in islice(asked, calls):
            body = orjson.dumps({"query": query, "user_id": USER, "limit": 10})
            yield Request("POST", "/v1/facts/search", body).raw

    lists = [Request("GET", f"/v1/facts?user_id={USER}&limit=100").raw] * calls

    def measure() -> Mapping[str, float]:
        return {
            "create": send(port, creates(), clients=1, status=201).rate,
            "list": send(port, lists, clients=1, status=200).rate,
            "search": send(port, searches(), clients=1, status=200).rate,
        }

    return measure


def _theirs(
    tell: Callable[[str, list[str]], float], calls: int
) -> Callable[[], Mapping[str, float]]:
    texts = Texts(2)
    new, asked = texts.texts(), texts.queries()

    def measure() -> Mapping[str, float]:
        return {
            "create": calls / tell("add", list(islice(new, calls))),
            "list": calls / tell("list", [""] * calls),
            "search": calls / tell("search", list(islice(asked, calls))),
        }

    return measure


def _teller(process: subprocess.Popen[str]) -> Callable[[str, list[str]], float]:
    """Return what tells the process to do something and returns the seconds."""

    def tell(what: str, texts: list[str]) -> float:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([what, texts]) + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return tell
