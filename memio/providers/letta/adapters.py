"""The three stores on Letta, and their settings."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from memio.hosted import HostedDocuments, HostedFacts, HostedHistory
from memio.providers.letta.client import LettaService
from memio.providers.letta.history import LettaLibrary
from memio.providers.letta.rows import LettaRows


@dataclass(frozen=True, slots=True)
class LettaSettings:
    """What ``config`` of a store on ``letta`` may say.

    Attributes:
        agent_id: Whose memory it is: "agent-" and a UUID.
        api_key: LETTA_API_KEY if empty; a server of your own may need none.
        base_url: LETTA_BASE_URL, or the vendor's, if empty.
        timeout: Seconds that an operation may take.
    """

    agent_id: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float = field(default=30.0, metadata={"least": 0.1, "most": 3600})

    def __post_init__(self) -> None:
        if not self.agent_id.startswith("agent-"):
            raise ValueError('agent_id: give the id of an agent, "agent-" and a UUID.')

    def service(self, store: str) -> LettaService:
        """Make a store's client.

        Raises:
            ValueError: There is neither an API key nor a server of one's own.
        """
        key = self.api_key or os.environ.get("LETTA_API_KEY")
        url = self.base_url or os.environ.get("LETTA_BASE_URL")
        if not key and not url:
            raise ValueError(
                f"letta needs stores.{store}.config.api_key (or LETTA_API_KEY) for its "
                "cloud, or base_url for a server of your own."
            )
        return LettaService(
            agent_id=self.agent_id, api_key=key, base_url=url, timeout=self.timeout
        )


class LettaFactAdapter(HostedFacts):
    """``FactStore`` on Letta: each fact is a passage that the agent can recall.

    Args:
        settings: The fields of ``LettaSettings``.

    Raises:
        ValueError: A setting is wrong.
    """

    SETTINGS: ClassVar[type[LettaSettings]] = LettaSettings

    def __init__(self, **settings: Any) -> None:
        chosen = LettaSettings(**settings)
        service = chosen.service("facts")
        rows = LettaRows(service, "facts")
        super().__init__("letta", service, rows, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: LettaSettings, _context: object) -> Self:
        """Make a configured server's store; it needs nothing of the server's."""
        return cls(**asdict(settings))


class LettaDocumentAdapter(HostedDocuments):
    """``DocumentStore`` on Letta: each document is a passage that the agent can recall.

    Args:
        settings: The fields of ``LettaSettings``.

    Raises:
        ValueError: A setting is wrong.
    """

    SETTINGS: ClassVar[type[LettaSettings]] = LettaSettings

    def __init__(self, **settings: Any) -> None:
        chosen = LettaSettings(**settings)
        service = chosen.service("documents")
        rows = LettaRows(service, "documents")
        super().__init__("letta", service, rows, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: LettaSettings, _context: object) -> Self:
        """Make a configured server's store; it needs nothing of the server's."""
        return cls(**asdict(settings))


class LettaHistoryAdapter(HostedHistory):
    """``HistoryStore`` on Letta: each session is an archive beside the agent.

    Args:
        settings: The fields of ``LettaSettings``.

    Raises:
        ValueError: A setting is wrong.
    """

    SETTINGS: ClassVar[type[LettaSettings]] = LettaSettings

    def __init__(self, **settings: Any) -> None:
        chosen = LettaSettings(**settings)
        service = chosen.service("history")
        library = LettaLibrary(service)
        super().__init__("letta", service, library, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: LettaSettings, _context: object) -> Self:
        """Make a configured server's store; it needs nothing of the server's."""
        return cls(**asdict(settings))
