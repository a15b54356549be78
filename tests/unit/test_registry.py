"""Providers are found by name, imported when chosen, and built into one Memio."""

import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from memio import registry
from memio.exceptions import SetupError
from memio.registry import BuildContext, Choice, Provider


@dataclass(frozen=True, slots=True)
class FakeSettings:
    path: str = ""


class FakeDocuments:
    SETTINGS = FakeSettings
    events: list[str] = []  # noqa: RUF012

    def __init__(self, settings, context):
        self.settings = settings
        self.embedder = context.embedder
        self.database = context.shared("database", object)

    @classmethod
    def from_config(cls, settings, context):
        return cls(settings, context)

    async def open(self):
        self.events.append("open store")

    async def close(self):
        self.events.append("close store")

    async def ping(self): ...
    async def add(self): ...
    async def get(self): ...
    async def get_all(self): ...
    async def search(self): ...
    async def update(self): ...
    async def upsert(self): ...
    async def delete(self): ...
    async def delete_all(self): ...


class FakeGraph(FakeDocuments):
    pass


class FakeEmbedder:
    async def open(self):
        FakeDocuments.events.append("open embedder")

    async def close(self):
        FakeDocuments.events.append("close embedder")


@pytest.fixture(autouse=True)
def fake_provider(monkeypatch):
    module = ModuleType("fake_provider")
    module.FakeDocuments = FakeDocuments
    module.FakeGraph = FakeGraph
    module.PROVIDER = Provider({"documents": "fake_provider:FakeDocuments"})
    monkeypatch.setitem(sys.modules, "fake_provider", module)
    fake = Provider(
        {
            "documents": "fake_provider:FakeDocuments",
            "graph": "fake_provider:FakeGraph",
        }
    )
    monkeypatch.setattr(registry, "PROVIDERS", {"fake": fake})
    monkeypatch.setattr(registry, "make_embedder", lambda *_: FakeEmbedder())
    FakeDocuments.events.clear()


@pytest.fixture
def entry_points(monkeypatch):
    """Lets a test announce providers as other packages do."""

    def announce(**values: str):
        points = [
            metadata.EntryPoint(name, value, registry.ENTRY_POINTS)
            for name, value in values.items()
        ]
        monkeypatch.setattr(
            registry.metadata, "entry_points", lambda *, group: points if group else []
        )
        registry._entry_points.cache_clear()

    yield announce
    monkeypatch.undo()
    registry._entry_points.cache_clear()


def context() -> BuildContext:
    return BuildContext(data_dir=Path("data"), embedding=Choice("hash", {}))


def build(**stores: Choice):
    return registry.build_memio(
        stores, embedding=Choice("hash", {}), data_dir=Path("data")
    )


def test_shipped_providers_are_sorted_and_serve_known_stores(monkeypatch):
    monkeypatch.undo()
    assert list(registry.PROVIDERS) == sorted(registry.PROVIDERS)
    for provider in registry.PROVIDERS.values():
        assert set(provider.stores) <= {"facts", "history", "documents", "graph"}


def test_shipped_extras_are_declared_by_the_package(monkeypatch):
    monkeypatch.undo()
    declared = metadata.metadata("memio").get_all("Provides-Extra")
    wanted = {provider.extra for provider in registry.PROVIDERS.values()} - {None}
    assert wanted <= set(declared)


def test_adapter_is_loaded_by_name():
    assert registry.load_adapter("fake", "documents") is FakeDocuments


def test_adapter_is_imported_only_when_it_is_loaded(monkeypatch):
    monkeypatch.setitem(
        registry.PROVIDERS, "absent", Provider({"facts": "no_such_module:A"})
    )
    assert registry.provider_names() == ["absent", "fake"]
    assert registry.load_adapter("fake", "documents") is FakeDocuments


def test_unknown_provider_is_told_with_the_list():
    with pytest.raises(SetupError, match=r"'fak' is not a provider.*one of: fake\.$"):
        registry.load_adapter("fak", "documents")


def test_store_that_a_provider_lacks_is_told_with_those_that_serve_it(monkeypatch):
    monkeypatch.setitem(registry.PROVIDERS, "more", Provider({"facts": "x:Y"}))
    with pytest.raises(
        SetupError, match=r"'fake' does not serve facts; these do: more\.$"
    ):
        registry.load_adapter("fake", "facts")


def test_missing_packages_are_told_with_the_install_line(monkeypatch):
    absent = Provider({"facts": "no_such_module:A"}, extra="chroma")
    monkeypatch.setitem(registry.PROVIDERS, "absent", absent)
    with pytest.raises(SetupError, match=r"run: pip install 'memio\[chroma\]'$"):
        registry.load_adapter("absent", "facts")


def test_other_packages_add_providers(entry_points):
    entry_points(theirs="fake_provider:PROVIDER")
    assert registry.provider_names() == ["fake", "theirs"]
    assert registry.load_adapter("theirs", "documents") is FakeDocuments


def test_a_shipped_provider_cannot_be_replaced(entry_points):
    entry_points(fake="fake_provider:NOTHING")
    assert registry.load_adapter("fake", "graph") is FakeGraph


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module:PROVIDER", "cannot be imported"),
        ("fake_provider:NOTHING", "cannot be imported"),
        ("fake_provider:FakeGraph", "is not a memio.registry.Provider"),
    ],
)
def test_a_broken_package_is_told_and_hides_no_other(entry_points, value, told):
    entry_points(broken=value)
    with pytest.raises(SetupError, match=told):
        registry.load_adapter("broken", "documents")
    with pytest.raises(SetupError, match="these do: "):
        registry.load_adapter("fake", "facts")


async def test_stores_share_an_embedder_that_outlives_them():
    memio = build(
        documents=Choice("fake", FakeSettings("x")),
        graph=Choice("fake", FakeSettings()),
    )
    assert memio.documents.settings.path == "x"
    assert memio.documents.embedder is memio.graph.embedder
    assert memio.documents.database is memio.graph.database
    async with memio:
        await memio.open()  # opening twice is opening once
    opened = ["open embedder", "open store", "open store"]
    assert FakeDocuments.events == [
        *opened,
        "close store",
        "close store",
        "close embedder",
    ]


async def test_a_store_that_fails_to_open_closes_what_was_opened(monkeypatch):
    async def fail(_self):
        raise SetupError("no")

    monkeypatch.setattr(FakeGraph, "open", fail)
    memio = build(
        documents=Choice("fake", FakeSettings()),
        graph=Choice("fake", FakeSettings()),
    )
    with pytest.raises(SetupError):
        await memio.open()
    assert FakeDocuments.events == [
        "open embedder",
        "open store",
        "close store",
        "close embedder",
    ]


def test_no_embedder_is_made_where_no_store_asks_for_one(monkeypatch):
    made = []
    monkeypatch.setattr(registry, "make_embedder", lambda *_: made.append(1))
    assert context().resources == []
    assert made == []


@pytest.mark.parametrize("kind", [ImportError, OSError, ValueError])
def test_an_embedder_that_cannot_be_made_is_a_setup_error(monkeypatch, kind):
    def refuse(*_):
        raise kind("the reason")

    monkeypatch.setattr(registry, "make_embedder", refuse)
    with pytest.raises(SetupError, match="the reason"):
        build(documents=Choice("fake", FakeSettings()))


def test_choice_never_shows_its_settings():
    assert "secret" not in repr(Choice("mem0", SimpleNamespace(api_key="secret")))


def test_packages_of_an_extra_are_told_with_their_versions(monkeypatch):
    monkeypatch.setitem(registry.PROVIDERS, "web", Provider({}, extra="openai"))
    assert registry.packages_of("web") == {"httpx": metadata.version("httpx")}
    assert registry.packages_of("fake") == {}


def test_two_contexts_share_nothing():
    assert context().shared("k", object) is not context().shared("k", object)
