"""Serving: takes the port, opens the stores, runs uvicorn, stops without a loss."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
from dataclasses import replace
from typing import Any, Self

import uvicorn
from uvicorn.supervisors import Multiprocess

from memio import __version__
from memio.client import Memio
from memio.config import ServerSettings, Settings, load_settings
from memio.exceptions import SetupError
from memio.registry import setup_errors
from memio.server import EdgeSettings, configure_logging, create_app
from memio.server.protocol import StrictProtocol

_log = logging.getLogger("memio")


def serve(settings: Settings) -> None:
    """Serve from this process until it is told to stop.

    SIGTERM and SIGINT end it once the requests under way are answered and the stores
    are closed; then they reach the handlers that were there before.

    Raises:
        SetupError: It cannot start; nothing was served.
    """
    listener = _bind(settings.server)
    memio = settings.build_memio()
    configure_logging(settings.server.log_format, settings.server.log_level)
    config = uvicorn.Config(_make_app(settings, memio), **_uvicorn_options(settings))

    gc.freeze()  # or every full collection goes through the modules again

    async def run() -> None:
        # Before the application does it, since what fails in there is told by uvicorn
        # as a traceback. Opening and closing twice does nothing.
        with setup_errors():
            await memio.open()
        try:
            _announce(settings, listener.getsockname()[1])
            await uvicorn.Server(config).serve(sockets=[listener])
        finally:
            await memio.close()

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())


def serve_with_workers(settings: Settings) -> None:
    """Serve from several processes, which read the same settings again.

    Raises:
        SetupError: They could not start.
    """
    address = _bind(settings.server)
    with setup_errors():
        asyncio.run(_try_opening(settings.build_memio()))
    configure_logging(settings.server.log_format, settings.server.log_level)
    _announce(settings, address.getsockname()[1])
    config = uvicorn.Config(
        "memio.server.run:make_worker",
        factory=True,
        workers=settings.server.workers,
        **_uvicorn_options(settings),
    )
    Multiprocess(config, sockets=[_SharedAddress.like(address)]).run()


class _SharedAddress(socket.socket):
    """A socket of which every process that it is sent to gets one of its own.

    Of one that all have, the process that wakes first takes all connections that wait;
    among several at one address the system spreads them.
    """

    @classmethod
    def like(cls, taken: socket.socket) -> Self:
        """Take an address over from a socket that nobody else could share."""
        family, address = taken.family, taken.getsockname()
        taken.close()
        return cls.at(family, address)

    @classmethod
    def at(cls, family: int, address: Any) -> Self:
        made = cls(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        return made

    def __reduce__(self) -> Any:
        return _SharedAddress.at, (int(self.family), self.getsockname())


def make_worker() -> Any:
    """Make the ASGI application of one of several processes."""
    settings = load_settings()
    configure_logging(settings.server.log_format, settings.server.log_level)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    app = _make_app(settings, settings.build_memio())
    gc.freeze()
    return app


def _stop_with_parent() -> None:
    """Stop this worker if the parent is killed, or it would keep the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


async def _try_opening(memio: Memio) -> None:
    async with memio:
        pass


def _make_app(settings: Settings, memio: Memio) -> Any:
    edge = EdgeSettings(
        api_keys=settings.auth.api_key, body_limit=settings.server.body_limit
    )
    return create_app(memio=memio, settings=edge)


def _uvicorn_options(settings: Settings) -> dict[str, Any]:
    return {
        "loop": "uvloop",
        "http": StrictProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # nothing asks for the scheme or the client's address
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": settings.server.shutdown_timeout,
    }


def _bind(server: ServerSettings) -> socket.socket:
    """Take the address, without listening yet."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
    except OSError as error:
        listener.close()
        raise SetupError(
            f"Cannot listen on {server.url} ({error.strerror}): stop what uses it, or "
            "choose another --host or --port."
        ) from error
    return listener


def _announce(settings: Settings, port: int) -> None:
    stores = (f"{name} ({c.provider})" for name, c in settings.stores.items())
    _log.info("%s", settings.origin)
    _log.info(
        "memio %s at %s: %s; embedding %s; %s",
        __version__,
        replace(settings.server, port=port).url,
        ", ".join(stores),
        settings.embedding.provider,
        settings.auth,
    )
