"""Chroma's own embedding function as an embedder, for who asks for it by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from chromadb.utils.embedding_functions import DefaultEmbeddingFunction

from memio.calls import Calls
from memio.embedding.base import Vectors, unit_rows


class ChromaEmbedder:
    """all-MiniLM-L6-v2 in ONNX; Chroma downloads it when the first text comes.

    Collections that Chroma embedded by itself hold its vectors.

    Args:
        timeout: Seconds that a call may take; a download goes on beyond them.
    """

    fingerprint = "chroma:all-MiniLM-L6-v2:384"
    dim = 384
    weight = 0.65

    def __init__(self, *, timeout: float = 30.0) -> None:
        self._function = DefaultEmbeddingFunction()
        # One thread, so that the model is downloaded once.
        self._calls = Calls("chroma", timeout=timeout, threads=1)

    async def open(self) -> None:
        """Do nothing: the model is loaded when it is needed."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await self._calls.run_blocking(
            "embed", lambda: unit_rows(np.asarray(self._function(list(texts))))
        )

    async def close(self) -> None:
        """Let its thread end."""
        self._calls.close()
