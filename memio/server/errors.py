"""How every failure is answered: one table, one body, one place that makes it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from types import TracebackType

from starlette.types import ASGIApp, Receive, Scope, Send

from memio import jsontext
from memio.exceptions import (
    ConflictError,
    MemioError,
    NotConfiguredError,
    NotFoundError,
    NotSupportedError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    ValidationError,
)
from memio.server.scope import STARTED

_log = logging.getLogger("memio.errors")

Headers = Sequence[tuple[bytes, bytes]]

STATUS: dict[str, int] = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "validation_error": 422,
    "rate_limited": 429,
    "internal_error": 500,
    "not_configured": 501,
    "not_supported": 501,
    "provider_error": 502,
    "overloaded": 503,
    "provider_timeout": 504,
}
"""The status of each ``error`` that a body may name."""

ERRORS: dict[type[MemioError], str] = {
    ConflictError: "conflict",
    NotConfiguredError: "not_configured",
    NotFoundError: "not_found",
    NotSupportedError: "not_supported",
    OverloadedError: "overloaded",
    ProviderError: "provider_error",
    ProviderTimeoutError: "provider_timeout",
    ValidationError: "validation_error",
}
"""The ``error`` of each exception; a subclass is answered as its nearest base here."""

_REPORTED = {
    "internal_error": logging.ERROR,
    "provider_error": logging.WARNING,
    "provider_timeout": logging.WARNING,
}
_JSON = (b"content-type", b"application/json")
_LONGEST_ID = 80
_DEEPEST_FRAMES = 12


class HttpError(Exception):
    """A request that the edge itself refuses.

    Attributes:
        error: A key of ``STATUS``.
        detail: One sentence that says what to do, without what the request held.
        headers: Headers that the answer needs.
    """

    def __init__(self, error: str, detail: str, *, headers: Headers = ()) -> None:
        self.error = error
        self.detail = detail
        self.headers = headers
        super().__init__(detail)


class ClientDisconnected(Exception):  # noqa: N818  # it is news, not an error
    """The client went away before its request was complete."""


def invalid(place: str, problem: str) -> HttpError:
    """Return the refusal of one part of a request: ``body.content: is required``."""
    return HttpError("validation_error", f"{place}: {problem}")


def render(error: Exception) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the status, headers and body that answer an exception."""
    name = _name(error)
    provider = operation = None
    headers: Headers = ()
    if isinstance(error, HttpError):
        headers = error.headers
    elif isinstance(error, OverloadedError):
        headers = [(b"retry-after", str(error.retry_after).encode())]
    elif isinstance(error, ProviderError):
        provider, operation = error.provider, error.operation
    body = jsontext.dumps(
        {
            "error": name,
            "detail": _detail(error, name),
            "provider": provider,
            "operation": operation,
        }
    )
    length = b"%d" % len(body)
    return STATUS[name], [_JSON, (b"content-length", length), *headers], body


def _name(error: Exception) -> str:
    if isinstance(error, HttpError):
        return error.error
    for kind in type(error).__mro__:
        if kind in ERRORS:
            return ERRORS[kind]
    return "internal_error"


def _detail(error: Exception, name: str) -> str:
    if isinstance(error, NotFoundError):
        is_long = len(error.resource_id) > _LONGEST_ID
        return f"{error.resource} not found" if is_long else str(error)
    if name == "internal_error":
        return (
            "The server failed to carry this out; its log says more "
            "under the X-Request-ID of this answer."
        )
    if isinstance(error, NotSupportedError):
        sentence = f"The {error.provider} provider does not support {error.operation}"
        return f"{sentence}: {error.hint}" if error.hint else f"{sentence}."
    if isinstance(error, ProviderTimeoutError):
        return (
            f"The {error.provider} provider did not answer in time; "
            "a write may have been carried out."
        )
    if isinstance(error, ProviderError):
        # What the provider said stays out: it may hold secrets, paths or memories.
        return (
            f"The {error.provider} provider failed to carry out {error.operation}; "
            "the server's log says more under the X-Request-ID of this answer."
        )
    return str(error)


class Errors:
    """ASGI layer that answers whatever the layers below it raise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001  # the one place that answers all
            status, headers, body = render(error)
            if status >= STATUS["internal_error"]:
                _report(error)
            if STARTED in scope:
                return  # The server cuts the connection: the answer is incomplete.
            await send(
                {"type": "http.response.start", "status": status, "headers": headers}
            )
            await send({"type": "http.response.body", "body": body})


def _report(error: Exception) -> None:
    """Log what the operator must look into, without any message: it may quote."""
    name = _name(error)
    if name not in _REPORTED:
        return
    fields = {"error": name}
    if isinstance(error, ProviderError):
        fields |= {"provider": error.provider, "operation": error.operation}
    fields["raised"] = " from ".join(map(_describe, _causes(error)))
    _log.log(_REPORTED[name], "request failed", extra={"fields": fields})


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        yield step
        cause = step.cause if isinstance(step, ProviderError) else step.__cause__
        step = cause or step.__context__


def _describe(error: BaseException) -> str:
    kind = type(error)
    frames = [
        f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        for frame in _frames(error.__traceback__)
    ]
    where = " > ".join(frames[-_DEEPEST_FRAMES:])
    return f"{kind.__module__}.{kind.__qualname__} at {where or 'no frame'}"


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next
