"""Embeddings by hashing words and their parts: no model, the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar
from zlib import crc32

import numpy as np

from memio.embedding.base import Vectors, check_least, run_embedding, unit_rows

_WORD = re.compile(r"\w+")
_SIGN_BIT = 1 << 31


@dataclass(frozen=True, slots=True)
class HashSettings:
    """Settings of the hash embedder.

    Attributes:
        dim: Length of a vector; the longer, the fewer words share a place.
    """

    dim: int = 256

    def __post_init__(self) -> None:
        check_least(dim=(self.dim, 1))


class HashEmbedder:
    """Adds each word, and each run of three characters in it, at its hash's place.

    Close vectors share spellings, not meanings: for tests, and for want of a model.
    """

    SETTINGS: ClassVar[type[HashSettings]] = HashSettings
    weight: float = 0.5

    def __init__(self, settings: HashSettings) -> None:
        self.dim = settings.dim
        self.fingerprint = f"hash:words+3grams:{settings.dim}"

    async def open(self) -> None:
        """Do nothing: there is no model."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Hash each text; see ``Embedder.embed``."""
        return await run_embedding(self._embed, texts)

    async def close(self) -> None:
        """Do nothing."""

    def _embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            hashes = np.fromiter(map(crc32, _features(text)), np.int64)
            # The sign makes features that share a place cancel as often as add up.
            signs = np.where(hashes & _SIGN_BIT, -1.0, 1.0)
            row[:] = np.bincount(hashes % self.dim, signs, self.dim)
        return unit_rows(rows)


def _features(text: str) -> Iterator[bytes]:
    for word in _WORD.findall(text.casefold()):
        padded = f"#{word}#"
        yield padded.encode("utf-8", "surrogatepass")
        for start in range(len(word)):
            yield padded[start : start + 3].encode("utf-8", "surrogatepass")
