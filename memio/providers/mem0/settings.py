"""What ``config`` of a store on Mem0 may say: memio's settings beside Mem0's own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

MEMIO_EMBEDDER = "memio"
"""What ``embedder`` says to have Mem0 use the server's embedder."""

_EMBEDDED = {"chroma", "faiss", "qdrant"}
"""Vector stores that may be files of this process."""

_ELSEWHERE = {"api_key", "client", "host", "url"}
"""Settings of these that say where else they are."""

_MEM0_KEYS = (
    "vector_store",
    "llm",
    "embedder",
    "history_db_path",
    "version",
    "custom_instructions",
)


@dataclass(frozen=True, slots=True)
class Mem0Settings:
    """Settings of facts on Mem0: with an ``api_key`` its service, else its library.

    The keys from ``vector_store`` on are those of Mem0's own configuration, as
    https://docs.mem0.ai/open-source/configuration has them; only the library has them.
    They may also stand together in ``config``. There is no ``reranker``: its scores
    are of no known scale, and where it fails Mem0 says nothing.
    Where its default embedder and LLM (OpenAI's) are not configured and could not work
    because ``OPENAI_API_KEY`` is not set, ``embedder`` is "memio" and ``infer`` false.

    Attributes:
        host: Base URL of the service. By default that in the environment variable
            ``MEM0_HOST``, or else https://api.mem0.ai.
        infer: Whether Mem0's LLM makes memories of what is added, in words of its own;
            otherwise the text is stored as it is. By default true if there is an LLM.
        timeout: Seconds that an operation may take.
        embedder: "memio" for the server's embedder, or a mapping as Mem0 has it.
    """

    api_key: str = field(default="", repr=False)
    host: str = ""
    infer: bool | None = None
    timeout: float = field(default=30.0, metadata={"least": 0.001})
    config: dict[str, Any] | None = field(default=None, repr=False)
    vector_store: dict[str, Any] | None = field(default=None, repr=False)
    llm: dict[str, Any] | None = field(default=None, repr=False)
    embedder: dict[str, Any] | str | None = field(default=None, repr=False)
    history_db_path: str | None = None
    version: str | None = None
    custom_instructions: str | None = None

    def __post_init__(self) -> None:
        for name, value in (self.config or {}).items():
            if name not in _MEM0_KEYS:
                known = ", ".join(_MEM0_KEYS)
                raise ValueError(f"config.{name} is not a setting; known: {known}.")
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is given twice; take out config.{name}.")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "config", None)
        if isinstance(self.embedder, str) and self.embedder != MEMIO_EMBEDDER:
            raise ValueError(
                f"embedder must be '{MEMIO_EMBEDDER}' or a mapping with the keys "
                "provider and config, as Mem0 documents it."
            )
        if self.api_key and self.mem0_config:
            raise ValueError(
                f"api_key chooses Mem0's hosted service, which takes no "
                f"{', '.join(self.mem0_config)}; take out the one or the other."
            )
        if self.host and not self.api_key:
            raise ValueError("host is that of Mem0's hosted service; give its api_key.")
        if self.infer and not (self.api_key or self.llm or _has_openai()):
            raise ValueError("infer needs an LLM; give llm, or set OPENAI_API_KEY.")

    @property
    def address(self) -> str:
        """Where the service is."""
        host = self.host or os.environ.get("MEM0_HOST") or "https://api.mem0.ai"
        return host.rstrip("/")

    @property
    def mem0_config(self) -> dict[str, Any]:
        """What was given of Mem0's own configuration."""
        given = {name: getattr(self, name) for name in _MEM0_KEYS}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def is_embedded(self) -> bool:
        """Whether the vectors are files, which one process at a time may have."""
        store = self.vector_store or {}
        options = store.get("config") or {}
        return (
            not self.api_key
            and store.get("provider", "qdrant") in _EMBEDDED
            and not options.keys() & _ELSEWHERE
        )

    @property
    def uses_memio_embedder(self) -> bool:
        """Whether the library is to use the server's embedder."""
        if self.api_key:
            return False
        if self.embedder is None:
            return not _has_openai()
        return self.embedder == MEMIO_EMBEDDER

    @property
    def infers(self) -> bool:
        """Whether an LLM makes memories of what is added."""
        if self.infer is not None:
            return self.infer
        return bool(self.api_key or self.llm) or _has_openai()


@dataclass(frozen=True, slots=True)
class Mem0GraphSettings:
    """Settings that a graph on Mem0 had when Mem0 had graphs; none is used."""

    api_key: str = field(default="", repr=False)
    config: dict[str, Any] | None = field(default=None, repr=False)


def _has_openai() -> bool:
    return bool(os.environ.get("OPENAI_API_KEY"))
