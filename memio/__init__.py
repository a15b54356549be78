"""memio: one memory gateway for AI agents, over the provider of your choice."""

from importlib.metadata import PackageNotFoundError, version

from memio.client import Memio
from memio.exceptions import (
    ConflictError,
    MemioError,
    NotConfiguredError,
    NotFoundError,
    NotSupportedError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    SetupError,
    ValidationError,
)
from memio.models import (
    KEEP,
    Document,
    Fact,
    GraphResult,
    Message,
    Page,
    Triple,
)
from memio.protocols import DocumentStore, FactStore, GraphStore, HistoryStore

try:
    __version__ = version("memio")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.0.0"

__all__ = [
    "KEEP",
    "ConflictError",
    "Document",
    "DocumentStore",
    "Fact",
    "FactStore",
    "GraphResult",
    "GraphStore",
    "HistoryStore",
    "Memio",
    "MemioError",
    "Message",
    "NotConfiguredError",
    "NotFoundError",
    "NotSupportedError",
    "OverloadedError",
    "Page",
    "ProviderError",
    "ProviderTimeoutError",
    "SetupError",
    "Triple",
    "ValidationError",
]
