"""Letta: facts and documents in an agent's archival memory, history beside it."""

from memio.providers.letta.adapters import (
    LettaDocumentAdapter,
    LettaFactAdapter,
    LettaHistoryAdapter,
    LettaSettings,
)

__all__ = [
    "LettaDocumentAdapter",
    "LettaFactAdapter",
    "LettaHistoryAdapter",
    "LettaSettings",
]
