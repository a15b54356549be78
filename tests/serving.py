"""Starts the real memio-server in a process of its own, as an operator would."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

SERVER = Path(sys.executable).with_name("memio-server")
START_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A memio-server that works in a directory, where it also leaves its log."""

    directory: Path
    config: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = (str(SERVER),)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.directory / "server.log"

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "memio-server.yaml"
        if self.config:
            config.write_text(self.config)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MEMIO_")}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "--port", str(self.port), *self.arguments],
                cwd=self.directory,
                env={**inherited, **self.environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()
        return self

    def _wait(self) -> None:
        assert self.process
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            try:
                if httpx.get(f"{self.url}/health").status_code < 500:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"no answer in {START_SECONDS} s\n{self.log}")

    def stop(self) -> int:
        """Stop it as an operator does and return its exit code."""
        assert self.process
        self.process.terminate()
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """End it, and its workers, as a power cut does."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.is_running:
            self.stop()
