"""A connexion middleware that compiles each operation once, when the server starts."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.types import ASGIApp


class _API(RoutedAPI):  # type: ignore[misc]  # connexion is untyped
    def __init__(
        self,
        specification: Specification,
        *,
        middleware: OperationMiddleware,
        **options: Any,
    ) -> None:
        super().__init__(specification, **options)
        self._middleware = middleware
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> ASGIApp:
        return self._middleware.compile(operation)


class OperationMiddleware(RoutedMiddleware):  # type: ignore[misc]  # connexion is untyped
    """Calls the app that ``compile`` made for the operation that was routed to.

    A request without an operation goes to ``app``, the next layer.
    """

    app: ASGIApp
    api_cls = _API

    def add_api(self, specification: Specification, **options: Any) -> _API:
        options["middleware"] = self
        api: _API = super().add_api(specification, **options)
        return api

    @abstractmethod
    def compile(self, operation: AbstractOperation) -> ASGIApp:
        """Make the app that serves this layer of an operation.

        Raises:
            ValueError: The layer cannot do what the operation asks for.
        """
