"""memio-server as it is, over a fact store that does next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from trivial import TrivialFacts

from memio.cli import main
from memio.registry import PROVIDERS, Provider


@dataclass(frozen=True, slots=True)
class NoSettings:
    pass


class Adapter(TrivialFacts):
    SETTINGS = NoSettings

    @classmethod
    def from_config(cls, settings: NoSettings, context: Any) -> Self:  # noqa: ARG003
        return cls()


PROVIDERS["trivial"] = Provider(stores={"facts": "__main__:Adapter"})

if __name__ == "__main__":
    main()
