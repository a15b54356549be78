"""Okapi BM25, in parts: what a word is worth, where it stands and how often."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memio.retrieval.scoring import Floats

_K1: Final = 1.2  # how soon repeating a word stops to count
_B: Final = 0.75  # how much a long text's words count less


def rarity(holding: int, total: int) -> float:
    """Return what a word is worth that ``holding`` of ``total`` texts have."""
    return math.log1p((total - holding + 0.5) / (holding + 0.5))


def damping(lengths: ArrayLike, usual: float) -> Floats:
    """Return what dampens the words of texts, by how long they are beside the usual."""
    share = np.asarray(lengths, np.float32) / np.float32(usual or 1)
    damped: NDArray[np.float32] = np.float32(_K1 * _B) * share
    damped += np.float32(_K1 * (1 - _B))
    return damped


def weigh(often: Floats, damped: Floats, worth: float) -> Floats:
    """Return a word's part in the score of texts.

    Args:
        often: How often each text has it.
        damped: ``damping`` of each text.
        worth: Its ``rarity``.
    """
    weights: Floats = np.float32(worth * (_K1 + 1)) * often / (often + damped)
    return weights
