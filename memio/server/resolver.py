"""Which function handles an operation: found by tag and operationId alone."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from connexion.exceptions import ResolverError
from connexion.operations import AbstractOperation
from connexion.resolver import Resolution, Resolver

from memio.server.spec import Spec, argument_name

_OWN = {"meta": "memio.server.pages"}


def find_handlers() -> str:
    """Return the package that holds the handlers: of the wheel, else of a checkout."""
    installed = importlib.util.find_spec("memio.handlers") is not None
    return "memio.handlers" if installed else "handlers"


class HandlerResolver(Resolver):  # type: ignore[misc]  # connexion is untyped
    """Resolves tag ``facts`` and operationId ``createFact`` to ``facts.create_fact``.

    What the handlers do not have, the edge itself may: the pages about the document.

    Args:
        package: The package that has one module per tag.
    """

    def __init__(self, package: str, *, spec: Spec) -> None:
        super().__init__()
        self._package = package
        self._spec = spec

    def resolve(self, operation: AbstractOperation) -> Resolution:
        """Find the function of an operation.

        Raises:
            ResolverError: There is none, or it is not async.
        """
        written = self._spec.operation(operation.path, operation.method)
        name, tags = written.get("operationId"), written.get("tags", [])
        if not name or len(tags) != 1:
            raise ResolverError(
                f"{operation.method.upper()} {operation.path} needs an operationId "
                "and exactly one tag, by which its handler is found"
            )
        return Resolution(self._find(name, tags[0]), name)

    def _find(self, operation_id: str, tag: str) -> Callable[..., Any]:
        places = [f"{self._package}.{tag}"]
        places += [_OWN[tag]] if tag in _OWN else []
        name = argument_name(operation_id)
        for place in places:
            function = getattr(_module(place), name, None)
            if inspect.iscoroutinefunction(function):
                return function
        raise ResolverError(
            f"The operation {operation_id} (tag {tag}) has no handler: "
            f"add 'async def {name}' to {places[0]}."
        )


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise  # the module is there, but something that it imports is not
