"""Zep: facts, history and the graph in its cloud, by its v4 API."""

from memio.providers.zep.adapters import (
    ZepFactAdapter,
    ZepGraphAdapter,
    ZepHistoryAdapter,
    ZepSettings,
)

__all__ = ["ZepFactAdapter", "ZepGraphAdapter", "ZepHistoryAdapter", "ZepSettings"]
