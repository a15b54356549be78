"""Facts and documents in Chroma: in memory, in a directory, or in a server."""

from memio.providers.chroma.adapters import (
    ChromaDocumentAdapter,
    ChromaDocumentSettings,
    ChromaFactAdapter,
    ChromaFactSettings,
)

__all__ = [
    "ChromaDocumentAdapter",
    "ChromaDocumentSettings",
    "ChromaFactAdapter",
    "ChromaFactSettings",
]
