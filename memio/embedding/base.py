"""What an embedder is, and the arithmetic that all of them share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Vectors as rows: shape (n, dim), float32."""

S = TypeVar("S")
T = TypeVar("T")

_INLINE_CHARACTERS = 20_000
_VANISHING = 1e-200  # squares below it have lost digits


class Embedder(Protocol):
    """Turns texts into vectors whose inner product says how close their meanings are.

    Several stores may share one embedder: ``open`` and ``close`` may be called more
    than once, and ``embed`` by many tasks at a time.
    """

    @property
    def fingerprint(self) -> str:
        """Which vectors these are; others must not be compared with them.

        Complete once the embedder is open.
        """

    @property
    def dim(self) -> int:
        """Length of a vector; known once the embedder is open."""

    @property
    def weight(self) -> float:
        """Share of meaning, in [0, 1], where search mixes meaning and words."""

    async def open(self) -> None:
        """Load the model, or ask the endpoint for its dimension.

        Raises:
            ValueError: A setting is wrong or a file it names cannot be used.
            ProviderError: The endpoint does not answer as it should.
        """

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text, in their order.

        Rows have the L2 norm 1, except that a text with nothing to embed in it, such
        as an empty one, has a row of zeros. Values are never NaN.

        Raises:
            ProviderError: The model or its endpoint failed.
        """
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """Scale every row to the L2 norm 1; rows of zeros stay as they are.

    Raises:
        ValueError: A value is NaN or infinite.
    """
    wide = rows.astype(np.float64)
    squares = np.einsum("ij,ij->i", wide, wide)
    if not (np.isfinite(squares) & (squares > _VANISHING)).all():
        squares = _scale(wide)
    rows = wide / np.sqrt(squares)[:, np.newaxis]
    return rows.astype(np.float32)


def _scale(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale rows so that their squares can be summed; return the sums, 1 for zeros."""
    if not np.isfinite(rows).all():
        raise ValueError("the model answered with values that are NaN or infinite")
    # By the largest value first, so that no square overflows or vanishes.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows /= np.where(largest == 0, 1, largest)
    squares = np.einsum("ij,ij->i", rows, rows)
    return np.where(squares == 0, 1, squares)


async def run_embedding(
    embed: Callable[[Sequence[str]], Vectors], texts: Sequence[str]
) -> Vectors:
    """Call ``embed`` here if it is soon done, in a thread if there is much to read."""
    return await run_reading(embed, texts, characters=sum(map(len, texts)))


async def run_reading(read: Callable[[S], T], what: S, *, characters: int) -> T:
    """Call ``read`` here if it has few characters to read, else in a thread."""
    if characters <= _INLINE_CHARACTERS:
        return read(what)
    return await asyncio.to_thread(read, what)


def check_least(**settings: tuple[int, int]) -> None:
    """Raise ``ValueError`` for a setting below its least value: name=(value, least)."""
    for name, (value, least) in settings.items():
        if value < least:
            raise ValueError(f"embedding.config.{name} must be at least {least}.")
