"""The three stores on Zep, and their settings."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

from memio.hosted import HostedFacts, HostedHistory
from memio.providers.zep.client import ZepService
from memio.providers.zep.facts import ZepRows
from memio.providers.zep.graph import ZepGraph
from memio.providers.zep.history import ZepLibrary

Reranker = Literal["cross_encoder", "rrf"]


class _Context(Protocol):
    @property
    def data_dir(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class ZepSettings:
    """What ``config`` of a store on ``zep`` may say.

    Attributes:
        api_key: ZEP_API_KEY if empty.
        base_url: The vendor's if empty; with its path, as in "https://host/api/v4".
        path: Of the file that remembers Zep's ids; zep.db in the data directory if
            empty. Servers that share a Zep project must share it.
        reranker: How Zep orders what it finds. "cross_encoder" gives scores that
            compare between queries; "rrf" is faster.
        timeout: Seconds that an operation may take.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    path: str = ""
    reranker: Reranker = "cross_encoder"
    timeout: float = field(default=30.0, metadata={"least": 0.1, "most": 3600})

    def service(self, store: str) -> ZepService:
        """Make a store's client.

        Raises:
            ValueError: There is no API key.
        """
        key = self.api_key or os.environ.get("ZEP_API_KEY")
        if not key:
            raise ValueError(
                f"zep needs an API key: set stores.{store}.config.api_key or "
                "ZEP_API_KEY."
            )
        return ZepService(
            api_key=key,
            base_url=self.base_url,
            timeout=self.timeout,
            path=Path(self.path or "memio-data/zep.db").absolute(),
        )


class ZepFactAdapter(HostedFacts):
    """``FactStore`` on Zep: each fact is an episode of its user's graph.

    Args:
        settings: The fields of ``ZepSettings``.

    Raises:
        ValueError: There is no API key.
    """

    SETTINGS: ClassVar[type[ZepSettings]] = ZepSettings

    def __init__(self, **settings: Any) -> None:
        chosen = ZepSettings(**settings)
        service = chosen.service("facts")
        rows = ZepRows(service, reranker=chosen.reranker)
        super().__init__("zep", service, rows, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: ZepSettings, context: _Context) -> Self:
        """Make a configured server's store."""
        return cls(**_keywords(settings, context))


class ZepHistoryAdapter(HostedHistory):
    """``HistoryStore`` on Zep: each session is a thread.

    Args:
        settings: The fields of ``ZepSettings``.

    Raises:
        ValueError: There is no API key.
    """

    SETTINGS: ClassVar[type[ZepSettings]] = ZepSettings

    def __init__(self, **settings: Any) -> None:
        chosen = ZepSettings(**settings)
        service = chosen.service("history")
        library = ZepLibrary(service, reranker=chosen.reranker)
        super().__init__("zep", service, library, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: ZepSettings, context: _Context) -> Self:
        """Make a configured server's store."""
        return cls(**_keywords(settings, context))


class ZepGraphAdapter(ZepGraph):
    """``GraphStore`` on Zep: each triple is an edge of its user's graph.

    Args:
        settings: The fields of ``ZepSettings``.

    Raises:
        ValueError: There is no API key.
    """

    SETTINGS: ClassVar[type[ZepSettings]] = ZepSettings

    def __init__(self, **settings: Any) -> None:
        chosen = ZepSettings(**settings)
        service = chosen.service("graph")
        super().__init__(service, reranker=chosen.reranker, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: ZepSettings, context: _Context) -> Self:
        """Make a configured server's store."""
        return cls(**_keywords(settings, context))


def _keywords(settings: ZepSettings, context: _Context) -> dict[str, Any]:
    path = settings.path or str(context.data_dir / "zep.db")
    return {**asdict(settings), "path": path}
