"""The embedder that memio has by default, as Chroma's embedding function."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import wordllama
from chromadb import Documents, EmbeddingFunction, Embeddings


@cache
def _model() -> Any:
    # Once: Chroma makes the embedding function anew for every call.
    return wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, disable_download=True
    )


class StaticVectors(EmbeddingFunction[Documents]):
    """WordLlama's vectors, read from its package."""

    def __init__(self) -> None:
        self._model = _model()

    def __call__(self, texts: Documents) -> Embeddings:
        return list(self._model.embed(texts, norm=True))

    @staticmethod
    def name() -> str:
        return "static"

    def get_config(self) -> dict[str, Any]:
        return {}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> StaticVectors:  # noqa: ARG004
        return StaticVectors()
