"""Chroma's traps closed, and its failures told."""

from __future__ import annotations

import asyncio
import gc
import time

import chromadb
import pytest
from chromadb.config import Settings
from chromadb.utils.embedding_functions import DefaultEmbeddingFunction

from memio.embedding import make_embedder
from memio.exceptions import (
    ConflictError,
    ProviderError,
    ProviderTimeoutError,
    SetupError,
)
from memio.models import Document
from memio.providers.chroma import ChromaDocumentAdapter, ChromaFactAdapter
from memio.providers.chroma.embedding import ChromaEmbedder
from memio.providers.chroma.engine import ChromaEngine, Form, _sessions
from tests.standins.chroma import chroma_server
from tests.standins.faults import FAULTS, LATE, REFUSED, breakable, faulty


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with chroma_server(tmp_path_factory.mktemp("chroma")) as port:
        yield port


@pytest.fixture(autouse=True)
def _no_download(monkeypatch):
    def refuse(self, input):  # noqa: A002, ARG001 (Chroma looks at the names)
        raise AssertionError("Chroma's own embedding function was asked")

    monkeypatch.setattr(DefaultEmbeddingFunction, "__call__", refuse)


async def opened(form, name="tests", kind=ChromaDocumentAdapter, **options):
    embedder = options.pop("embedder", None) or make_embedder("hash", {"dim": 384})
    store = kind(
        client=ChromaEngine(form), collection_name=name, embedder=embedder, **options
    )
    await store.open()
    return store


def server(port, **options):
    return Form(host="127.0.0.1", port=port, timeout=options.pop("timeout", 5))


async def test_a_client_of_the_callers_serves_and_stays_open():
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    embedder = make_embedder("hash", {})
    store = ChromaDocumentAdapter(
        client=client, collection_name="callers", embedder=embedder
    )
    await store.open()
    await store.add(content="text", doc_id="d")
    await store.close()
    client.heartbeat()
    found = client.get_collection("callers", embedding_function=None).get()
    assert (found["ids"], found["documents"]) == (["d"], ["text"])


async def test_without_an_embedder_the_built_in_one_serves():
    store = ChromaFactAdapter(client=ChromaEngine(Form()), collection_name="built-in")
    await store.open()
    await store.add(content="Maria prefers oat milk", user_id="u")
    (found,) = await store.search(query="what does she drink", user_id="u")
    assert found.content == "Maria prefers oat milk"
    await store.close()


async def test_other_programs_read_plain_metadata_and_see_it_replaced():
    form = Form()
    store = await opened(form, "plain")
    metadata = {"lang": "fr", "n": 1, "x": 2**70, "tags": ["a"], "none": None, "": 1}
    await store.add(content="text", doc_id="d", metadata=metadata)
    table = form.connect().get_collection("plain", embedding_function=None)

    def seen():
        (row,) = table.get(ids=["d"])["metadatas"]
        return {key: value for key, value in row.items() if ":" not in key}

    assert seen() == {"lang": "fr", "n": 1, "x": pytest.approx(2**70)}
    await store.update(doc_id="d", content="text", metadata={"n": "one"})
    assert seen() == {"n": "one"}
    await store.update(doc_id="d", content="text", metadata=None)
    assert seen() == {}
    await store.close()


async def test_telemetry_is_off(port, tmp_path):
    for form in (Form(), Form(directory=str(tmp_path)), server(port)):
        client = form.connect()
        assert client.get_settings().anonymized_telemetry is False
        for session in _sessions(client) if form.host else ():
            session.close()


async def test_a_row_that_another_process_deleted_stays_deleted(port):
    mine, theirs = [await opened(server(port), "deleted") for _ in range(2)]
    await mine.add(content="text", doc_id="d")
    replace = mine._collection.replace

    async def late(*arguments):
        await theirs.delete(doc_id="d")
        await replace(*arguments)

    mine._collection.replace = late
    await mine.update(doc_id="d", content="changed")
    assert await theirs.get_all() == []
    await mine.close()
    await theirs.close()


async def test_of_two_processes_that_add_one_id_one_wins(port):
    stores = [await opened(server(port), "race") for _ in range(4)]
    for n in range(5):
        outcomes = await asyncio.gather(
            *(store.add(content=str(id(store)), doc_id=f"d{n}") for store in stores),
            return_exceptions=True,
        )
        (winner,) = [each for each in outcomes if isinstance(each, Document)]
        assert sum(isinstance(each, ConflictError) for each in outcomes) == 3
        assert await stores[0].get(doc_id=f"d{n}") == winner
    for store in stores:
        await store.close()


async def test_a_server_keeps_what_it_stored_when_it_is_killed(tmp_path):
    with chroma_server(tmp_path) as port:
        store = await opened(server(port))
        added = [await store.add(content=f"text {n}") for n in range(10)]
        await store.close()
    with chroma_server(tmp_path) as port:
        store = await opened(server(port))
        assert list(await store.get_all()) == added[::-1]
        await store.close()


def _as_the_original_does(form, name, count):
    table = form.connect().get_or_create_collection(name=name)
    vectors = make_embedder("hash", {"dim": 384})._embed(
        [f"t {n}" for n in range(count)]
    )
    table.add(
        ids=[f"d{n}" for n in range(count)],
        documents=[f"t {n}" for n in range(count)],
        embeddings=vectors,
        metadatas=[{"n": n} if n else None for n in range(count)],
    )


async def _hash_embed(_self, texts):
    return make_embedder("hash", {"dim": 384})._embed(texts)


async def test_a_collection_of_the_original_is_taken_over(monkeypatch):
    monkeypatch.setattr(ChromaEmbedder, "embed", _hash_embed)
    monkeypatch.setattr("memio.providers.chroma.adopting._BATCH", 3)
    form = Form()
    _as_the_original_does(form, "original", 8)
    with pytest.raises(SetupError, match="set `embedding: default`"):
        await opened(form, "original")
    modify = chromadb.Collection.modify
    monkeypatch.setattr(chromadb.Collection, "modify", lambda *_, **__: 1 / 0)
    with pytest.raises(SetupError):  # broken off
        await opened(form, "original", embedder=ChromaEmbedder())
    monkeypatch.setattr(chromadb.Collection, "modify", modify)
    store = await opened(form, "original", embedder=ChromaEmbedder())
    await store.add(content="new", doc_id="new")
    documents = await store.get_all()
    assert [row.id for row in documents] == [
        "new",
        *(f"d{n}" for n in range(7, -1, -1)),
    ]
    assert (documents[1].metadata, documents[1].created_at) == ({"n": 7}, None)
    assert documents[-1].metadata is None
    (found,) = await store.get_all(filters={"n": 3})
    assert found.id == "d3"
    best = (await store.search(query="t 5", mode="semantic"))[0]
    assert best.id == "d5"
    assert best.score == pytest.approx(1, abs=1e-4)  # though Chroma's space is l2
    changed = await store.update(doc_id="d3", content="changed", metadata={"m": 1})
    assert changed.updated_at is not None
    assert await store.get(doc_id="d3") == changed
    await store.close()
    store = await opened(form, "original", embedder=ChromaEmbedder())
    assert len(await store.get_all()) == 9
    await store.close()


async def test_entries_of_other_programs_are_told(tmp_path):
    form = Form(directory=str(tmp_path))
    store = await opened(form)
    table = store._collection._opened
    table.add(ids=["strange"], documents=["text"], embeddings=[[0.1] * 384])
    with pytest.raises(ProviderError, match="not written by memio"):
        await store.get(doc_id="strange")
    await store.close()


@pytest.mark.parametrize(
    "form",
    [
        Form(host="127.0.0.1", port=1, timeout=1),
        Form(tenant="nobody"),
        Form(directory="/proc/nowhere"),
    ],
    ids=str,
)
async def test_what_cannot_be_opened_is_told(form):
    with pytest.raises((SetupError, OSError)):
        await opened(form)


async def test_a_name_that_chroma_refuses_is_told():
    with pytest.raises(
        SetupError, match=r"'a' of chroma in memory.*Check the settings"
    ):
        await opened(Form(), "a")


async def test_a_tenant_of_the_servers_is_apart(port):
    settings = Settings(
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host="127.0.0.1",
        chroma_server_http_port=port,
        anonymized_telemetry=False,
    )
    admin = chromadb.AdminClient(settings)
    admin.create_tenant("acme")
    admin.create_database("notes", "acme")
    admin._server._session.close()
    here = await opened(server(port), "tenants")
    there = await opened(
        Form(host="127.0.0.1", port=port, tenant="acme", database="notes", timeout=5),
        "tenants",
    )
    await there.add(content="text")
    assert (len(await here.get_all()), len(await there.get_all())) == (0, 1)
    await here.close()
    await there.close()


def hurry(store):
    """Shorten the deadline; opening takes its time on a busy machine."""
    store._collection._calls._timeout = 0.5
    for session in _sessions(store._collection._engine.client):
        session.timeout = 0.4


OPERATIONS = {
    "add": lambda store: store.add(content="text", doc_id="new"),
    "get": lambda store: store.get(doc_id="d"),
    "search": lambda store: store.search(query="text"),
    "ping": lambda store: store.ping(),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told_in_time_and_passes(port, fault):
    with breakable(f"http://127.0.0.1:{port}") as proxy:
        at = int(proxy.url.rpartition(":")[2])
        store = await opened(server(at), "faults")
        await store.upsert(content="text", doc_id="d")
        hurry(store)
        proxy.fault = fault
        for operation, work in OPERATIONS.items():
            started = time.monotonic()
            with pytest.raises(ProviderError) as caught:
                await work(store)
            assert time.monotonic() - started < 3
            assert (caught.value.provider, caught.value.operation) == (
                *("chroma", operation),
            )
            if fault in LATE:
                assert isinstance(caught.value, ProviderTimeoutError)
        if fault != REFUSED:
            proxy.fault = None
            store._collection._calls._timeout = 5
            await store.get(doc_id="d")
        await store.close()


@pytest.mark.parametrize("fault", ["reset", "429", "503"])
async def test_reads_are_repeated_and_writes_are_not(port, fault, monkeypatch):
    monkeypatch.setattr("memio.calls.FIRST_PAUSE", 0.3)
    with breakable(f"http://127.0.0.1:{port}") as proxy:
        store = await opened(server(int(proxy.url.rpartition(":")[2])), "repeating")
        await store.upsert(content="text", doc_id="d")
        loop = asyncio.get_running_loop()
        proxy.fault = fault
        loop.call_later(0.1, setattr, proxy, "fault", None)
        assert (await store.get(doc_id="d")).content == "text"
        proxy.fault = fault
        loop.call_later(0.1, setattr, proxy, "fault", None)
        with pytest.raises(ProviderError):
            await store.add(content="other")
        proxy.fault = None
        await store.close()


async def test_calls_that_hang_give_their_threads_back(port):
    with breakable(f"http://127.0.0.1:{port}") as proxy:
        at = int(proxy.url.rpartition(":")[2])
        store = await opened(server(at), "hanging")
        hurry(store)
        proxy.fault = "hang"
        calls = [store.get_all() for _ in range(30)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, ProviderTimeoutError) for each in failures)
        proxy.fault = None
        store._collection._calls._timeout = 5
        assert await store.get_all() == []
        await store.close()


# The vendor's client leaves its connection open if it cannot be made.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", ["401", "500", "garbage", "html", REFUSED, "hang"])
async def test_a_server_that_fails_from_the_start_is_told(fault):
    with faulty(fault) as url:
        at = int(url.rpartition(":")[2])
        with pytest.raises(SetupError, match="cannot be opened"):
            await opened(server(at, timeout=0.4), timeout=0.5)
    gc.collect()
