"""Evidence weighed: one score in [0, 1] from meaning, words, length and who it is.

score = w * (cosine + prior) + 0.35 * lexical + 0.15 * who, over its greatest value

* ``cosine``: of the embeddings of query (without frequent names) and memory.
* ``prior``: longer memories say more: 0.08 ln(1 + words), up to 200 words.
* ``lexical``: BM25 over ``BM25_SCALE``, so that scores of different queries compare.
* ``who``: the share of the query's frequent names that are the memory's speaker or,
  where nobody speaks, whom it is about.

The weights were chosen on LoCoMo conversations, where the optimum is flat.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FREQUENT = 0.10
"""A name is frequent if this share of a scope's memories mention it: then it says who
is meant, not what, and does not belong into the embedding of the query."""

LEXICAL_WEIGHT = 0.35
WHO_WEIGHT = 0.15
CONTEXT_WEIGHT = 0.8
PRIOR_WORDS = 200
BM25_SCALE = 15.0
WEAKEST_BEST = 3.0
"""BM25 vanishes in a small collection, where no word is rare. So the best hit's lexical
score is at least 1 / ``WEAKEST_BEST``, whatever its BM25."""


def prior(words: int) -> float:
    """Return what a memory's length, in words, is worth before anything is asked."""
    return 0.08 * math.log1p(min(words, PRIOR_WORDS))


MOST_PRIOR = prior(PRIOR_WORDS)


def in_context(vectors: Floats, before: Floats) -> Floats:
    """Return a message's vectors, shape (n, dim), coloured by the message before it.

    An answer rarely repeats its question, so the first vector leans towards it: but
    less than to itself, or a text would find the answer to it sooner than itself.
    """
    leant = vectors[0] + np.float32(CONTEXT_WEIGHT) * before
    length = np.linalg.norm(leant)
    first = leant / length if length else leant
    coloured: Floats = np.concatenate([first[np.newaxis], vectors[1:]])
    return coloured.astype(np.float32)


def lexical(bm25: Floats) -> Floats:
    """Return BM25 values (higher is better, positive) as shares in [0, 1]."""
    if not bm25.size:
        return bm25
    scale = min(BM25_SCALE, WEAKEST_BEST * max(float(bm25.max()), 1e-9))
    shares: Floats = bm25 * np.float32(1 / scale)
    return np.minimum(shares, np.float32(1), out=shares)


def hybrid(
    cosine: Floats,
    priors: Floats,
    words: Floats,
    who: Floats | None,
    *,
    weight: float,
) -> Floats:
    """Return the scores of memories, at most 1; below 0 means nothing speaks for it.

    Args:
        cosine: Similarity of meaning, in [-1, 1].
        priors: ``prior`` of each memory.
        words: ``lexical`` of each memory, 0 where no word is shared.
        who: Share of the query's frequent names that are its ``who``, in [0, 1]; None
            if there are no such names.
        weight: How much the embedder's cosine is worth (``Embedder.weight``).
    """
    most = _most(weight)
    scores: Floats = (cosine + priors).astype(np.float32, copy=False)
    scores *= np.float32(weight / most)
    scores += np.float32(LEXICAL_WEIGHT / most) * words
    if who is not None:
        scores += np.float32(WHO_WEIGHT / most) * who
    return scores


def share_of_meaning(weight: float) -> float:
    """Return how much of a ``hybrid`` score a cosine of 1 is."""
    return weight / _most(weight)


def _most(weight: float) -> float:
    return weight * (1 + MOST_PRIOR) + LEXICAL_WEIGHT + WHO_WEIGHT
