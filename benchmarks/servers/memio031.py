"""The original memio 0.3.1, served as its own command does it.

Its providers are what it ships, but for ``trivial`` (see trivial.py), and for the
embedding function of ``chroma``: it leaves Chroma's default in place, which downloads a
model, so that the vectors of ours are put there instead.

    memio031.py --port N [--quiet: without the log line per request]
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any

import uvicorn

from memio.server import config


class _Client:
    """Chroma's client, whose collections embed as memio does."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get_or_create_collection(self, name: str) -> Any:
        from static_vectors import StaticVectors  # noqa: PLC0415

        return self._client.get_or_create_collection(
            name, embedding_function=StaticVectors()
        )


def _chroma(settings: dict[str, Any]) -> Any:
    import chromadb  # noqa: PLC0415

    from memio.providers.chroma import ChromaDocumentAdapter  # noqa: PLC0415

    client = chromadb.PersistentClient(
        path=settings["persist_directory"],
        settings=chromadb.Settings(anonymized_telemetry=False),
    )
    return ChromaDocumentAdapter(
        client=_Client(client), collection_name=settings["collection_name"]
    )


def _trivial(_: dict[str, Any]) -> Any:
    from trivial import TrivialFacts  # noqa: PLC0415

    return TrivialFacts()


config.PROVIDER_FACTORIES["chroma"]["documents"] = _chroma
config.PROVIDER_FACTORIES["trivial"] = {"facts": _trivial}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    os.environ["MEMIO_PORT"] = options.port
    settings = config.load_config()
    run = partial(uvicorn.run, access_log=False) if options.quiet else uvicorn.run
    run(
        "memio.server.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        log_level="info",
    )


if __name__ == "__main__":
    main()
