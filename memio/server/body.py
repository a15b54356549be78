"""The request body: JSON, of bearable size, in time, and as its schema says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

from starlette.types import Message, Receive

from memio import jsontext
from memio.server.errors import ClientDisconnected, HttpError, invalid
from memio.server.schemas import Schemas
from memio.server.settings import EdgeSettings

_JSON = "application/json"
_JSON_BYTES = b"application/json"
_LONGEST_LENGTH = 20  # digits of a Content-Length that are worth reading
_CLOSE = [(b"connection", b"close")]


class _Begun:
    """The rest of waiting for something of which the first step has been taken.

    Args:
        waiting: What goes on with it.
        awaited: What it waits for, as its first step told.
    """

    def __init__(self, waiting: Generator[Any, Any, Message], awaited: Any) -> None:
        self._waiting = waiting
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Message]:
        try:
            yield self._awaited
        except BaseException:
            self._waiting.close()
            raise
        return (yield from self._waiting)


class Body:
    """Reads the body of one operation.

    Args:
        written: The operation's ``requestBody``.
        settings: How long a body may be, and how long it may take.

    Raises:
        ValueError: The operation takes something else than JSON.
    """

    def __init__(
        self, written: dict[str, Any], *, schemas: Schemas, settings: EdgeSettings
    ) -> None:
        if list(written["content"]) != [_JSON]:
            raise ValueError(f"a request body must be {_JSON} and nothing else")
        self._check = schemas.compile(written["content"][_JSON].get("schema", {}))
        self.required: bool = written.get("required", False)
        self._limit = settings.body_limit
        self._timeout = settings.body_timeout

    def accept(self, headers: dict[bytes, bytes]) -> None:
        """Look at what the headers announce, before anything is read.

        Raises:
            HttpError: 415, 413.
        """
        kind = headers.get(b"content-type", _JSON_BYTES)
        if kind != _JSON_BYTES and _essence(kind) != _JSON_BYTES:
            raise HttpError(
                "unsupported_media_type",
                "Send the body as JSON, with Content-Type: application/json.",
            )
        coding = headers.get(b"content-encoding")
        if coding is not None and coding.lower() != b"identity":
            raise HttpError(
                "unsupported_media_type", "Send the body without a Content-Encoding."
            )
        length = headers.get(b"content-length")
        if length and length.isdigit() and int(length[:_LONGEST_LENGTH]) > self._limit:
            raise self._too_large()

    def read(self, receive: Receive) -> bytes | Awaitable[bytes]:
        """Return the whole body if it has arrived, or what waits for it.

        Raises:
            HttpError: 413; 422 if it does not arrive in time.
            ClientDisconnected: It never will.
        """
        waiting = receive().__await__()
        try:
            awaited = next(waiting)
        except StopIteration as done:
            message: Message = done.value
            if message.get("more_body") or message["type"] != "http.request":
                return self._read_on(_here(message), receive)
            data: bytes = message.get("body", b"")
            if len(data) > self._limit:
                raise self._too_large(headers=_CLOSE) from None
            return data
        return self._read_on(_Begun(waiting, awaited), receive)

    async def _read_on(self, first: Awaitable[Message], receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._collect(await first, receive)
        except TimeoutError:
            raise HttpError(
                "validation_error",
                f"The body did not arrive within {self._timeout:g} seconds.",
                headers=_CLOSE,
            ) from None

    async def _collect(self, message: Message, receive: Receive) -> bytes:
        chunks = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if size > self._limit:
                raise self._too_large(headers=_CLOSE)
            if not message.get("more_body", False):
                return b"".join(chunks)
            message = await receive()

    def parse(self, data: bytes) -> Any:
        """Return the value that a body holds.

        Raises:
            HttpError: 422; it is not JSON or not what the schema asks for.
        """
        if not data:
            raise invalid("body", "is required")
        try:
            value = jsontext.loads(data)
        except ValueError as error:
            raise invalid("body", str(error)) from None
        self._check(value, "body")
        return value

    def _too_large(self, headers: list[tuple[bytes, bytes]] | None = None) -> HttpError:
        return HttpError(
            "payload_too_large",
            f"The body is longer than {self._limit} bytes; send less at once.",
            headers=headers or (),
        )


async def _here(message: Message) -> Message:
    return message


def _essence(kind: bytes) -> bytes:
    """Return a media type without its parameters; JSON has but one encoding."""
    return kind.partition(b";")[0].strip().lower()
