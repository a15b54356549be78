"""Texts taken apart: the words of a query that count, its names, a text's chunks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

CONTEXT_WORDS = 60
"""How much of the message before colours a message's embedding, in words."""

MOST_WORDS = 128
"""How many words of a query are looked up; what is longer is no question any more."""

CHUNK_WORDS = 200
CHUNK_OVERLAP = 40
MOST_CHUNKS = 64

_WORD = re.compile(r"\w+(?:['’]\w+)*")  # noqa: RUF001 (texts do hold that apostrophe)
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)  # noqa: RUF001

STOP_WORDS = frozenset(
    """
    a about after again all also am an and any are as at be because been before being
    between both but by can could did do does doing down during each few for from
    further had has have having he her here hers herself him himself his how i if in
    into is it its itself just let me might mine more most must my myself no nor not now
    of off on once only or other our ours ourselves out over own same shall she should
    so some such than that the their theirs them themselves then there these they this
    those through to too under until up us very was we were what when where which while
    who whom whose why will with would you your yours yourself yourselves
    don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't
    i'm i've i'd i'll you're it's that's what's
    """.split()
)
"""English words that say little about what a text is about."""


def words(text: str) -> list[str]:
    """Return the words of a text in order, possessive endings removed."""
    return [_POSSESSIVE.sub("", word) for word in _WORD.findall(text)]


def telling_words(query: str) -> list[str]:
    """Return a query's words without stop words, lower-cased, each once.

    A query of nothing but stop words keeps them: they are all there is to go by. Of a
    long query the first ``MOST_WORDS`` count.
    """
    every = list(dict.fromkeys(word.lower() for word in words(query)))
    return ([word for word in every if word not in STOP_WORDS] or every)[:MOST_WORDS]


def capitalised(query: str) -> list[str]:
    """Return the words of a query that may be names: capitalised, not stop words."""
    found = (word for word in words(query) if word[0].isupper())
    return [w for w in dict.fromkeys(found) if w.lower() not in STOP_WORDS]


def without(query: str, names: Sequence[str]) -> str:
    """Return a query without the given words; the query itself if nothing is left."""
    if not names:
        return query
    either = "|".join(re.escape(name) for name in names)
    rest = re.sub(rf"\b(?:{either})\b(?:['’]s)?", " ", query)  # noqa: RUF001
    return rest if words(rest) else query


def context(previous: str) -> str:
    """Return the end of a message, which the next one may answer."""
    return " ".join(previous.split()[-CONTEXT_WORDS:])


def chunks(text: str) -> list[str]:
    """Cut a long text into overlapping windows, so that each is about one thing.

    A text of up to ``CHUNK_WORDS`` words is one chunk; no text has more than
    ``MOST_CHUNKS``, longer windows being taken instead.
    """
    return list(_windows(text))


def _windows(text: str) -> Iterator[str]:
    parts = text.split()
    if len(parts) <= CHUNK_WORDS:
        yield text
        return
    step = max(CHUNK_WORDS - CHUNK_OVERLAP, -(-len(parts) // MOST_CHUNKS))
    for start in range(0, len(parts) - CHUNK_OVERLAP, step):
        yield " ".join(parts[start : start + step + CHUNK_OVERLAP])
