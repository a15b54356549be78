"""A Chroma client, shared by the stores of a server."""

from __future__ import annotations

import fcntl
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.config import Settings

from memio.exceptions import SetupError

_log = logging.getLogger("memio")


@dataclass(frozen=True, slots=True)
class Form:
    """Where Chroma is: in a directory, in a server, or with neither in memory.

    Attributes:
        timeout: Seconds that the server may be silent.
    """

    directory: str = ""
    host: str = ""
    port: int = 8000
    ssl: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    tenant: str = "default_tenant"
    database: str = "default_database"
    timeout: float = 0

    def __str__(self) -> str:
        if self.host:
            return f"chroma at {self.host}:{self.port}"
        return f"chroma in {self.directory or 'memory'}"

    def connect(self) -> ClientAPI:
        """Make a client; blocks."""
        settings = Settings(anonymized_telemetry=False)
        place = {"tenant": self.tenant, "database": self.database}
        if self.directory:
            return chromadb.PersistentClient(
                str(Path(self.directory).absolute()), settings=settings, **place
            )
        if not self.host:
            return chromadb.EphemeralClient(settings=settings, **place)
        client = chromadb.HttpClient(
            self.host,
            self.port,
            ssl=self.ssl,
            headers=dict(self.headers),
            settings=settings,
            **place,
        )
        for session in _sessions(client):
            # Chroma's own is to wait for ever, in a thread that nobody can stop.
            session.timeout = httpx.Timeout(self.timeout)
        return client


class ChromaEngine:
    """A client, made by the first store that opens and closed by the last.

    Args:
        source: Where Chroma is, or a client that is somebody else's.
    """

    def __init__(self, source: Form | ClientAPI) -> None:
        self._form = source if isinstance(source, Form) else None
        self._client = None if isinstance(source, Form) else source
        self._users = 0
        self._claimed: set[str] = set()
        self._lock: IO[bytes] | None = None
        self._changing = threading.Lock()  # stores open and close in their own threads

    def __str__(self) -> str:
        return str(self._form or "chroma")

    @property
    def client(self) -> ClientAPI:
        """The client; there is one once the engine is open."""
        if self._client is None:
            raise ConnectionError("Chroma is not open")
        return self._client

    def claim(self, collection_name: str) -> None:
        """Note that a store has a collection.

        Raises:
            SetupError: Another store has it.
        """
        if collection_name in self._claimed:
            raise SetupError(
                f"Two stores have the collection '{collection_name}' in {self}; "
                "give each a collection_name of its own."
            )
        self._claimed.add(collection_name)

    def open(self) -> None:
        """Connect; blocks. Each call wants one ``close``.

        Raises:
            SetupError: Another process works in the directory.
        """
        with self._changing:
            if self._form and self._client is None:
                if self._form.directory:
                    self._lock = _lock(Path(self._form.directory))
                try:
                    self._client = self._form.connect()
                except BaseException:
                    self._unlock()
                    raise
                if not (self._form.directory or self._form.host):
                    _log.warning(
                        "%s: what is stored is gone when the server ends; to keep it, "
                        "set persist_directory or host",
                        self,
                    )
            self._users += 1

    def close(self) -> None:
        """Let go; the last to do so closes the client."""
        with self._changing:
            self._users -= 1
            if self._form and self._client and not self._users:
                client, self._client = self._client, None
                # What is in memory lives as long as the process.
                if self._form.host:
                    for session in _sessions(client):
                        session.close()  # as Chroma's own close does not
                if self._form.directory or self._form.host:
                    client.close()  # type: ignore[attr-defined]  # every Client has it
                self._unlock()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None


def _sessions(client: ClientAPI) -> list[httpx.Client]:
    """Return a client's connections to its server, which Chroma keeps to itself."""
    parts: tuple[Any, ...] = (client, client._admin_client)  # type: ignore[attr-defined]  # noqa: SLF001
    return [part._server._session for part in parts]  # noqa: SLF001


def _lock(directory: Path) -> IO[bytes]:
    """Keep other processes out, whose index would not see what this one writes."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "memio.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SetupError(
            f"Another process works in {directory}; stop it, or start a server with "
            "`chroma run` and give both its host."
        ) from error
    return lock
