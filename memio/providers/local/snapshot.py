"""What a search looks at: the rows of a scope as they are at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memio.retrieval.codes import Codes, compare
from memio.retrieval.postings import Words
from memio.retrieval.scoring import Floats
from memio.retrieval.terms import terms

Places = NDArray[np.intp]
"""Rows, by their number within a snapshot."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of a scope, oldest first; a long row has several vectors in succession.

    Attributes:
        seqs: The rows' own numbers, shape (rows,).
        alive: False where a row was deleted.
        priors: ``scoring.prior`` of each row's length.
        who: For each row an index into ``names``.
        names: Whoever speaks or is spoken of, lower-cased.
        docs: Each row's number in ``words``; None if they are those of the rows.
        words: The rows' words.
        starts: Where each row's vectors begin; None if every row has one.
        codes: The vectors' codes, shape (n, dim); the vectors are in the database.
        scales: The codes' scales.
        worst: The largest of the codes' errors.
    """

    seqs: NDArray[np.int64]
    alive: NDArray[np.bool_]
    priors: Floats
    who: NDArray[np.int32]
    names: Sequence[str]
    docs: NDArray[np.int32] | None
    words: Words
    starts: Places | None
    codes: Codes
    scales: Floats
    worst: float

    def near(self, query: Floats) -> tuple[Floats, float]:
        """Return about how near each row is to a query, and how far off that may be."""
        near, error = compare(query, self.codes, self.scales, self.worst)
        if self.starts is not None:  # a long row is as good as its best chunk
            near = np.maximum.reduceat(near, self.starts)
        return near, error

    def bm25(self, wanted: Sequence[int], *, in_context: bool) -> Floats:
        """Return BM25 of each row for some terms, as ``Words.bm25``."""
        scores = self.words.bm25(wanted, in_context=in_context)
        return scores if self.docs is None else scores[self.docs]

    def mentions(self, word: str) -> int:
        """Return about how many rows have a word in their own text."""
        return min(map(self.words.count_saying, terms(word)), default=0)
