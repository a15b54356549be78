"""The ASGI application: connexion's stack, its layers compiled at start-up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from connexion.middleware import ConnexionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from memio.client import Memio
from memio.server.auth import BearerSecurity
from memio.server.docs import serve_assets
from memio.server.errors import Errors
from memio.server.handler_app import HandlerApp
from memio.server.requestlog import RequestLog
from memio.server.resolver import HandlerResolver, find_handlers
from memio.server.routing import SegmentRouting
from memio.server.settings import EdgeSettings
from memio.server.spec import Spec
from memio.server.validation import RequestValidation


class _App(ConnexionMiddleware):  # type: ignore[misc]  # connexion is untyped
    """Builds its stack when the lifespan starts; if it cannot, the server must stop."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.middleware_stack is not None:
            await self.app(scope, receive, send)
            return
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan" and self.middleware_stack is None:
                # Without this word a server may take it that there is no lifespan.
                message = {"type": "lifespan.startup.failed", "message": str(error)}
                await send(message)
            raise


def create_app(
    *,
    memio: Memio,
    settings: EdgeSettings | None = None,
    spec: Spec | None = None,
    handlers: str | None = None,
) -> ASGIApp:
    """Make the application that serves a specification over stores.

    It opens ``memio`` when the server starts and closes it when the server stops.
    A handler that is missing or does not fit its operation fails that start.

    Args:
        memio: What the handlers work on.
        settings: Of the edge; by default it is open to everybody.
        spec: What to serve; by default memio's own ``openapi.yaml``.
        handlers: Package with one module per tag; by default memio's own.

    Raises:
        InvalidSpecification: connexion finds a fault in the specification.
    """
    settings = settings or EdgeSettings()
    spec = spec or Spec.load()

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with memio:
            yield

    app = _App(
        HandlerApp(
            serve_assets,
            spec=spec,
            injected={"memio": memio, "spec": spec, "settings": settings},
        ),
        import_name="memio.server",
        lifespan=lifespan,
        middlewares=[
            RequestLog,
            Errors,
            SegmentRouting,
            partial(BearerSecurity, keys=settings.api_keys),
            partial(RequestValidation, spec=spec, settings=settings),
            LifespanMiddleware,
        ],
        resolver=HandlerResolver(handlers or find_handlers(), spec=spec),
    )
    app.add_api(spec.document)
    return app
