"""Makes Mem0's ``Memory`` out of settings, on the thread that will use it."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from memio.embedding import Embedder
from memio.exceptions import SetupError
from memio.providers.mem0.settings import Mem0Settings

_UNUSED = {"provider": "openai", "config": {"api_key": "unused"}}
"""A model that Mem0 insists on making, and that is never called."""


def build(
    settings: Mem0Settings,
    embedder: Embedder | None,
    directory: Path,
    loop: asyncio.AbstractEventLoop,
) -> Any:
    """Return a ``Memory``; Mem0 must have been imported.

    Args:
        settings: What it is made of.
        embedder: One of memio's to use, open; Mem0's own if None.
        directory: Where its files are, unless the settings say so.
        loop: Where the embedder lives.

    Raises:
        SetupError: Mem0 refuses the settings, or cannot open what they name.
    """
    from mem0 import Memory  # noqa: PLC0415 (imported already, but not by all)
    from mem0.configs.base import MemoryConfig  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        config = MemoryConfig(**_complete(settings, embedder, directory))
        if embedder is not None:
            _set_dimension(config.vector_store.config, embedder.dim)
        memory = Memory(config)
    except ValidationError as error:
        # Not the message itself: it shows what was given, secrets included.
        told = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise SetupError(f"Mem0 refuses its configuration: {told}") from None
    except SetupError:
        raise
    except Exception as error:
        raise SetupError(f"Mem0 cannot be opened as configured: {error}") from error
    _check_files(memory)
    for part in (memory.llm, memory.embedding_model):
        _limit(part, settings.timeout)
    if embedder is not None:
        memory.embedding_model = _Embedding(embedder, loop, settings.timeout)
    return memory


def lock(settings: Mem0Settings, directory: Path) -> IO[bytes]:
    """Keep other processes out of an embedded vector store until this is closed.

    Raises:
        SetupError: Another one is there.
    """
    directory = Path(_options(settings, directory)["path"])
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / "memio.lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise SetupError(
            f"Another process works in {directory}; stop it, or configure a vector "
            "store that is a server."
        ) from error
    return file


def close(memory: Any) -> None:
    """Close a ``Memory``, and what it would leave open: its connections."""
    memory.close()
    for part in (memory.vector_store, memory.llm, memory.embedding_model):
        for name in ("client", "connection_pool"):
            connection = getattr(part, name, None)
            if connection is not None and hasattr(connection, "close"):
                connection.close()


def _complete(
    settings: Mem0Settings, embedder: Embedder | None, directory: Path
) -> dict[str, Any]:
    """Return Mem0's configuration, completed where its defaults would do harm."""
    config = settings.mem0_config
    config.setdefault("history_db_path", str(directory / "history.db"))
    if not settings.infers:
        config.setdefault("llm", _UNUSED)
    if embedder is not None:
        config["embedder"] = _UNUSED
    store = {**(settings.vector_store or {}), "config": _options(settings, directory)}
    return {**config, "vector_store": store}


def _options(settings: Mem0Settings, directory: Path) -> dict[str, Any]:
    """Return the settings of the vector store."""
    store = settings.vector_store or {}
    options = dict(store.get("config") or {})
    if settings.is_embedded:
        # Mem0's own place is below /tmp.
        options.setdefault("path", str(directory / store.get("provider", "qdrant")))
    return options


def _set_dimension(options: Any, dim: int) -> None:
    """Tell the vector store how long the vectors of memio's embedder are."""
    name = "embedding_model_dims"
    given = getattr(options, name, None)
    if given is None:
        return  # it does not want to know
    if name in options.model_fields_set and given != dim:
        raise SetupError(
            f"vector_store.config.{name} is {given}, but the vectors of memio's "
            f"embedder have {dim} values; take it out."
        )
    setattr(options, name, dim)


def _check_files(memory: Any) -> None:
    """Refuse FAISS files that were half written, which Mem0 would take for empty."""
    store = memory.vector_store
    if memory.config.vector_store.provider != "faiss":
        return
    if store.index is None or store.index.ntotal != len(store.docstore):
        close(memory)
        raise SetupError(
            f"The FAISS files in {store.path} do not belong together; restore them "
            "from a copy, or remove them and begin anew."
        )


def _limit(part: Any, timeout: float) -> None:
    """Have an OpenAI-like client of Mem0's give up in time, not after half an hour."""
    client = getattr(part, "client", None)
    if client is not None and hasattr(client, "with_options"):
        part.client = client.with_options(timeout=timeout, max_retries=0)


class _Embedding:
    """An embedder of memio's, as Mem0 calls one: from its thread, and blocking."""

    def __init__(
        self, embedder: Embedder, loop: asyncio.AbstractEventLoop, timeout: float
    ) -> None:
        self._embedder, self._loop, self._timeout = embedder, loop, timeout

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        return self.embed_batch([text], memory_action)[0]

    def embed_batch(
        self, texts: Sequence[str], memory_action: str | None = None
    ) -> list[list[float]]:
        del memory_action
        vectors = asyncio.run_coroutine_threadsafe(
            self._embedder.embed(texts), self._loop
        )
        rows: list[list[float]] = vectors.result(self._timeout).tolist()
        return rows
