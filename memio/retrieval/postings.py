"""An inverted index in memory: which documents have a word, ranked by BM25."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from memio.retrieval.bm25 import damping, rarity, weigh
from memio.retrieval.growing import Growing
from memio.retrieval.scoring import Floats
from memio.retrieval.terms import RECORD

BEFORE_WEIGHT: Final = 0.2
"""What a word of the text before is worth, beside one of the text itself."""

_LEAST_RECENT: Final = 4_096
_MOST_RECENT: Final = 65_536
_MOST_KEPT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Records:
    """Words of documents: parallel arrays of ``RECORD``'s fields and the document."""

    term: NDArray[np.uint32]
    doc: NDArray[np.int32]
    said: NDArray[np.uint16]
    before: NDArray[np.uint16]

    @classmethod
    def of(cls, blobs: Sequence[bytes], first: int) -> Records:
        """Read what ``pack`` made of documents that are numbered from ``first`` on."""
        every = np.frombuffer(b"".join(blobs), RECORD)
        each = [len(blob) // RECORD.itemsize for blob in blobs]
        docs = np.arange(first, first + len(blobs), dtype=np.int32)
        return cls(
            every["term"].copy(),
            np.repeat(docs, each),
            every["said"].copy(),
            every["before"].copy(),
        )

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.term, self.doc, self.said, self.before

    def __len__(self) -> int:
        return len(self.term)

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """Return the records of all parts, one part after the other."""
        fields = zip(*(part.arrays for part in parts), strict=True)
        return cls(*(np.concatenate(arrays) for arrays in fields))

    def __getitem__(self, places: slice | NDArray[np.intp]) -> Records:
        return Records(*(array[places] for array in self.arrays))

    def by_term(self) -> Records:
        """Return them in the order of their terms; the documents' order is kept."""
        # One sort of plain numbers takes a tenth of the time of an argsort.
        keys = self.term.astype(np.uint64) << np.uint64(32)
        keys |= np.arange(len(self), dtype=np.uint64)
        keys.sort()
        return self[(keys & np.uint64(0xFFFF_FFFF)).astype(np.intp)]

    def merged(self, others: Records) -> Records:
        """Return these and others, both in the order of their terms, in one."""
        if not len(self):
            return others
        places = np.searchsorted(self.term, others.term, side="right")
        pairs = zip(self.arrays, others.arrays, strict=True)
        return Records(*(np.insert(one, places, other) for one, other in pairs))


_NONE: Final = Records.of([], 0)


class Words:
    """The words of documents as they are at one moment.

    Args:
        ordered: Words in the order of their terms.
        recent: Words in the order of their documents, which came later.
        lengths: Of the documents, in words, those of the text before included.
        live: False where a document was removed.
        count: How many were not.
        total: The sum of their lengths.
    """

    def __init__(
        self,
        ordered: Records,
        recent: Records,
        lengths: NDArray[np.int32],
        live: NDArray[np.bool_],
        *,
        count: int,
        total: int,
    ) -> None:
        self.count = count
        self._ordered, self._recent = ordered, recent
        self._live = None if count == len(live) else live
        self._size = len(lengths)
        self._damped = damping(lengths, total / count if count else 1.0)
        self._weights: dict[tuple[int, bool], tuple[NDArray[np.int32], Floats]] = {}
        self._room = min(len(ordered), _MOST_KEPT)

    def having(self, term: int) -> Records:
        """Return a word's records, by document."""
        key = np.uint32(term)
        start, end = (
            int(np.searchsorted(self._ordered.term, key, side=side))
            for side in ("left", "right")
        )
        found = self._ordered[start:end]
        if len(self._recent):
            newer = np.flatnonzero(self._recent.term == key)
            if len(newer):
                found = Records.joined([found, self._recent[newer]])
        if self._live is not None:
            found = found[np.flatnonzero(self._live[found.doc])]
        return found

    def count_saying(self, term: int) -> int:
        """Return how many documents have a word in their own text."""
        return int(np.count_nonzero(self.having(term).said))

    def bm25(self, terms: Iterable[int], *, in_context: bool) -> Floats:
        """Return Okapi BM25 of every document, shape (n,); 0 where no word is shared.

        Args:
            terms: The words asked for, each once.
            in_context: Whether the words of the text before count, too, for less.
        """
        scores = np.zeros(self._size, np.float32)
        for term in terms:
            key = term, in_context
            docs, weights = self._weights.get(key) or self._weigh(key)
            scores[docs] += weights
        return scores

    def _weigh(self, key: tuple[int, bool]) -> tuple[NDArray[np.int32], Floats]:
        """Return the documents with a word and its part in their scores."""
        term, in_context = key
        found = self.having(term)
        often = found.said.astype(np.float32)
        if in_context:
            often += np.float32(BEFORE_WEIGHT) * found.before
        holding = int(np.count_nonzero(often))
        worth = rarity(holding, self.count) if holding else 0.0
        weighed = found.doc, weigh(often, self._damped[found.doc], worth)
        # The words that are asked for most come up again while nothing is written.
        if len(found) <= self._room:
            self._room -= len(found)
            self._weights[key] = weighed
        return weighed


class Postings:
    """Documents by their words, numbered from 0 in the order in which they came.

    What came last is kept apart until there is enough of it to be put in order.
    """

    def __init__(self) -> None:
        self._ordered = _NONE
        self._recent = _NONE
        self._waiting: list[Records] = []
        self._docs = Growing(
            (np.int32, ()),  # lengths
            (np.bool_, ()),  # live
        )
        self._count = 0
        self._total = 0

    @property
    def size(self) -> int:
        """How many documents there are, removed ones included."""
        return self._docs.used

    @property
    def removed(self) -> int:
        """How many of them were removed."""
        return self._docs.used - self._count

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        parts = (self._ordered, self._recent, *self._waiting)
        records = sum(array.nbytes for part in parts for array in part.arrays)
        return records + self._docs.nbytes

    def extend(self, blobs: Sequence[bytes]) -> None:
        """Add documents, each as ``terms.pack`` made it."""
        start = self._docs.used
        records = Records.of(blobs, start)
        often = records.said.astype(np.int32) + records.before
        lengths = np.bincount(records.doc - start, often, minlength=len(blobs))
        self._docs.append(len(blobs), lengths, True)
        self._waiting.append(records)
        self._count += len(blobs)
        self._total += int(lengths.sum())

    def remove(self, doc: int) -> None:
        """Take a document out; its number stays taken."""
        lengths, live = self._docs.arrays
        if live[doc]:
            # Those who look at them now keep what they have.
            live = live.copy()
            live[doc] = False
            self._docs.arrays = [lengths, live]
            self._count -= 1
            self._total -= int(lengths[doc])

    def now(self) -> Words:
        """Return the documents' words as they are."""
        if self._waiting:
            self._recent = Records.joined([self._recent, *self._waiting])
            self._waiting.clear()
        most = min(max(_LEAST_RECENT, len(self._ordered) // 8), _MOST_RECENT)
        if len(self._recent) > most:
            self._ordered = self._ordered.merged(self._recent.by_term())
            self._recent = _NONE
        return Words(
            self._ordered,
            self._recent,
            *self._docs.views,
            count=self._count,
            total=self._total,
        )
