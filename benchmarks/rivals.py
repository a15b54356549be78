"""Rivals: their environments, which the bench makes, and the servers that run there."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.serving import Server

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / "build" / "bench"
SERVERS = HERE / "servers"

CORES = os.cpu_count() or 1
SERVER_CORE = 0 if CORES > 1 else None
LOAD_CORE = 1 if CORES > 1 else None


@dataclass(frozen=True, slots=True)
class Rival:
    """Something that memio is compared with, pinned in ``rivals/<name>.txt``."""

    name: str

    @property
    def python(self) -> Path:
        return ENVIRONMENTS / self.name / "venv" / "bin" / "python"

    def install(self) -> None:
        """Make the environment, unless it is there and as the pins say."""
        pins = HERE / "rivals" / f"{self.name}.txt"
        wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
        stamp = ENVIRONMENTS / self.name / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"installing {self.name} into {self.python.parents[1]}", flush=True)
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", self.python.parents[1]],
            check=True,
        )
        subprocess.run([*self._pip, "install", "-qq", "-r", pins], check=True)
        stamp.write_text(wanted)

    def versions(self) -> dict[str, str]:
        """Return every package of the environment, with its version."""
        done = subprocess.run(
            [*self._pip, "list", "--format=json"], capture_output=True, check=True
        )
        return {each["name"]: each["version"] for each in json.loads(done.stdout)}

    @property
    def _pip(self) -> list[str]:
        return [str(self.python), "-m", "pip", "--disable-pip-version-check"]


MEMIO_031 = Rival("memio031")
STARLETTE = Rival("starlette")
MEM0 = Rival("mem0")
RIVALS = (MEMIO_031, STARLETTE, MEM0)


def serve(
    directory: Path,
    script: str | None = None,
    *arguments: str,
    python: str | Path = sys.executable,
    config: str = "",
    pinned: bool = False,
    kind: type[Server] = Server,
) -> Server:
    """Make a server: memio's own command, or a script of ``servers``.

    Args:
        pinned: Keep it on one core, so that what makes the load has the other one.
    """
    command = [str(Path(python).with_name("memio-server"))]
    if script is not None:
        command = [str(python), str(SERVERS / script)]
    if pinned and SERVER_CORE is not None:
        command = ["taskset", "-c", str(SERVER_CORE), *command]
    return kind(directory, config=config, arguments=arguments, command=tuple(command))


def pid_of(server: Server) -> int:
    assert server.process
    return server.process.pid
