"""The embedded provider: all four stores in one SQLite file, searched by meaning."""

from memio.providers.local.database import LocalDatabase
from memio.providers.local.documents import LocalDocumentAdapter
from memio.providers.local.facts import LocalFactAdapter
from memio.providers.local.graph import LocalGraphAdapter
from memio.providers.local.history import LocalHistoryAdapter
from memio.providers.local.store import LocalSettings

__all__ = [
    "LocalDatabase",
    "LocalDocumentAdapter",
    "LocalFactAdapter",
    "LocalGraphAdapter",
    "LocalHistoryAdapter",
    "LocalSettings",
]
