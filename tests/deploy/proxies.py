"""Runs the proxies of ``deploy/`` for real, on ports of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from tests.contract import ROOT
from tests.serving import START_SECONDS, free_port

DEPLOY = ROOT / "deploy"


@dataclass
class Proxy:
    """A proxy in front of servers on these ports."""

    directory: Path
    servers: Sequence[int]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.directory / "proxy.log").read_text()

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Return how it is started, and with what in its environment."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        command, environ = self.command()
        with (self.directory / "proxy.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **environ}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            try:
                httpx.get(f"{self.url}/health")
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return self
        raise AssertionError(self.log)

    def __exit__(self, *_: object) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait(timeout=30)


class Nginx(Proxy):
    """nginx with ``deploy/nginx.conf``: only addresses and directories are others."""

    PROGRAM = "nginx"

    def command(self) -> tuple[list[str], dict[str, str]]:
        text = (DEPLOY / "nginx.conf").read_text()
        line = re.compile(r"^ *server memio-\d:8080( .*;)\n", re.MULTILINE)
        rest = line.findall(text)[0]
        servers = "".join(f"server 127.0.0.1:{port}{rest}\n" for port in self.servers)
        text = line.sub("", text.replace("least_conn;\n", f"least_conn;\n{servers}"))
        text = text.replace("listen 8080;", f"listen 127.0.0.1:{self.port};")
        kinds = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
        paths = "".join(
            f"{kind}_temp_path {self.directory}/{kind};\n" for kind in kinds
        )
        file = self.directory / "nginx.conf"
        file.write_text(text.replace("http {\n", f"http {{\n{paths}", 1))
        user = "user root;" if os.geteuid() == 0 else ""  # who may enter the directory
        directives = f"daemon off; pid {self.directory}/pid; {user}"
        where = ["-p", str(self.directory), "-c", str(file), "-e", "stderr"]
        return ["nginx", *where, "-g", directives], {}


class Caddy(Proxy):
    """Caddy with ``deploy/Caddyfile``, without TLS."""

    PROGRAM = "caddy"

    def command(self) -> tuple[list[str], dict[str, str]]:
        (self.directory / "Caddyfile").write_text(
            "{\n\tadmin off\n}\n" + (DEPLOY / "Caddyfile").read_text()
        )
        file = str(self.directory / "Caddyfile")
        return ["caddy", "run", "--adapter", "caddyfile", "--config", file], {
            "MEMIO_SITE": self.url,
            "MEMIO_SERVERS": " ".join(f"127.0.0.1:{port}" for port in self.servers),
            "HOME": str(self.directory),
        }


def missing(program: str) -> str:
    """Return why a test cannot run, or nothing if the program is installed."""
    if shutil.which(program):
        return ""
    return f"{program} is not installed: apt-get install {program}"
