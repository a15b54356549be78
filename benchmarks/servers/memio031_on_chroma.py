"""The original memio 0.3.1 as memio031.py serves it, its documents on a Chroma server.

Its own settings know only a directory; those here say at which port the server is.
"""

from __future__ import annotations

from typing import Any

import chromadb
from memio031 import _Client, main

from memio.providers.chroma import ChromaDocumentAdapter
from memio.server import config


def _chroma(settings: dict[str, Any]) -> Any:
    client = chromadb.HttpClient(
        port=settings["port"], settings=chromadb.Settings(anonymized_telemetry=False)
    )
    return ChromaDocumentAdapter(
        client=_Client(client), collection_name=settings["collection_name"]
    )


config.PROVIDER_FACTORIES["chroma"]["documents"] = _chroma

if __name__ == "__main__":
    main()
