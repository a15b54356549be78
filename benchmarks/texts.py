"""Texts to store and to ask for: made up, but spread over words as language is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

WORDS_PER_TEXT = 28
"""That many make about 200 bytes."""

_ASKED = 5
_BLOCK = 1000


def _vocabulary() -> list[str]:
    """Return the words of the embedder's vocabulary, the frequent ones first."""
    found = find_spec("wordllama")  # not imported: it would set up logging
    assert found
    assert found.origin
    folder = Path(found.origin).parent / "tokenizers"
    tokenizer = Tokenizer.from_file(str(folder / "l2_supercat_tokenizer_config.json"))
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    words = (token.removeprefix("▁") for token, _ in tokens if token[0] == "▁")
    return [
        word for word in words if len(word) > 1 and word.isascii() and word.isalpha()
    ]


class Texts:
    """An endless row of texts, the same for the same seed.

    A word's chance falls with its rank (Zipf's law), so that full-text search meets
    frequent and rare words as it does in real text.
    """

    def __init__(self, seed: int = 1) -> None:
        self._words = np.array(_vocabulary())
        weights = 1 / np.arange(10, len(self._words) + 10)
        self._chances = weights / weights.sum()
        self._random = np.random.default_rng(seed)

    def texts(self) -> Iterator[str]:
        """Yield memories of about 200 bytes."""
        return self._drawn(WORDS_PER_TEXT)

    def queries(self) -> Iterator[str]:
        """Yield questions of a few words, drawn like those of the texts."""
        return self._drawn(_ASKED)

    def _drawn(self, length: int) -> Iterator[str]:
        while True:
            block = self._random.choice(self._words, (_BLOCK, length), p=self._chances)
            yield from (" ".join(words) for words in block)
