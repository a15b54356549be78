"""Facts in Mem0."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from memio.embedding import Embedder
from memio.exceptions import SetupError
from memio.hosted import HostedFacts
from memio.providers.mem0.library import LibraryMem0
from memio.providers.mem0.service import ServiceMem0
from memio.providers.mem0.settings import Mem0Settings


class Mem0FactAdapter(HostedFacts):
    """``FactStore`` in Mem0: its hosted service with an ``api_key``, else its library.

    Where Mem0 infers, what is added comes back in the words that its LLM chose. Scores
    and ranking are Mem0's, except in the mode "keyword".

    Args:
        api_key: Of the hosted service.
        config: Mem0's own configuration of its library, and memio's settings: the
            fields of ``Mem0Settings``.
        embedder: What the library embeds with, unless ``config`` chooses another.
        data_dir: Where the library keeps what ``config`` gives no place.

    Raises:
        ValueError: A setting is wrong.
    """

    SETTINGS: ClassVar[type[Mem0Settings]] = Mem0Settings

    def __init__(
        self,
        *,
        api_key: str | None = None,
        config: dict[str, Any] | None = None,
        embedder: Embedder | None = None,
        data_dir: Path = Path("memio-data"),
    ) -> None:
        settings = Mem0Settings(api_key=api_key or "", **(config or {}))
        directory = data_dir / "mem0"
        memories: ServiceMem0 | LibraryMem0
        if settings.api_key:
            memories = ServiceMem0(settings, directory)
        elif embedder is None and settings.uses_memio_embedder:
            raise ValueError("Mem0 has no embedder: pass one, or set OPENAI_API_KEY.")
        else:
            used = embedder if settings.uses_memio_embedder else None
            memories = LibraryMem0(settings, used, directory)
        super().__init__("mem0", memories, memories, timeout=settings.timeout)

    @classmethod
    def from_config(cls, settings: Mem0Settings, context: Any) -> Self:
        """Make a configured server's store.

        Raises:
            SetupError: Its vectors are files, and the server has several processes.
        """
        if settings.is_embedded and context.workers > 1:
            raise SetupError(
                "Mem0 with its vectors in a directory serves one process; set "
                "server.workers: 1, or configure a vector_store that is a server."
            )
        config = asdict(settings)
        return cls(
            api_key=config.pop("api_key"),
            config=config,
            embedder=context.embedder if settings.uses_memio_embedder else None,
            data_dir=context.data_dir,
        )
