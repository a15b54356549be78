"""A real Chroma server, started by the command that comes with its package."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.serving import free_port

START_SECONDS = 60


@contextmanager
def chroma_server(directory: Path) -> Iterator[int]:
    """Run ``chroma run`` on a directory and give its port on 127.0.0.1."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("chroma")), "run"]
    with (directory / "chroma.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--path", str(directory / "data"), "--port", str(port)],
            cwd=directory,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/api/v2/heartbeat")
        yield port
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "chroma run has ended; see chroma.log"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"no answer in {START_SECONDS} s")
