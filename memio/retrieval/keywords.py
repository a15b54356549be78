"""Texts ranked by the words of a query, for stores whose engine cannot do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from memio.retrieval.bm25 import damping, rarity, weigh
from memio.retrieval.scoring import Floats, lexical
from memio.retrieval.text import telling_words, words


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
    damped = damping(lengths, float(np.mean(lengths)) if len(lengths) else 1.0)
    scores = np.zeros(len(lengths), np.float32)
    for counts in often:
        found = np.asarray(counts, np.float32)
        worth = rarity(int(np.count_nonzero(found)), len(found))
        scores += weigh(found, damped, worth)
    return scores
