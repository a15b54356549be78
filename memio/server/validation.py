"""The layer that turns a request into validated handler arguments."""

from __future__ import annotations

from collections.abc import Awaitable

from connexion.operations import AbstractOperation
from starlette.types import ASGIApp, Receive, Scope, Send

from memio.server.body import Body
from memio.server.operations import OperationMiddleware, app_below
from memio.server.parameters import Parameters
from memio.server.schemas import Schemas
from memio.server.scope import ARGUMENTS, HEADERS
from memio.server.settings import EdgeSettings
from memio.server.spec import Spec


class RequestValidation(OperationMiddleware):
    """ASGI layer that leaves the handler's arguments in the scope, or refuses.

    It looks at the media type and announced size, then at the parameters, and then
    reads the body. A body that the operation does not take is left unread.
    """

    def __init__(self, app: ASGIApp, *, spec: Spec, settings: EdgeSettings) -> None:
        super().__init__(app)
        self._spec = spec
        self._settings = settings
        self._schemas = Schemas(spec)

    def compile(self, operation: AbstractOperation) -> ASGIApp:
        path, method = operation.path, operation.method
        app = app_below(self.app, operation)
        parameters = Parameters(self._spec, self._schemas, path, method)
        written = self._spec.request_body(path, method)
        if written is None:

            def without_body(
                scope: Scope, receive: Receive, send: Send
            ) -> Awaitable[None]:
                scope[ARGUMENTS] = parameters.read(scope)
                return app(scope, receive, send)

            return without_body
        body = Body(written, schemas=self._schemas, settings=self._settings)

        async def with_body(scope: Scope, receive: Receive, send: Send) -> None:
            body.accept(scope[HEADERS])
            arguments = parameters.read(scope)
            read = body.read(receive)
            data = read if isinstance(read, bytes) else await read
            if data or body.required:
                arguments["body"] = body.parse(data)
            scope[ARGUMENTS] = arguments
            await app(scope, receive, send)

        return with_body
