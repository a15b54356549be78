"""Facts and documents in Qdrant: in memory, in a directory, or in a server."""

from memio.providers.qdrant.adapters import (
    QdrantDocumentAdapter,
    QdrantDocumentSettings,
    QdrantFactAdapter,
    QdrantFactSettings,
)

__all__ = [
    "QdrantDocumentAdapter",
    "QdrantDocumentSettings",
    "QdrantFactAdapter",
    "QdrantFactSettings",
]
