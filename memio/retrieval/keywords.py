"""Texts ranked by the words of a query, for stores whose engine cannot do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memio.retrieval.scoring import Floats, lexical
from memio.retrieval.text import telling_words, words

_K1 = 1.2  # how soon repeating a word stops to count
_B = 0.75  # how much a long text's words count less


def rank(query: str, texts: Sequence[str]) -> Floats:
    """Return how well each text answers a query by its words alone, by Okapi BM25.

    The scores are in [0, 1], shape (len(texts),); 0 where no word is shared. Case does
    not count, and words are compared whole.
    """
    wanted = [word.casefold() for word in telling_words(query)]
    counts = [Counter(word.casefold() for word in words(text)) for text in texts]
    often = ([count[word] for count in counts] for word in wanted)
    return lexical(bm25(often, [count.total() for count in counts]))


def bm25(often: Iterable[ArrayLike], lengths: Sequence[int]) -> Floats:
    """Return Okapi BM25 of texts among themselves, shape (len(lengths),).

    Args:
        often: For each word, how often it stands in each text.
        lengths: Of the texts, in words.
    """
    length = np.array(lengths, np.float64)
    scores = np.zeros(len(length))
    usual = length.mean() if length.any() else 1.0
    damping = _K1 * (1 - _B + _B * length / usual)
    for counts in often:
        found: NDArray[np.float64] = np.asarray(counts, np.float64)
        holding = np.count_nonzero(found)
        rarity = np.log1p((len(found) - holding + 0.5) / (holding + 0.5))
        # Where a word is missing, its weight is 0, whatever the text's length.
        weight = np.divide(
            found, found + damping, out=np.zeros_like(found), where=found > 0
        )
        scores += rarity * weight * (_K1 + 1)
    return scores.astype(np.float32)
