"""Which provider serves which store, and how the stores of one server are built."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast

from memio.client import Memio, StoreName
from memio.embedding import Embedder, make_embedder
from memio.exceptions import SetupError

T = TypeVar("T")

ENTRY_POINTS = "memio.providers"
"""The group in which other packages announce a provider: name = "module:PROVIDER"."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A place where memory can be kept.

    Attributes:
        stores: The adapter class of each store that it serves, as "module:Class".
        extra: The extra of memio that installs what the adapters import.
    """

    stores: Mapping[StoreName, str]
    extra: str | None = None


PROVIDERS: dict[str, Provider] = {
    "chroma": Provider(
        stores={
            "facts": "memio.providers.chroma:ChromaFactAdapter",
            "documents": "memio.providers.chroma:ChromaDocumentAdapter",
        },
        extra="chroma",
    ),
    "letta": Provider(
        stores={
            "facts": "memio.providers.letta:LettaFactAdapter",
            "history": "memio.providers.letta:LettaHistoryAdapter",
            "documents": "memio.providers.letta:LettaDocumentAdapter",
        },
        extra="letta",
    ),
    "local": Provider(
        stores={
            "facts": "memio.providers.local:LocalFactAdapter",
            "history": "memio.providers.local:LocalHistoryAdapter",
            "documents": "memio.providers.local:LocalDocumentAdapter",
            "graph": "memio.providers.local:LocalGraphAdapter",
        }
    ),
    "mem0": Provider(
        stores={
            "facts": "memio.providers.mem0:Mem0FactAdapter",
            "graph": "memio.providers.mem0:Mem0GraphAdapter",
        },
        extra="mem0",
    ),
    "postgres": Provider(
        stores={
            "facts": "memio.providers.postgres:PostgresFactAdapter",
            "history": "memio.providers.postgres:PostgresHistoryAdapter",
            "documents": "memio.providers.postgres:PostgresDocumentAdapter",
            "graph": "memio.providers.postgres:PostgresGraphAdapter",
        },
        extra="postgres",
    ),
    "qdrant": Provider(
        stores={
            "facts": "memio.providers.qdrant:QdrantFactAdapter",
            "documents": "memio.providers.qdrant:QdrantDocumentAdapter",
        },
        extra="qdrant",
    ),
    "supermemory": Provider(
        stores={
            "facts": "memio.providers.supermemory:SupermemoryFactAdapter",
            "documents": "memio.providers.supermemory:SupermemoryDocumentAdapter",
        },
        extra="supermemory",
    ),
    "zep": Provider(
        stores={
            "facts": "memio.providers.zep:ZepFactAdapter",
            "history": "memio.providers.zep:ZepHistoryAdapter",
            "graph": "memio.providers.zep:ZepGraphAdapter",
        },
        extra="zep",
    ),
}
"""The providers that memio ships, by name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider or an embedder that was chosen, and its settings.

    Attributes:
        config: Its settings; they may hold keys, so they are never shown.
    """

    provider: str
    config: Any = field(repr=False)


class BuildContext:
    """What the adapters of one server share while they are built.

    Attributes:
        data_dir: The directory for files whose place nobody chose.
        workers: How many processes of the server will have the stores open at once.
    """

    def __init__(self, *, data_dir: Path, embedding: Choice, workers: int = 1) -> None:
        self.data_dir = data_dir
        self.workers = workers
        self._embedding = embedding
        self._embedder: Embedder | None = None
        self._shared: dict[Hashable, Any] = {}

    @property
    def embedder(self) -> Embedder:
        """The embedder of this server, made on first use; open before any store is."""
        if self._embedder is None:
            self._embedder = make_embedder(
                self._embedding.provider, self._embedding.config
            )
        return self._embedder

    @property
    def resources(self) -> list[Embedder]:
        """What must be open before the stores."""
        return [] if self._embedder is None else [self._embedder]

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` made for the first adapter that asked for ``key``."""
        if key not in self._shared:
            self._shared[key] = make()
        return cast("T", self._shared[key])


class Adapter(Protocol):
    """What the registry asks of an adapter class beyond its store's protocol.

    Attributes:
        SETTINGS: A frozen dataclass: the keys of ``stores.<store>.config``.
    """

    SETTINGS: ClassVar[type]

    @classmethod
    def from_config(cls, settings: Any, context: BuildContext) -> Any:
        """Make the adapter without connecting to anything."""
        ...


def provider_names() -> list[str]:
    """Name every provider there is, ours and other packages', sorted."""
    return sorted({*PROVIDERS, *_entry_points()})


def load_adapter(name: str, store: StoreName) -> type[Adapter]:
    """Import the class by which the provider serves the store.

    Raises:
        SetupError: There is no such class, or it cannot be imported.
    """
    provider = _find(name)
    target = provider.stores.get(store)
    if target is None:
        raise SetupError(
            f"'{name}' does not serve {store}; these do: {', '.join(_serving(store))}."
        )
    try:
        return cast("type[Adapter]", import_object(target))
    except (ImportError, AttributeError) as error:
        if provider.extra is None:
            raise _broken(name, error) from error
        raise SetupError(
            f"'{name}' needs packages that are not installed ({error}); "
            f"run: pip install 'memio[{provider.extra}]'"
        ) from error


def build_memio(
    stores: Mapping[StoreName, Choice],
    *,
    embedding: Choice,
    data_dir: Path,
    workers: int = 1,
) -> Memio:
    """Build the stores that were chosen; nothing is opened yet.

    Raises:
        SetupError: An adapter or the embedder refuses its settings.
    """
    context = BuildContext(data_dir=data_dir, embedding=embedding, workers=workers)
    with setup_errors():
        built = {
            name: load_adapter(choice.provider, name).from_config(
                choice.config, context
            )
            for name, choice in stores.items()
        }
    return Memio(**built, resources=context.resources)


@contextmanager
def setup_errors() -> Iterator[None]:
    """Turn what building and opening raise for a wrong setting into ``SetupError``."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        raise SetupError(str(error)) from error


def packages_of(name: str) -> dict[str, str]:
    """Return the packages that the provider's extra installs, with their versions."""
    extra = _find(name).extra
    found = {}
    for requirement in metadata.requires("memio") or []:
        package, _, marker = requirement.partition(";")
        if extra and re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", marker):
            distribution = re.split(r"[^\w.-]", package, maxsplit=1)[0]
            with suppress(metadata.PackageNotFoundError):  # not for this platform
                found[distribution] = metadata.version(distribution)
    return found


def import_object(target: str) -> Any:
    """Return what "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name was meant, or list them if none is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}."


@cache
def _entry_points() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}


def _find(name: str) -> Provider:
    if name in PROVIDERS:
        return PROVIDERS[name]
    point = _entry_points().get(name)
    if point is None:
        names = provider_names()
        raise SetupError(
            f"'{name}' is not a provider; choose one of: {', '.join(names)}."
        )
    try:
        provider = point.load()
    except (ImportError, AttributeError) as error:
        raise _broken(name, error) from error
    if not isinstance(provider, Provider):
        raise SetupError(
            f"'{name}' is announced as {point.value}, which is not a "
            "memio.registry.Provider; tell the maintainers of its package."
        )
    return provider


def _serving(store: StoreName) -> list[str]:
    names = []
    for name in provider_names():
        try:
            if store in _find(name).stores:
                names.append(name)
        except SetupError:
            continue  # a broken package must not hide those that work
    return names


def _broken(name: str, error: Exception) -> SetupError:
    return SetupError(
        f"'{name}' cannot be imported ({error}); reinstall the package it comes from."
    )
