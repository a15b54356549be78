"""A Qdrant client and the calls on it, shared by the stores of a server."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx
from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import (
    ResponseHandlingException,
    UnexpectedResponse,
)

from memio.calls import Calls
from memio.exceptions import ProviderError, SetupError

MEMORY: Final = ":memory:"
OLDEST: Final = (1, 17)
"""The first server that can insert a point only if there is none."""

_PASSING: Final = (429, 502, 503, 504)

_log = logging.getLogger("memio")


@dataclass(frozen=True, slots=True)
class Form:
    """Where Qdrant is: in a server, in a directory, or with neither in memory.

    Attributes:
        timeout: Seconds that an operation may take.
    """

    url: str = ""
    api_key: str = field(default="", repr=False)
    path: str = ""
    timeout: float = 30.0

    def __str__(self) -> str:
        return (
            f"qdrant at {self.url}"
            if self.url
            else f"qdrant in {self.path or 'memory'}"
        )

    def connect(self) -> AsyncQdrantClient | QdrantClient:
        """Make a client; reads a directory, and blocks then."""
        if self.url:
            return AsyncQdrantClient(
                url=self.url,
                api_key=self.api_key or None,
                timeout=math.ceil(self.timeout),
                check_compatibility=False,
            )
        if self.path:
            return QdrantClient(path=self.path, force_disable_check_same_thread=True)
        return QdrantClient(MEMORY)


class QdrantEngine:
    """A client, made by the first store that opens and closed by the last.

    Args:
        source: Where Qdrant is, or a client that is somebody else's.
        timeout: Seconds that an operation of somebody else's client may take.
    """

    def __init__(
        self, source: Form | AsyncQdrantClient, *, timeout: float = 30.0
    ) -> None:
        self._form = source if isinstance(source, Form) else None
        self._client: Any = None if isinstance(source, Form) else source
        self._users = 0
        self._claimed: set[str] = set()
        self._opening = asyncio.Lock()
        # One thread: an embedded Qdrant loses writes that several make.
        self._calls = Calls(
            "qdrant",
            timeout=source.timeout if isinstance(source, Form) else timeout,
            is_transient=_is_transient,
            is_timeout=_is_timeout,
            threads=1,
        )

    def __str__(self) -> str:
        return str(self._form or "qdrant")

    @property
    def is_embedded(self) -> bool:
        """Whether there is no server behind it; known once it is open."""
        options = self._client.init_options
        return bool(options["path"]) or options["location"] == MEMORY

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

    async def open(self) -> None:
        """Connect; each call wants one ``close``.

        Raises:
            ProviderError: It is not to be reached.
            SetupError: The server is too old.
        """
        async with self._opening:
            if self._form and self._client is None:
                connect = self._form.connect
                self._client = await self._calls.run_blocking("open", connect)
                try:
                    if self._form.url:
                        await self._check_version()
                except BaseException:
                    await self._disconnect("open")
                    raise
                if not (self._form.url or self._form.path):
                    _log.warning(
                        "%s: what is stored is gone when the server ends; to keep it, "
                        "set path or url",
                        self,
                    )
            self._users += 1

    async def close(self) -> None:
        """Let go; the last to do so closes the client."""
        self._users -= 1
        if self._users:
            return
        try:
            # What is in memory stays for whoever opens it next.
            if self._form and (self._form.url or self._form.path):
                await self._disconnect("close")
        finally:
            self._calls.close()

    async def call(
        self,
        operation: str,
        method: str,
        read: Callable[[Any], Any] = lambda answer: answer,
        *,
        idempotent: bool = False,
        **arguments: Any,
    ) -> Any:
        """Call a method of the client and return what ``read`` makes of the answer.

        Raises:
            ProviderError: It failed.
        """
        if self._client is None:
            closed = ConnectionError("Qdrant is not open")
            raise ProviderError("qdrant", operation, closed)
        work = partial(getattr(self._client, method), **arguments)
        if isinstance(self._client, QdrantClient):
            return await self._calls.run_blocking(
                operation, lambda: read(work()), idempotent=idempotent
            )

        async def run() -> Any:
            return read(await work())

        return await self._calls.run(operation, run, idempotent=idempotent)

    async def _check_version(self) -> None:
        def read(info: Any) -> tuple[str, tuple[int, ...]]:
            return info.version, tuple(map(int, info.version.split(".")[:2]))

        version, numbers = await self.call("open", "info", read, idempotent=True)
        if numbers < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise SetupError(
                f"{self} is of version {version}; memio needs {oldest} or newer."
            )

    async def _disconnect(self, operation: str) -> None:
        try:
            await self.call(operation, "close")
        finally:
            self._client = None


def _is_transient(error: Exception) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code in _PASSING
    if isinstance(error, ResponseHandlingException):
        return isinstance(error.source, httpx.TransportError)
    return isinstance(error, ResourceExhaustedResponse)


def _is_timeout(error: Exception) -> bool:
    source = error.source if isinstance(error, ResponseHandlingException) else error
    return isinstance(source, httpx.TimeoutException)
