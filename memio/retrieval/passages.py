"""What a row says, cut into the passages that get vectors of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

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

    @property
    def searchable(self) -> str:
        """The text that words are looked up in."""
        return f"{self.who}: {self.content}" if self.spoken else self.content


class Passages:
    """The passages of some texts.

    Attributes:
        each: The passages of each text.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self.each = [chunks(text.content) for text in texts]
        self._contexts = [context(text.previous) for text in texts]

    @property
    def to_embed(self) -> list[str]:
        """What an embedder must read so that ``blocks`` has its vectors."""
        passages = [passage for several in self.each for passage in several]
        return [*passages, *filter(None, self._contexts)]

    def blocks(self, vectors: Floats) -> list[Floats]:
        """Return each text's vectors, shape (passages, dim): those of ``to_embed``."""
        ends = accumulate(map(len, self.each))
        blocks = [
            vectors[end - len(several) : end]
            for end, several in zip(ends, self.each, strict=True)
        ]
        before = iter(vectors[sum(map(len, self.each)) :])
        return [
            in_context(block, next(before)) if said else block
            for block, said in zip(blocks, self._contexts, strict=True)
        ]
