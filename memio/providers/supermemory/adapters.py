"""The two stores on Supermemory, and their settings."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, Self

from memio.hosted import HostedDocuments, HostedFacts
from memio.providers.supermemory.rows import SupermemoryRows

TaskType = Literal["superrag", "memory"]


@dataclass(frozen=True, slots=True)
class SupermemorySettings:
    """What ``config`` of a store on ``supermemory`` may say.

    Attributes:
        api_key: SUPERMEMORY_API_KEY if empty.
        base_url: The vendor's if empty.
        namespace: Where the rows are kept; memio-facts or memio-documents if empty.
        container_tag: The name that namespaces had before; one of the two will do.
        task_type: "superrag" makes texts searchable; "memory" has Supermemory learn
            from them too, which its own console and API show, at a higher price.
        timeout: Seconds that an operation may take.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    namespace: str | None = None
    container_tag: str | None = None
    task_type: TaskType = "superrag"
    timeout: float = field(default=30.0, metadata={"least": 0.1, "most": 3600})

    def __post_init__(self) -> None:
        if self.namespace and self.container_tag not in (None, self.namespace):
            raise ValueError("container_tag is another name for namespace; keep one.")
        name = self.namespace or self.container_tag
        if name and not re.fullmatch(r"[A-Za-z0-9_:.-]{1,100}", name):
            raise ValueError(
                "namespace: use up to 100 letters, digits, and any of - _ : ."
            )

    def rows(self, store: str) -> SupermemoryRows:
        """Make the place where a store keeps its rows.

        Raises:
            ValueError: There is no API key.
        """
        key = self.api_key or os.environ.get("SUPERMEMORY_API_KEY")
        if not key:
            raise ValueError(
                f"supermemory needs an API key: set stores.{store}.config.api_key or "
                "SUPERMEMORY_API_KEY."
            )
        return SupermemoryRows(
            store,
            api_key=key,
            base_url=self.base_url,
            namespace=self.namespace or self.container_tag or f"memio-{store}",
            task_type=self.task_type,
            timeout=self.timeout,
        )


class SupermemoryFactAdapter(HostedFacts):
    """``FactStore`` on Supermemory: each fact is a document there.

    Args:
        settings: The fields of ``SupermemorySettings``.

    Raises:
        ValueError: A setting is wrong, or there is no API key.
    """

    SETTINGS: ClassVar[type[SupermemorySettings]] = SupermemorySettings

    def __init__(self, **settings: Any) -> None:
        chosen = SupermemorySettings(**settings)
        rows = chosen.rows("facts")
        super().__init__("supermemory", rows, rows, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: SupermemorySettings, _context: object) -> Self:
        """Make a configured server's store; it needs nothing of the server's."""
        return cls(**asdict(settings))


class SupermemoryDocumentAdapter(HostedDocuments):
    """``DocumentStore`` on Supermemory.

    Args:
        settings: The fields of ``SupermemorySettings``.

    Raises:
        ValueError: A setting is wrong, or there is no API key.
    """

    SETTINGS: ClassVar[type[SupermemorySettings]] = SupermemorySettings

    def __init__(self, **settings: Any) -> None:
        chosen = SupermemorySettings(**settings)
        rows = chosen.rows("documents")
        super().__init__("supermemory", rows, rows, timeout=chosen.timeout)

    @classmethod
    def from_config(cls, settings: SupermemorySettings, _context: object) -> Self:
        """Make a configured server's store; it needs nothing of the server's."""
        return cls(**asdict(settings))
