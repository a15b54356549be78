"""Start-up: from the command to the first answer, and the import alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness import OURS, Bench, Comparison, Row, alternate
from benchmarks.load import Request, ask
from benchmarks.machine import resident_bytes
from benchmarks.rivals import MEMIO_031, SERVERS
from tests.serving import free_port

TITLE = "Start-up"
ORIGINAL = "memio 0.3.1"
CONFIG_031 = "stores: {facts: {provider: trivial, config: {}}}"


def run(bench: Bench) -> Comparison:
    directory = bench.directory / "startup"
    ours, theirs = directory / "ours", directory / "memio031"
    for place in (ours, theirs):
        place.mkdir(parents=True)
    (theirs / "memio-server.yaml").write_text(CONFIG_031)
    server = str(Path(sys.executable).with_name("memio-server"))
    original = [str(MEMIO_031.python), str(SERVERS / "memio031.py")]
    samples = alternate(
        {
            OURS: _both([server], sys.executable, ours),
            ORIGINAL: _both(original, str(MEMIO_031.python), theirs),
        },
        rounds=bench.pick(full=7, quick=2, smoke=1),
    )
    return Comparison(
        TITLE,
        [
            Row("command to first 200", "ms", samples["server"], better="lower"),
            Row("import memio", "ms", samples["import"], better="lower"),
            Row("RAM of the server", "MiB", samples["memory"], better="lower"),
        ],
        [
            (
                "memio opens its four embedded stores and its embedder; memio 0.3.1 "
                "has one store in a dict, so that no provider's own start is counted. "
                "The import is that of a new interpreter, whose own start is taken "
                "off."
            ),
        ],
    )


def _both(
    command: list[str], python: str, place: Path
) -> Callable[[], Mapping[str, float]]:
    def measure() -> Mapping[str, float]:
        milliseconds, memory = _first_answer(command, place)
        return {
            "server": milliseconds,
            "memory": memory / 2**20,
            "import": _run(python, "import memio") - _run(python, "pass"),
        }

    return measure


def _run(python: str, code: str) -> float:
    started = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, cwd="/")
    return (time.perf_counter() - started) * 1000


def _first_answer(command: list[str], place: Path) -> tuple[float, int]:
    """Return the milliseconds to the first 200, and the memory then held."""
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MEMIO_")}
    with (place / "log").open("ab") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=place,
            env=environ,
            stdout=log,
            stderr=log,
        )
    try:
        while True:
            try:
                ask(port, Request("GET", "/health"))
            except OSError:
                assert process.poll() is None, (place / "log").read_text()
                time.sleep(0.002)
            else:
                taken = (time.perf_counter() - started) * 1000
                return taken, resident_bytes(process.pid)
    finally:
        process.terminate()
        process.wait()
