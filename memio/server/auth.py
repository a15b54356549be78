"""Who may call an operation: whoever sends one of the API keys as a bearer token."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from hmac import compare_digest
from typing import Any

from connexion.operations import AbstractOperation
from starlette.types import ASGIApp, Receive, Scope, Send

from memio.server.errors import HttpError
from memio.server.operations import OperationMiddleware, app_below
from memio.server.scope import HEADERS

_CHALLENGE = [(b"www-authenticate", b"Bearer")]


class BearerSecurity(OperationMiddleware):
    """ASGI layer that refuses requests without a key, before their body is read.

    It costs nothing where an operation is open or no key is configured.
    """

    def __init__(self, app: ASGIApp, *, keys: Sequence[str]) -> None:
        super().__init__(app)
        self._keys = [key.encode() for key in keys]

    def compile(self, operation: AbstractOperation) -> ASGIApp:
        app = app_below(self.app, operation)
        requirements: list[dict[str, Any]] = operation.security or []
        for scheme in {name for requirement in requirements for name in requirement}:
            definition = operation.security_schemes.get(scheme, {})
            if (definition.get("type"), definition.get("scheme")) != ("http", "bearer"):
                raise ValueError(
                    f"{operation.operation_id} asks for the security scheme {scheme}, "
                    "which is not an http bearer scheme of components"
                )
        if not self._keys or not requirements or {} in requirements:
            return app

        def guarded(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            self._check(scope)
            return app(scope, receive, send)

        return guarded

    def _check(self, scope: Scope) -> None:
        given = scope[HEADERS].get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer":
            raise HttpError(
                "unauthorized",
                "Send an API key of this server as 'Authorization: Bearer <key>'.",
                headers=_CHALLENGE,
            )
        token = token.strip()
        # Every key is compared, so that the time taken tells nothing about them.
        if not sum([compare_digest(key, token) for key in self._keys]):
            raise HttpError(
                "unauthorized",
                "This is not an API key of this server; ask its operator for one.",
                headers=_CHALLENGE,
            )
