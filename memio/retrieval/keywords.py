"""Texts ranked by the words of a query, for stores whose engine cannot do it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from memio.retrieval.scoring import Floats, lexical
from memio.retrieval.text import telling_words, words

_SATURATION = 1.2  # how soon repeating a word stops to count: BM25's k1
_LENGTH = 0.75  # how much a long text's words count less: BM25's b


def rank(query: str, texts: Sequence[str]) -> Floats:
    """Return how well each text answers a query by its words alone, by Okapi BM25.

    The scores are in [0, 1], shape (len(texts),); 0 where no word is shared. Case does
    not count, and words are compared whole.
    """
    wanted = [word.casefold() for word in telling_words(query)]
    counts = [Counter(word.casefold() for word in words(text)) for text in texts]
    lengths = [count.total() for count in counts]
    usual = sum(lengths) / len(texts) if any(lengths) else 1.0
    scores = np.zeros(len(texts), dtype=np.float32)
    for word in wanted:
        holding = [i for i, count in enumerate(counts) if word in count]
        rarity = math.log1p((len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
        for i in holding:
            often = counts[i][word]
            damping = _SATURATION * (1 - _LENGTH + _LENGTH * lengths[i] / usual)
            scores[i] += rarity * often * (_SATURATION + 1) / (often + damping)
    return lexical(scores)
