"""The innermost app: calls the handler and sends what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from connexion.operations import AbstractOperation
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from memio import jsontext
from memio.server.operations import OperationMiddleware
from memio.server.scope import ARGUMENTS, url
from memio.server.spec import Spec

_NO_CONTENT = 204
_JSON = (b"content-type", b"application/json")


class HandlerApp(OperationMiddleware):
    """Calls ``async def handler(...)`` by the names of its parameters.

    A handler gets the operation's parameters and ``body``, by name or as ``**query``,
    and of ``injected`` and ``url`` (path and query as they were sent) what it declares.
    It returns a value,
    ``(value, status)``, ``(value, status, headers)`` or a starlette ``Response``. The
    status is else the first 2xx that the operation declares, and 204 for None.

    Args:
        fallback: Serves what is not in the specification.
        injected: Further arguments by name.
    """

    def __init__(
        self, fallback: ASGIApp, *, spec: Spec, injected: Mapping[str, object]
    ) -> None:
        super().__init__(fallback)
        self._spec = spec
        self._injected = injected

    def compile(self, operation: AbstractOperation) -> ASGIApp:
        function: Callable[..., Any] = operation.function
        declared = self._check_signature(operation)
        constants = {k: v for k, v in self._injected.items() if k in declared}
        wants_url = "url" in declared
        default = _status_of_values(operation.responses)

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            arguments: dict[str, Any] = scope[ARGUMENTS]
            if wants_url:
                arguments["url"] = url(scope)
            value = await function(**constants, **arguments)
            if isinstance(value, Response):
                await value(scope, receive, send)
                return
            status: int | None = None
            lines: list[tuple[bytes, bytes]] = []
            if type(value) is tuple:
                value, status, *rest = value
                lines = _lines(*rest)
            if status is None:
                status = _NO_CONTENT if value is None else default
            body = b""
            if value is not None:
                body = jsontext.dumps(value)
                lines.append(_JSON)
            if status != _NO_CONTENT:
                lines.append((b"content-length", b"%d" % len(body)))
            start = {"type": "http.response.start", "status": status, "headers": lines}
            await send(start)
            await send({"type": "http.response.body", "body": body})

        return call

    def _check_signature(self, operation: AbstractOperation) -> set[str]:
        """Return the names that a handler declares.

        Raises:
            ValueError: They do not fit what the operation gives.
        """
        given = self._spec.arguments(operation.path, operation.method)
        offered = {**dict.fromkeys(self._injected, True), "url": True, **given}
        parameters = inspect.signature(operation.function).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        lacking = [name for name in given if not (takes_all or name in parameters)]
        unknown = [
            name
            for name, parameter in parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind is not parameter.VAR_KEYWORD
            and not offered.get(name)
        ]
        if lacking or unknown:
            function = operation.function
            raise ValueError(
                f"{function.__module__}.{function.__qualname__} does not fit "
                f"{operation.operation_id}: it "
                + " and ".join(
                    [f"lacks the parameter {name}" for name in lacking]
                    + [f"needs a default for {name}" for name in unknown]
                )
            )
        return set(parameters)


def _status_of_values(responses: Mapping[str, Any]) -> int:
    declared = (code for code in responses if code.startswith("2") and code != "204")
    return int(next(declared, "200"))


def _lines(headers: Mapping[str, str] | None = None) -> list[tuple[bytes, bytes]]:
    items = headers.items() if headers else ()
    return [(name.lower().encode(), _line(text)) for name, text in items]


def _line(text: str) -> bytes:
    if "\r" in text or "\n" in text:
        raise ValueError("a header value holds a line break")
    return text.encode("latin-1")
