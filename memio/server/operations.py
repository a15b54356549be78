"""A connexion middleware that compiles each operation once, when the server starts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any

from connexion.middleware.abstract import RoutedAPI, SpecMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send


class _API(RoutedAPI):  # type: ignore[misc]  # connexion is untyped
    def __init__(
        self,
        specification: Specification,
        *,
        middleware: OperationMiddleware,
        **options: Any,
    ) -> None:
        super().__init__(specification, next_app=middleware.app, **options)
        self._middleware = middleware
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> ASGIApp:
        compiled = self._middleware.compile(operation)
        self._middleware.compiled[operation.operation_id] = compiled
        return compiled


class OperationMiddleware(SpecMiddleware):  # type: ignore[misc]  # connexion is untyped
    """A layer of which every operation has a compiled app of its own.

    connexion compiles the innermost layer first, so that an app can hold the one below
    it and a request need not look for it in every layer. What is called as a layer is
    therefore no operation, and goes to ``app``, the next layer.

    Attributes:
        compiled: Operation id -> its app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compiled: dict[str, ASGIApp] = {}

    def add_api(self, specification: Specification, **options: Any) -> _API:
        return _API(specification, middleware=self, **options)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self.app(scope, receive, send)

    @abstractmethod
    def compile(self, operation: AbstractOperation) -> ASGIApp:
        """Make the app that serves this layer of an operation.

        Raises:
            ValueError: The layer cannot do what the operation asks for.
        """


def app_below(app: ASGIApp, operation: AbstractOperation) -> ASGIApp:
    """Return what serves an operation from the layer ``app`` on."""
    if isinstance(app, LifespanMiddleware):  # it has no part in requests
        app = app.next_app
    if isinstance(app, OperationMiddleware):
        return app.compiled[operation.operation_id]
    return app
