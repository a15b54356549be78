"""memio: one memory gateway for AI agents, over the provider of your choice."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Look the version up when it is asked for: that takes as long as the rest."""
        if name != "__version__":
            raise AttributeError(f"module 'memio' has no attribute '{name}'")
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            found = version("memio")
        except PackageNotFoundError:  # a checkout that was never installed
            found = "0.0.0"
        globals()[name] = found
        return found


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
