"""Words as an index knows them: without case, accents and endings, each a number."""

from __future__ import annotations

import re
import struct
import threading
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from unicodedata import combining, normalize

import numpy as np
import Stemmer

RECORD: Final = np.dtype([("term", "<u4"), ("said", "<u2"), ("before", "<u2")])
"""A word of a text: its number, how often the text has it, and the one before."""

_ONE_RECORD: Final = "IHH"
_MOST: Final = 2**16 - 1
_KNOWN: Final = 2**15
# A run without a break, such as an encoded file, is cut, so that the cache stays small.
_WORD = re.compile(r"[^\W_]{1,64}")
_stemmer = Stemmer.Stemmer("porter")
_stemming = threading.Lock()  # a stemmer keeps the word that it works on


def terms(text: str) -> list[int]:
    """Return the numbers of a text's words, in order.

    Words that differ in case, accents or English endings (by Porter's rules) have one
    number. Numbers have 32 bits, so that two other words hardly ever share one.
    """
    if not text.isascii():
        text = normalize("NFC", text)
    return [_number(word) for word in _WORD.findall(text)]


def pack(said: str, before: str = "") -> bytes:
    """Return what an index keeps of a text: ``RECORD`` for each of its words.

    Args:
        said: The text.
        before: What was said before it, by whose words it may be found as well.
    """
    own, other = _count(said), _count(before)
    fields: list[int] = []
    for term in {**own, **other}:
        fields += term, own.get(term, 0), other.get(term, 0)
    return struct.pack(f"<{len(fields) // 3 * _ONE_RECORD}", *fields)


def _count(text: str) -> dict[int, int]:
    words = terms(text)
    counts = Counter(words)
    if len(words) > _MOST:
        return {term: min(count, _MOST) for term, count in counts.items()}
    return counts


@lru_cache(_KNOWN)
def _number(word: str) -> int:
    letters = normalize("NFKD", word.casefold())
    plain = "".join(letter for letter in letters if not combining(letter))
    with _stemming:
        stem: str = _stemmer.stemWord(plain)
    return int.from_bytes(blake2b(stem.encode(), digest_size=4).digest(), "little")
