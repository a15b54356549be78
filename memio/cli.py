"""The ``memio-server`` command: serve, check the configuration, tend the data."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from memio import __version__
from memio.exceptions import MemioError

if TYPE_CHECKING:
    from memio.client import Memio
    from memio.config import Settings

_CANNOT_START = 2
_COMMANDS = """\
commands:
  serve     serve the stores over HTTP (this is what happens without a command)
  check     check the configuration and say what would be served
  reindex   embed everything stored anew, with the embedder that is configured
  import    copy what the embedded provider has stored, in the file that --from names,
            into the stores that are configured; stop the servers before
  migrate-schema
            bring the schemas of databases up to date; needed before `serve` only where
            the server's own role may not do so
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``memio-server``; what keeps it from starting ends it with exit code 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.command == "import") != (options.source is not None):
        parser.error("import and --from FILE belong together")
    if options.command == "serve":
        # uvicorn, too, hands the signal that stopped it on to these.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
    # One product of a matrix and a vector per request is fastest on one thread. numpy
    # reads these as it is imported, which is why what needs it is imported below: so
    # are --version and --help quick.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from memio.config import load_settings  # noqa: PLC0415

    try:
        settings = load_settings(
            {
                "--config": options.config,
                "--host": options.host,
                "--port": options.port,
                "--workers": options.workers,
            }
        )
        if options.command == "check":
            _check(settings)
        elif options.command == "reindex":
            asyncio.run(_reindex(settings))
        elif options.command == "import":
            asyncio.run(_import(settings, options.source))
        elif options.command == "migrate-schema":
            asyncio.run(_migrate_schema(settings))
        else:
            _serve(settings, options)
    except MemioError as error:
        print(error, file=sys.stderr)
        raise SystemExit(_CANNOT_START) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="memio-server",
        description="Memory for AI agents over HTTP.",
        epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "check", "reindex", "import", "migrate-schema"),
        default="serve",
        help="see below",
    )
    parser.add_argument("--config", metavar="FILE", help="instead of memio-server.yaml")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", help="port to listen on (8080)")
    parser.add_argument("--workers", metavar="N", help="processes that serve (1)")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="what to import, such as memio-data/memio.db",
    )
    parser.add_argument("--version", action="version", version=f"memio {__version__}")
    return parser


def _stop(number: int, frame: object) -> NoReturn:  # noqa: ARG001  # signal's terms
    """End the process as it was asked to, which is a success."""
    raise SystemExit(0)


def _serve(settings: Settings, options: argparse.Namespace) -> None:
    from memio.server import run  # noqa: PLC0415

    if settings.server.workers == 1:
        run.serve(settings)
        return
    # The workers read the settings themselves, from the environment they inherit.
    if options.config:
        os.environ["MEMIO_CONFIG"] = options.config
    if options.host:
        os.environ["MEMIO_HOST"] = options.host
    run.serve_with_workers(settings)


def _check(settings: Settings) -> None:
    from memio.registry import packages_of  # noqa: PLC0415

    settings.build_memio()
    rows = {
        "address": settings.server.url,
        "workers": str(settings.server.workers),
        "auth": str(settings.auth),
        "embedding": settings.embedding.provider,
        "data": str(settings.data_dir.resolve()),
    }
    for store, choice in settings.stores.items():
        packages = [f"{name} {v}" for name, v in packages_of(choice.provider).items()]
        detail = f" ({', '.join(packages)})" if packages else ""
        rows[store] = choice.provider + detail
    print(settings.origin)
    for name, value in rows.items():
        print(f"  {name:<10} {value}")


async def _reindex(settings: Settings) -> None:
    memio = await _build(settings)
    for name, store in memio.stores.items():
        reindex = getattr(store, "reindex", None)
        if reindex is None:
            print(f"{name}: {settings.stores[name].provider} embeds by itself")
        else:
            print(f"{name}: {await reindex()} embedded anew")


async def _import(settings: Settings, source: Path) -> None:
    memio = await _build(settings)
    for name, store in memio.stores.items():
        take_over = getattr(store, "take_over", None)
        if take_over is None:
            provider = settings.stores[name].provider
            print(f"{name}: {provider} cannot import; left as it is")
        else:
            print(f"{name}: {await take_over(source)} imported")


async def _migrate_schema(settings: Settings) -> None:
    memio = await _build(settings)
    for name, store in memio.stores.items():
        migrate = getattr(store, "migrate_schema", None)
        provider = settings.stores[name].provider
        if migrate is None:
            print(f"{name}: {provider} has no schema to migrate")
        else:
            print(f"{name}: the schema is at version {await migrate()}")


async def _build(settings: Settings) -> Memio:
    """Build the stores, and open what they share."""
    from memio.registry import setup_errors  # noqa: PLC0415

    memio = settings.build_memio()
    with setup_errors():
        for resource in memio.resources:
            await resource.open()
    return memio


if __name__ == "__main__":
    main()
