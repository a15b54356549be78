"""The graph that Mem0 no longer has: every operation says so."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self

from memio.exceptions import NotSupportedError
from memio.models import GraphResult, Triple
from memio.providers.mem0.settings import Mem0GraphSettings

HINT = (
    "Mem0 took its graph store out in version 2; "
    "set stores.graph.provider to one that has a graph, such as local."
)


class Mem0GraphAdapter:
    """``GraphStore`` that supports nothing, so that such a configuration still starts.

    Args:
        api_key: Not used.
        config: Not used.
    """

    SETTINGS: ClassVar[type[Mem0GraphSettings]] = Mem0GraphSettings

    def __init__(
        self, *, api_key: str | None = None, config: dict[str, Any] | None = None
    ) -> None:
        del api_key, config

    @classmethod
    def from_config(cls, settings: Mem0GraphSettings, context: Any) -> Self:
        """Make a configured server's store."""
        del settings, context
        return cls()

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def ping(self) -> None:
        """Do nothing: there is nothing that could be out of reach."""

    async def add(self, **_: object) -> list[Triple]:
        _refuse("add")

    async def get(self, **_: object) -> GraphResult:
        _refuse("get")

    async def get_all(self, **_: object) -> GraphResult:
        _refuse("get_all")

    async def search(self, **_: object) -> GraphResult:
        _refuse("search")

    async def delete(self, **_: object) -> None:
        _refuse("delete")

    async def delete_all(self, **_: object) -> int:
        _refuse("delete_all")


def _refuse(operation: str) -> NoReturn:
    raise NotSupportedError("mem0", operation, HINT)
