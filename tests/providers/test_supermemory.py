"""What Supermemory would lose, change or do twice, memio keeps from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from memio.exceptions import NotFoundError, OverloadedError, ProviderError
from memio.providers.supermemory import (
    SupermemoryDocumentAdapter,
    SupermemoryFactAdapter,
    SupermemorySettings,
    rows,
)
from tests.standins import supermemory
from tests.standins.service import RefusalError, route, serving
from tests.standins.supermemory import SupermemoryStandin

LONG = "  A long text. " + "lorem ipsum " * 1000


class Fickle(SupermemoryStandin):
    """Stores a document and answers that it failed; deletes one between two pages."""

    fails = False
    doomed: str | None = None

    @route("POST", "/ns/{ns}/document", 202)
    def add(self, body, ns):
        answer = super().add(body, ns)
        if self.fails:
            raise RefusalError(503, {"error": "stored all the same"})
        return answer

    @route("POST", "/ns/{ns}/list/documents")
    def list_documents(self, query, body, ns):
        answer = super().list_documents(query, body, ns)
        if self.doomed is not None:
            self.delete({"ids": [self.doomed]}, ns)
            self.doomed = None
        return answer

    list_namespaces = SupermemoryStandin.list_namespaces
    get = SupermemoryStandin.get
    update = SupermemoryStandin.update
    delete = SupermemoryStandin.delete
    search = SupermemoryStandin.search

    def documents(self):
        return [each for ns in self.namespaces.values() for each in ns.values()]


@pytest.fixture
def standin() -> Fickle:
    return Fickle()


@pytest.fixture
def settings(standin: Fickle) -> Iterator[dict[str, str]]:
    with serving(standin) as url:
        yield {"api_key": Fickle.KEY, "base_url": url, "namespace": "ours"}


async def opened(kind, settings):
    store = kind(**settings)
    await store.open()
    return store


async def test_a_bare_url_is_kept_as_a_text(settings, standin):
    store = await opened(SupermemoryFactAdapter, settings)
    fact = await store.add(content="https://example.com/a")
    assert (await store.get(fact_id=fact.id)).content == "https://example.com/a"
    assert standin.documents()[0]["source"] == "Link: https://example.com/a"
    await store.close()


async def test_an_addition_is_never_repeated(settings, standin):
    """Adding again to an id appends the text to itself."""
    store = await opened(SupermemoryFactAdapter, settings)
    standin.fails = True
    with pytest.raises(ProviderError) as caught:
        await store.add(content="once")
    assert (caught.value.provider, caught.value.operation) == ("supermemory", "add")
    assert [document["source"] for document in standin.documents()] == ["once"]
    await store.close()


async def test_two_stores_may_share_a_namespace(settings):
    facts = await opened(SupermemoryFactAdapter, settings)
    documents = await opened(SupermemoryDocumentAdapter, settings)
    await facts.add(content="a fact", user_id="ann")
    await documents.add(content="a document", doc_id="d")
    assert [fact.content for fact in await facts.get_all()] == ["a fact"]
    assert [each.id for each in await documents.search(query="fact")] == ["d"]
    assert await documents.delete_all() == 1
    assert len(await facts.get_all()) == 1
    await facts.close()
    await documents.close()


async def test_a_deletion_between_two_pages_hides_nothing(settings, standin):
    store = await opened(SupermemoryFactAdapter, settings)
    facts = [await store.add(content=f"fact {n}") for n in range(105)]
    standin.doomed = standin.documents()[0]["id"]
    listed = await store.get_all(limit=1000)
    assert [fact.id for fact in listed] == [fact.id for fact in facts[:0:-1]]
    await store.close()


async def test_a_document_deleted_during_its_update_stays_deleted(settings, standin):
    store = await opened(SupermemoryDocumentAdapter, settings)
    await store.add(content="old", doc_id="d")
    update = standin.update

    def too_late(body, ns, doc):
        standin.namespaces.clear()
        return update(body, ns, doc)

    standin._routes = [
        (found, too_late if handle == update else handle)
        for found, handle in standin._routes
    ]
    with pytest.raises(NotFoundError):
        await store.update(doc_id="d", content="new")
    assert list(await store.get_all()) == []
    await store.close()


async def test_a_long_text_is_read_once_it_is_processed(
    settings, standin, monkeypatch: pytest.MonkeyPatch
):
    """Until then it is neither listed nor found, and can be deleted."""
    monkeypatch.setattr(rows, "MOST_WAIT", 0.0)
    monkeypatch.setattr(supermemory, "PROCESSING", 0.5)
    store = await opened(SupermemoryDocumentAdapter, settings)
    await store.add(content=LONG, doc_id="long")
    await store.add(content="short", doc_id="short")
    with pytest.raises(OverloadedError):
        await store.get(doc_id="long")
    assert [each.id for each in await store.get_all()] == ["short"]
    assert [each.id for each in await store.search(query="lorem")] == ["short"]
    await asyncio.sleep(0.6)
    assert (await store.get(doc_id="long")).content == LONG
    assert len(await store.get_all()) == 2
    await store.update(doc_id="long", content=LONG + "changed")
    assert await store.delete_all() == 2
    assert standin.documents() == []
    await store.close()


async def test_the_wrong_key_is_an_error_of_the_provider(settings):
    store = await opened(SupermemoryFactAdapter, {**settings, "api_key": "wrong"})
    with pytest.raises(ProviderError, match="401"):
        await store.ping()
    await store.close()


async def test_ids_and_owners_never_stand_in_a_path_or_filter(settings, standin):
    store = await opened(SupermemoryDocumentAdapter, settings)
    await store.upsert(doc_id="../a b/ключ?", content="text")
    facts = await opened(SupermemoryFactAdapter, settings)
    await facts.get_all(user_id="ann' OR 1=1", agent_id="bob")
    assert all(path.isascii() and ".." not in path for _, path, _ in standin.requests)
    assert "ann" not in str(standin.requests[-1][2])
    await store.close()
    await facts.close()


def test_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SUPERMEMORY_API_KEY", raising=False)
    with pytest.raises(ValueError, match="SUPERMEMORY_API_KEY"):
        SupermemoryFactAdapter()
    with pytest.raises(ValueError, match="keep one"):
        SupermemorySettings(namespace="a", container_tag="b")
    with pytest.raises(ValueError, match="namespace"):
        SupermemorySettings(container_tag="a/b")
    settings = SupermemorySettings(api_key="secret", container_tag="team")
    assert "secret" not in repr(settings)
    assert SupermemoryDocumentAdapter.from_config(settings, None)
    monkeypatch.setenv("SUPERMEMORY_API_KEY", "from the environment")
    assert SupermemoryFactAdapter()
