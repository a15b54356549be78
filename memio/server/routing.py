"""Which operation a request is for, by the segments of its percent-encoded path."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import unquote

from connexion.middleware.abstract import AbstractRoutingAPI, SpecMiddleware
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from memio.server.errors import HttpError
from memio.server.operations import app_below
from memio.server.scope import PATH_VALUES, ROUTE, inner_path


class _Node:
    """A place in the tree of paths.

    Attributes:
        literals: The nodes below, by segment.
        parameter: The node below for any other segment that is not empty.
        template: The path that ends here.
        operations: What may be done here: method -> app.
    """

    __slots__ = ("literals", "operations", "parameter", "template")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.template = ""
        self.operations: dict[str, ASGIApp] = {}

    def find(self, segments: list[str], at: int, values: list[str]) -> _Node | None:
        """Return the node that the rest of a path leads to; a literal goes first."""
        node = self
        kept = len(values)
        for place in range(at, len(segments)):
            segment = segments[place]
            child = node.literals.get(segment)
            if child is None and "%" in segment:
                child = node.literals.get(unquote(segment))
            if child is not None:
                if node.parameter is None:
                    node = child
                    continue
                found = child.find(segments, place + 1, values)
                if found is not None:
                    return found
            if node.parameter is None or not segment:
                del values[kept:]
                return None
            values.append(segment)
            node = node.parameter
        if node.operations:
            return node
        del values[kept:]
        return None

    @property
    def allow(self) -> str:
        methods = {*self.operations, "OPTIONS"}
        return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


class _API(AbstractRoutingAPI):  # type: ignore[misc]  # connexion is untyped
    """Collects the operations of a specification; connexion resolves their handlers."""

    def __init__(
        self,
        specification: Specification,
        *,
        root: _Node,
        app: ASGIApp,
        **options: Any,
    ) -> None:
        self._root = root
        self._app = app
        self._seen: set[str] = set()
        super().__init__(specification, **options)

    def make_operation(self, operation: AbstractOperation) -> ASGIApp:
        name = operation.operation_id
        if name in self._seen:
            raise ValueError(f"the operationId {name} is given twice")
        self._seen.add(name)
        return app_below(self._app, operation)

    @staticmethod
    def _framework_path_and_name(_: AbstractOperation, path: str) -> tuple[str, str]:
        return path, path

    def _add_operation_internal(
        self, method: str, path: str, operation: ASGIApp, name: str | None = None
    ) -> None:
        node = self._root
        for segment in f"{self.base_path}{path}".split("/")[1:]:
            if segment.startswith("{") and segment.endswith("}"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            elif "{" in segment:
                raise ValueError(f"{path}: a parameter must be a whole path segment")
            else:
                node = node.literals.setdefault(segment, _Node())
        node.template = name or path
        node.operations[method.upper()] = operation


class SegmentRouting(SpecMiddleware):  # type: ignore[misc]  # connexion is untyped
    """ASGI layer that finds the operation and calls the app compiled for it.

    A literal segment beats a parameter; an encoded slash belongs to its segment; a
    slash at the end is another path. HEAD is answered by GET, OPTIONS by the methods
    there are. What stands for the path's parameters is left in the scope, still
    percent-encoded. A path that is not in the specification goes to the next layer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._root = _Node()

    def add_api(self, specification: Specification, **options: Any) -> _API:
        return _API(specification, root=self._root, app=self._app, **options)

    # Not async, which would be one more coroutine for each request.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        values: list[str] = []
        node = self._root.find(inner_path(scope).split("/"), 1, values)
        if node is None:
            return self._app(scope, receive, send)
        scope[ROUTE] = node.template
        scope[PATH_VALUES] = values
        method = scope["method"]
        app = node.operations.get(method)
        if app is not None:
            return app(scope, receive, send)
        if method == "OPTIONS":
            return _send_options(node, send)
        if method == "HEAD" and "GET" in node.operations:
            return node.operations["GET"](scope, receive, send)
        raise HttpError(
            "method_not_allowed",
            f"This method is not allowed here; use one of {node.allow}.",
            headers=[(b"allow", node.allow.encode())],
        )


async def _send_options(node: _Node, send: Send) -> None:
    headers = [(b"allow", node.allow.encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
