"""Supermemory: facts and documents in its cloud, by its v5 API."""

from memio.providers.supermemory.adapters import (
    SupermemoryDocumentAdapter,
    SupermemoryFactAdapter,
    SupermemorySettings,
)

__all__ = [
    "SupermemoryDocumentAdapter",
    "SupermemoryFactAdapter",
    "SupermemorySettings",
]
