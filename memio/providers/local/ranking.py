"""Ranks the rows of a scope, as exactly as if every vector had been compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from memio.models import Mode
from memio.providers.local.snapshot import Places, Snapshot
from memio.retrieval.scoring import (
    FREQUENT,
    Floats,
    hybrid,
    lexical,
    share_of_meaning,
)
from memio.retrieval.terms import terms
from memio.retrieval.text import MOST_WORDS, capitalised, telling_words

Best = tuple[NDArray[np.int64], Floats]
"""The numbers (``seq``) of rows, best first, and their scores."""


def frequent_names(snapshot: Snapshot, query: str) -> list[str]:
    """Return the names in a query that a good part of the rows mention."""
    least = max(2, int(np.ceil(FREQUENT * snapshot.words.count)))
    names = capitalised(query)[:MOST_WORDS]
    return [name for name in names if snapshot.mentions(name) >= least]


class Ranking:
    """The rows of a snapshot by how well they answer a query.

    All rows are scored by the codes of their vectors. Those that may be among the best,
    which the codes' greatest error tells, are then to be put in order by the vectors.

    Args:
        query: What is asked for.
        meaning: The query's vector, of length 1 or 0; not looked at for "keyword".
        names: Names that say who is asked about, from the query.
        weight: ``Embedder.weight``.
        in_context: Whether a row may be found by the words of the one before it.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        query: str,
        mode: Mode,
        *,
        meaning: Floats,
        names: Sequence[str] = (),
        weight: float = 1.0,
        in_context: bool = False,
    ) -> None:
        self._snapshot = snapshot
        self._mode = mode
        self._meaning = meaning
        self._weight = weight
        self._words = np.zeros(0, np.float32)
        self._who: Floats | None = None
        rows = snapshot.alive
        if mode != "semantic":
            wanted = dict.fromkeys(t for w in telling_words(query) for t in terms(w))
            # By keyword alone, a row is found for what it says, not what it answers.
            spoken = in_context and mode != "keyword"
            self._words = lexical(snapshot.bm25(list(wanted), in_context=spoken))
        if mode == "keyword":
            self._near, self._error = self._words, 0.0
            rows = rows & (self._words > 0)
        else:
            if names and mode == "hybrid":
                self._who = _shares(snapshot.names, names)[snapshot.who]
            cosine, error = snapshot.near(meaning)
            self._near = self._score(cosine, slice(None))
            self._error = error * (share_of_meaning(weight) if mode == "hybrid" else 1)
        if not rows.all():
            self._near = np.where(rows, self._near, np.float32(-np.inf))
        self.total = int(np.count_nonzero(rows))

    def keep(self, seqs: list[int]) -> None:
        """Leave all rows but some out of account."""
        rows = np.isin(self._snapshot.seqs, seqs) & (self._near > -np.inf)
        self._near = np.where(rows, self._near, np.float32(-np.inf))
        self.total = int(np.count_nonzero(rows))

    def candidates(self, count: int) -> Places:
        """Return rows of which the best ``count`` are some, in no order."""
        count = min(count, self.total)
        if not count:
            return np.zeros(0, np.intp)
        place = len(self._near) - count
        border = np.partition(self._near, place)[place] - 2 * self._error
        return np.flatnonzero(self._near >= border)

    def seqs(self, rows: Places) -> NDArray[np.int64]:
        """Return the numbers of rows in the database."""
        return self._snapshot.seqs[rows]

    def ordered(self, rows: Places, vectors: Mapping[int, bytes] | None) -> Best:
        """Put rows in order, the best first, and newer ones first among equals.

        Args:
            rows: Which they are.
            vectors: Of each of them, by its number in the database, one or more,
                float32; None for "keyword".
        """
        seqs = self.seqs(rows)
        scores = self._near[rows]
        if vectors is not None:
            cosine = _nearness(self._meaning, [vectors[seq] for seq in seqs.tolist()])
            scores = self._score(cosine, rows)
        order = np.lexsort((-seqs, -scores))
        return seqs[order], scores[order]

    def _score(self, cosine: Floats, rows: slice | Places) -> Floats:
        if self._mode == "semantic":
            return cosine
        who = None if self._who is None else self._who[rows]
        priors, words = self._snapshot.priors[rows], self._words[rows]
        return hybrid(cosine, priors, words, who, weight=self._weight)


def _nearness(query: Floats, vectors: Sequence[bytes]) -> Floats:
    """Return how near texts are to a query: each is as near as the nearest of its own.

    Args:
        query: Of length 1, shape (dim,).
        vectors: Of each text one or more, float32.
    """
    block = np.frombuffer(b"".join(vectors), np.float32).reshape(-1, len(query))
    near: Floats = np.einsum("ij,j->i", block, query)
    if len(block) == len(vectors):
        return near
    each = np.array([len(vector) for vector in vectors]) // (4 * len(query))
    best: Floats = np.maximum.reduceat(near, np.cumsum(each) - each)
    return best


def _shares(everybody: Sequence[str], names: Sequence[str]) -> Floats:
    """Return the share of the asked names that each of a scope's names has."""
    asked = {name.lower() for name in names}
    shares = [len(asked & set(who.split())) for who in everybody] or [0]
    return np.array(shares, np.float32) / np.float32(len(asked))
