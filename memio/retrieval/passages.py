"""What a row says, cut into the passages that get vectors of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memio.retrieval.scoring import Floats, in_context
from memio.retrieval.text import chunks, context


@dataclass(frozen=True, slots=True)
class Text:
    """The searchable text of a row.

    Attributes:
        content: What the row says.
        who: Who says it, or whom it is about.
        previous: The message before it, which it may answer.
        spoken: Whether ``who`` is the speaker, whose words can be found by the name.
    """

    content: str
    who: str = ""
    previous: str = ""
    spoken: bool = False


def to_embed(texts: Sequence[Text]) -> list[str]:
    """Return what an embedder must read so that ``as_blocks`` has its vectors."""
    passages = [passage for text in texts for passage in chunks(text.content)]
    return [*passages, *filter(None, (context(text.previous) for text in texts))]


def as_blocks(texts: Sequence[Text], vectors: Floats) -> list[Floats]:
    """Return each text's vectors, shape (passages, dim): those of ``to_embed``."""
    ends = np.cumsum([len(chunks(text.content)) for text in texts])
    blocks = np.split(vectors[: ends[-1]], ends[:-1])
    before = iter(vectors[ends[-1] :])
    return [
        in_context(block, next(before)) if context(text.previous) else block
        for text, block in zip(texts, blocks, strict=True)
    ]
