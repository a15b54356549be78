"""memio-server with a provider that fails in the way that a file says.

The file ``trouble`` in its working directory is read at every call of a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memio.cli import main
from memio.client import STORES
from memio.exceptions import (
    NotSupportedError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
)
from memio.registry import PROVIDERS, Provider

SECRET = "postgres://root:hunter2@10.0.0.1/memory"  # never to be seen
CAUSE = RuntimeError(SECRET)


def trouble(operation: str) -> Exception:
    """Return the error that is due, as the adapters of a provider raise it."""
    return {
        "bug": CAUSE,
        "failure": ProviderError("mem0", operation, CAUSE),
        "limits": NotSupportedError("mem0", operation, "leave the filters out."),
        "load": OverloadedError("The database is busy; try again."),
        "silence": ProviderTimeoutError("mem0", operation, CAUSE),
    }[Path("trouble").read_text()]


@dataclass(frozen=True, slots=True)
class NoSettings:
    """Nothing can be chosen."""


class Troubled:
    """What all its stores share; each gets the methods of its protocol from below."""

    SETTINGS = NoSettings

    @classmethod
    def from_config(cls, *_: Any) -> Any:
        return cls()

    async def open(self) -> None: ...

    async def close(self) -> None: ...


def failing(name: str) -> Any:
    async def method(*_: Any, **__: Any) -> None:
        raise trouble(name)

    return method


ADAPTERS = {
    store: type(
        f"Troubled{store}",
        (Troubled,),
        {
            name: failing(name)
            for name in dir(protocol)
            if not name.startswith("_") and not hasattr(Troubled, name)
        },
    )
    for store, protocol in STORES.items()
}
globals().update(ADAPTERS)

if __name__ == "__main__":
    PROVIDERS["troubled"] = Provider({s: f"{__name__}:{s}" for s in STORES})
    main()
