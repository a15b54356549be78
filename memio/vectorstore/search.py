"""Search in an engine: the rows nearest in meaning, those that hold the words, a rank.

An engine finds candidates: by their vectors, and by the words of the query. Their texts
are then read and scored as ``memio.retrieval.scoring`` describes, where BM25 is that of
the candidates among themselves. Words count as they stand, in any case, without their
other forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from memio.embedding import Embedder
from memio.filters import Predicate
from memio.models import Mode
from memio.retrieval.keywords import bm25
from memio.retrieval.scoring import Floats, hybrid, lexical, prior
from memio.retrieval.text import telling_words
from memio.vectorstore.collection import Collection, Vectors, Where
from memio.vectorstore.record import Record

CANDIDATES: Final = 200
"""Rows nearest in meaning that hybrid search looks at, if no more are asked for."""

WORD_CANDIDATES: Final = 1000
"""Rows with one of the words, and if there are more, with each of them, likewise."""

MOST_WORDS: Final = 16
"""Words of a query that are looked up: the longest, which tend to be the rarest."""

_GROWTH: Final = 4
_BATCH: Final = 100  # texts in memory at a time


@dataclass(frozen=True, slots=True)
class Search:
    """A search as a store asks for it.

    Attributes:
        where: Which rows to look at.
        chosen: Tells by the metadata which of them are meant; None for all.
        has_prior: Whether longer rows are worth more.
    """

    query: str
    limit: int
    mode: Mode
    min_score: float | None
    where: Where
    chosen: Predicate | None
    has_prior: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    record: Record
    cosine: float
    counts: list[int]
    length: int


async def search(
    collection: Collection, embedder: Embedder, asked: Search
) -> list[tuple[Record, str, float]]:
    """Return the best rows with their texts and scores, best first."""
    words: list[str] = []
    vector: Vectors | None = None
    if asked.mode != "semantic":
        words = sorted(telling_words(asked.query), key=len, reverse=True)[:MOST_WORDS]
    if asked.mode != "keyword":
        vector = (await embedder.embed([asked.query]))[0]
    finder = _Finder(collection, asked, words, vector)
    growth, more = 1, True
    while more:  # until enough of what is found is meant
        cosines, more = await finder.find(growth)
        candidates = await finder.read(cosines)
        growth *= _GROWTH
        more = more and len(candidates) < asked.limit
    scores = _score(asked, candidates, embedder.weight)
    order = sorted(
        range(len(candidates)),
        key=lambda n: (-scores[n], -candidates[n].record.created),
    )
    least = asked.min_score or 0.0
    best = {
        candidates[n].record.key: float(scores[n])
        for n in order[: asked.limit]
        if scores[n] >= least
    }
    rows = await collection.fetch("search", list(best)) if best else {}
    return [(*rows[key], score) for key, score in best.items() if key in rows]


class _Finder:
    """Finds and reads the candidates of one search."""

    def __init__(
        self,
        collection: Collection,
        asked: Search,
        words: list[str],
        vector: Vectors | None,
    ) -> None:
        self._collection, self._asked = collection, asked
        self._words, self._vector = words, vector
        self._places = {word: place for place, word in enumerate(words)}
        either = "|".join(map(re.escape, words))
        self._pattern = re.compile(rf"\b(?:{either})\b", re.IGNORECASE)

    async def find(self, growth: int) -> tuple[dict[str, float], bool]:
        """Return candidates with their cosines, and whether there may be more."""
        asked, found, more = self._asked, dict[str, float](), False
        if self._vector is not None:
            whole = asked.mode == "semantic" and asked.chosen is None
            most = growth * (asked.limit if whole else max(asked.limit, CANDIDATES))
            found = await self._collection.nearest(
                "search", self._vector, asked.where, most
            )
            more = len(found) >= most
        if self._words:
            keys, truncated = await self._find_words(growth * WORD_CANDIDATES)
            others = [key for key in keys if key not in found]
            found |= await self._compare(others)
            more = more or truncated
        return found, more

    async def read(self, cosines: dict[str, float]) -> list[_Candidate]:
        """Read the candidates and return those that are meant."""
        keys, found = list(cosines), []
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            rows = await self._collection.fetch("search", batch, texts=self._has_texts)
            for key, (record, text) in rows.items():
                if self._asked.chosen is None or self._asked.chosen(record.metadata):
                    counts = self._count(text)
                    if self._asked.mode != "keyword" or any(counts):
                        length = text.count(" ") + 1
                        cosine = cosines[key]
                        found.append(_Candidate(record, cosine, counts, length))
        return found

    @property
    def _has_texts(self) -> bool:
        return self._asked.mode != "semantic"

    async def _find_words(self, most: int) -> tuple[Iterable[str], bool]:
        where = self._asked.where
        keys = await self._collection.holding("search", self._words, where, most)
        if len(keys) < most:
            return keys, False
        # A frequent word may have crowded the rare ones out.
        every = dict.fromkeys(keys)
        for word in self._words:
            every |= dict.fromkeys(
                await self._collection.holding("search", [word], where, most)
            )
        return every, True

    async def _compare(self, keys: list[str]) -> dict[str, float]:
        """Return keys with their cosines, 0 where the engine gives none."""
        cosines = dict.fromkeys(keys, 0.0)
        if self._vector is not None:
            for start in range(0, len(keys), WORD_CANDIDATES):
                batch = keys[start : start + WORD_CANDIDATES]
                cosines |= await self._collection.nearest(
                    "search", self._vector, self._asked.where, len(batch), batch
                )
        return cosines

    def _count(self, text: str) -> list[int]:
        counts = [0] * len(self._words)
        if self._words:
            for word in self._pattern.findall(text):
                place = self._places.get(word.lower())
                if place is not None:  # a letter may be equal and not in lower case
                    counts[place] += 1
        return counts


def _score(asked: Search, candidates: list[_Candidate], weight: float) -> Floats:
    cosines = np.array([each.cosine for each in candidates], np.float32)
    if asked.mode == "semantic":
        scores = cosines
    else:
        counts = [each.counts for each in candidates]
        lengths = [each.length for each in candidates]
        words = lexical(bm25(zip(*counts, strict=True), lengths))
        if asked.mode == "keyword":
            scores = words
        else:
            nothing = np.zeros(len(candidates), np.float32)
            priors = np.array([prior(n) for n in lengths], np.float32)
            priors = priors if asked.has_prior else nothing
            scores = hybrid(cosines, priors, words, nothing, weight=weight)
    limited: Floats = np.clip(scores, 0, 1)
    return limited
