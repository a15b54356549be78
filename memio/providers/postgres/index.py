"""What is derived from a row so that search finds it: words and vectors, by passage.

A stored vector is the embedder's with one more number, the row's prior: the inner
product with a query's vector, in which a 1 stands there, is meaning and prior together,
so that the index of the vectors ranks by both. (With a 0, it ranks by meaning alone.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from memio.embedding import Embedder
from memio.providers.postgres.tables import Parameters, Table
from memio.providers.postgres.vectors import packed
from memio.retrieval.passages import Passages, Text
from memio.retrieval.scoring import prior

MOST_CHARACTERS = 200_000
"""How much of a passage is looked up by words: a tsvector holds at most a megabyte."""

_BETWEEN_WORDS = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Parts:
    """The passages of some rows, a list for each column; ``keys`` tells whose they are.

    Attributes:
        keys: The id of the row.
        parts: The number of the passage in its row.
        words: The words of the row.
        who: Who speaks or is spoken of, as lower-cased words.
        texts: What the passage says, in plain words.
        previous: What was said before it, likewise.
        vectors: Of the passages, packed.
    """

    keys: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    who: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    previous: list[str] = field(default_factory=list)
    vectors: list[bytes] = field(default_factory=list)

    def source(self, given: Parameters) -> str:
        """Return the parts as something to select from."""
        columns = {
            "key": ("text", self.keys),
            "part": ("smallint", self.parts),
            "words": ("integer", self.words),
            "who": ("text", self.who),
            "text": ("text", self.texts),
            "previous": ("text", self.previous),
            "embedding": ("vector", self.vectors),
        }
        arrays = ", ".join(
            f"{given.add(values)}::{kind}[]" for kind, values in columns.values()
        )
        return f"unnest({arrays}) AS new ({', '.join(columns)})"


async def embed(
    embedder: Embedder, table: Table, texts: Sequence[Text], keys: Sequence[str]
) -> Parts:
    """Take texts apart, and give their passages vectors; a key for each text."""
    passages, found = Passages(texts), Parts()
    blocks = passages.blocks(await embedder.embed(passages.to_embed))
    for key, text, block, several in zip(
        keys, texts, blocks, passages.each, strict=True
    ):
        words = len(text.content.split())
        worth = prior(words) if table.has_prior else 0.0
        speaker = f"{text.who}: " if text.spoken else ""
        for part, passage in enumerate(several):
            found.keys.append(key)
            found.parts.append(part)
            found.words.append(words)
            found.who.append(" ".join(dict.fromkeys(text.who.lower().split())))
            found.texts.append(plain("" if part else speaker, passage))
            found.previous.append("" if part else plain(text.previous))
            found.vectors.append(packed(block[part], worth))
    return found


def store(table: Table, rows: str, parts: Parts, given: Parameters) -> str:
    """Return the statement that stores the parts of the rows of a query.

    Args:
        table: Whose parts they are.
        rows: What names the rows, with their seq, id and scope: a CTE or a table.
        parts: Those of rows that are not in ``rows`` are left out.
        given: Receives the statement's parameters.
    """
    scope = "".join(f", {column}" for column in table.scope)
    # A: what the row says itself, D: what it answers.
    return (
        f"INSERT INTO {table.parts}"
        f" (seq, part, words, who, lexemes, embedding{scope})"
        " SELECT seq, part, words, who,"
        " setweight(to_tsvector('words', text), 'A')"
        " || setweight(to_tsvector('words', previous), 'D'),"
        f" embedding{scope} FROM {rows} AS stored JOIN"
        f" {parts.source(given)} ON new.key = stored.id"
    )


def plain(*texts: str) -> str:
    """Return the words of texts without case, accents or anything between them.

    What is stored and what is asked pass through here, so that PostgreSQL's parser,
    which knows URLs, paths and signed numbers, sees nothing but words.
    """
    text = "".join(texts)[:MOST_CHARACTERS]
    if text.isascii():
        text = text.lower()
    else:
        apart = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(each for each in apart if not unicodedata.combining(each))
    return _BETWEEN_WORDS.sub(" ", text)[:MOST_CHARACTERS]
