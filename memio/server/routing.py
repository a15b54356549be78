"""Which operation a request is for, by the segments of its percent-encoded path."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from connexion.middleware.abstract import (
    ROUTING_CONTEXT,
    AbstractRoutingAPI,
    SpecMiddleware,
)
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from memio.server.errors import HttpError
from memio.server.scope import ROUTE, inner_path

_NO_OPERATION: dict[str, str | None] = {"api_base_path": None, "operation_id": None}


class _Node:
    """A place in the tree of paths.

    Attributes:
        literals: The nodes below, by segment.
        parameter: The node below for any other segment that is not empty.
        template: The path that ends here.
        operations: What may be done here: per method, the names of the path's
            parameters and what connexion's dispatch wants to know.
    """

    __slots__ = ("literals", "operations", "parameter", "template")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.template = ""
        self.operations: dict[str, tuple[list[str], dict[str, str | None]]] = {}

    def find(self, segments: list[str], at: int, values: list[str]) -> _Node | None:
        """Return the node that the rest of a path leads to; a literal goes first."""
        if at == len(segments):
            return self if self.operations else None
        segment = segments[at]
        child = self.literals.get(segment)
        if child is None and "%" in segment:
            child = self.literals.get(unquote(segment))
        if child is not None:
            found = child.find(segments, at + 1, values)
            if found is not None:
                return found
        if self.parameter is None or not segment:
            return None
        values.append(segment)
        found = self.parameter.find(segments, at + 1, values)
        if found is None:
            values.pop()
        return found

    @property
    def allow(self) -> str:
        methods = {*self.operations, "OPTIONS"}
        return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


class _API(AbstractRoutingAPI):  # type: ignore[misc]  # connexion is untyped
    """Collects the operations of a specification; connexion resolves their handlers."""

    def __init__(
        self, specification: Specification, *, root: _Node, **options: Any
    ) -> None:
        self._root = root
        self._seen: set[str] = set()
        super().__init__(specification, **options)

    def make_operation(self, operation: AbstractOperation) -> str:
        return str(operation.operation_id)

    @staticmethod
    def _framework_path_and_name(_: AbstractOperation, path: str) -> tuple[str, str]:
        return path, path

    def _add_operation_internal(
        self, method: str, path: str, operation: str, name: str | None = None
    ) -> None:
        if operation in self._seen:
            raise ValueError(f"the operationId {operation} is given twice")
        self._seen.add(operation)
        node, names = self._root, []
        for segment in f"{self.base_path}{path}".split("/")[1:]:
            if segment.startswith("{") and segment.endswith("}"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            elif "{" in segment:
                raise ValueError(f"{path}: a parameter must be a whole path segment")
            else:
                node = node.literals.setdefault(segment, _Node())
        node.template = name or path
        context = {"api_base_path": self.base_path, "operation_id": operation}
        node.operations[method.upper()] = names, context


class SegmentRouting(SpecMiddleware):  # type: ignore[misc]  # connexion is untyped
    """ASGI layer that finds the operation, as connexion's own routing would.

    A literal segment beats a parameter; an encoded slash belongs to its segment; a
    slash at the end is another path. HEAD is answered by GET, OPTIONS by the methods
    there are. ``path_params`` stay percent-encoded. A path that is not in the
    specification is passed on without an operation.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._root = _Node()

    def add_api(self, specification: Specification, **options: Any) -> _API:
        return _API(specification, root=self._root, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        values: list[str] = []
        node = self._root.find(inner_path(scope).split("/")[1:], 0, values)
        context = _NO_OPERATION
        if node is not None:
            scope[ROUTE] = node.template
            method = scope["method"]
            operation = node.operations.get(method)
            if operation is None and method == "HEAD":
                operation = node.operations.get("GET")
            if operation is None and method == "OPTIONS":
                await _send_options(node, send)
                return
            if operation is None:
                raise HttpError(
                    "method_not_allowed",
                    f"This method is not allowed here; use one of {node.allow}.",
                    headers=[(b"allow", node.allow.encode())],
                )
            names, context = operation
            scope["path_params"] = dict(zip(names, values, strict=True))
        # A new dictionary, since a server may share its own between requests.
        scope["extensions"] = {**scope.get("extensions", {}), ROUTING_CONTEXT: context}
        await self._app(scope, receive, send)


async def _send_options(node: _Node, send: Send) -> None:
    headers = [(b"allow", node.allow.encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
