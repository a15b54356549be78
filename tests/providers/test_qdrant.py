"""Qdrant's traps closed, what goes to its server, and its failures told."""

from __future__ import annotations

import asyncio
import time

import pytest
from qdrant_client import AsyncQdrantClient, models

from memio.embedding import make_embedder
from memio.exceptions import (
    ConflictError,
    ProviderError,
    ProviderTimeoutError,
    SetupError,
)
from memio.models import Document
from memio.providers.qdrant import (
    QdrantDocumentAdapter,
    QdrantDocumentSettings,
    QdrantFactAdapter,
)
from memio.providers.qdrant.engine import Form, QdrantEngine
from tests.standins.faults import FAULTS, LATE, REFUSED, breakable, faulty
from tests.standins.qdrant import qdrant_stand_in

pytestmark = pytest.mark.filterwarnings(
    "ignore:Api key is used with an insecure connection"
)
KEY = "a-secret-key"


@pytest.fixture
def server():
    with qdrant_stand_in(api_key=KEY) as running:
        yield running


async def opened(form, name="tests", kind=QdrantDocumentAdapter):
    embedder = make_embedder("hash", {})
    engine = QdrantEngine(form)
    store = kind(client=engine, collection_name=name, embedder=embedder)
    await store.open()
    return store


def at(server, **options):
    return Form(url=server.url, api_key=KEY, **options)


async def test_a_client_of_the_callers_serves_and_stays_open(server):
    clients = (
        AsyncQdrantClient(":memory:"),
        AsyncQdrantClient(url=server.url, api_key=KEY, check_compatibility=False),
    )
    for client in clients:
        store = QdrantDocumentAdapter(
            client=client,
            collection_name="callers",
            embedder=make_embedder("hash", {}),
        )
        await store.open()
        await store.add(content="text", doc_id="d")
        (found,) = await store.search(query="text")
        assert found.id == "d"
        assert len(await store.get_all()) == 1
        await store.close()
        assert await client.collection_exists("callers")
        await client.close()


async def test_without_an_embedder_the_built_in_one_serves():
    engine = QdrantEngine(Form())
    store = QdrantFactAdapter(client=engine, collection_name="built in")
    await store.open()
    await store.add(content="Maria prefers oat milk", user_id="u")
    (found,) = await store.search(query="what does she drink", user_id="u")
    assert found.content == "Maria prefers oat milk"
    await store.close()


async def test_a_long_text_is_as_near_as_its_nearest_part():
    store = await opened(Form())
    filler = [" ".join(f"{word}{n}" for n in range(190)) for word in ("ab", "cd", "ef")]
    wanted = await store.add(content=f"{' '.join(filler)} zebra giraffe {filler[0]}")
    short = await store.add(content="zebra giraffe")
    found = await store.search(query="zebra giraffe", mode="semantic")
    assert [document.id for document in found] == [short.id, wanted.id]
    table = store._collection._engine._client
    points = table.retrieve(
        "tests", [_point(wanted.id)], with_vectors=True, with_payload=["key"]
    )
    assert len(points[0].vector) > 1
    await store.close()


def _point(key):
    from memio.providers.qdrant.collection import _point_id  # noqa: PLC0415

    return _point_id(key)


async def test_a_row_that_another_process_deleted_stays_deleted(server):
    mine, theirs = [await opened(at(server)) for _ in range(2)]
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


async def test_of_two_processes_that_add_one_id_one_wins(server):
    stores = [await opened(at(server)) for _ in range(4)]
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


async def test_rows_of_one_microsecond_are_listed_once_each(monkeypatch):
    monkeypatch.setattr("memio.providers.qdrant.collection._LEAST", 1)
    store = await opened(Form())
    for moment in range(12):
        stamp = 10**15 + moment // 4  # four at a time
        monkeypatch.setattr(store, "_now", lambda stamp=stamp: stamp)
        await store.add(content=str(moment))
    seen, cursor = [], None
    for _ in range(12):
        rows, cursor = await store._page(*_everything(1, cursor))
        seen += [int(text) for _, text in rows]
        if cursor is None:
            break
    assert sorted(seen) == list(range(12))
    assert [number // 4 for number in seen] == [2] * 4 + [1] * 4 + [0] * 4
    await store.close()


def _everything(limit, cursor):
    from memio.vectorstore import Where  # noqa: PLC0415

    return Where(), limit, cursor, None


async def test_filters_are_sent_along_and_users_kept_apart_by_the_server(server):
    store = await opened(at(server), kind=QdrantFactAdapter)
    await store.get_all(user_id="u", filters={"lang": "fr", "n": {"$gt": 2.5}})
    sent = server.requests[-1][2]["filter"]["must"]
    assert {"key": "user_id", "match": {"value": "u"}} in [
        _plain(each) for each in sent
    ]
    inside = [_plain(each) for each in sent[-1]["must"]]
    assert {"key": 'metadata."lang"', "match": {"value": "fr"}} in inside
    assert inside[1]["range"] == {"gte": pytest.approx(2.5)}
    indexed = server.indexes["tests"]
    assert indexed.keys() == {"created", "user_id", "agent_id", "words"}
    await store.close()


def _plain(value):
    if isinstance(value, dict):
        return {k: _plain(each) for k, each in value.items() if each is not None}
    return value


async def test_a_server_in_strict_mode_is_asked_without_the_filter():
    with qdrant_stand_in(api_key=KEY, strict=True) as server:
        store = await opened(at(server), kind=QdrantFactAdapter)
        for n in range(6):
            await store.add(content=f"text {n}", user_id="u", metadata={"n": n})
        for _ in range(2):
            (listed,) = await store.get_all(user_id="u", filters={"n": 3})
            (found,) = await store.search(query="text", user_id="u", filters={"n": 3})
            assert listed.id == found.id
        assert await store.delete_all(user_id="u", filters={"n": {"$lt": 3}}) == 3
        await store.close()


async def test_the_key_is_sent_and_never_shown(server):
    store = await opened(at(server))
    await store.close()
    wrong = Form(url=server.url, api_key="another-key")
    with pytest.raises(SetupError, match="401") as caught:
        await opened(wrong)
    assert "another-key" not in str(caught.value)
    assert KEY not in repr(at(server))
    settings = QdrantDocumentSettings(collection_name="c", url="u", api_key=KEY)
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({}, Form()),
        ({"api_key": "k"}, Form()),
        ({"location": "http://q"}, Form(url="http://q")),
        ({"url": "http://q", "api_key": "k"}, Form(url="http://q", api_key="k")),
        ({"url": "http://q", "location": ":memory:"}, Form(url="http://q")),
        ({"path": "data"}, Form(path="data")),
    ],
    ids=str,
)
def test_where_the_data_is(given, form):
    assert QdrantDocumentSettings(collection_name="c", **given).form == form


async def test_an_old_server_is_refused():
    with qdrant_stand_in(version="1.16.3") as server:
        engine = QdrantEngine(Form(url=server.url))
        for _ in range(2):  # opening it again does not help
            with pytest.raises(SetupError, match=r"1\.16\.3; memio needs 1\.17 or"):
                await engine.open()


async def test_a_collection_of_others_is_refused(server):
    server.client.create_collection(
        "others",
        vectors_config=models.VectorParams(size=256, distance=models.Distance.COSINE),
    )
    server.indexes["others"] = {}
    point = models.PointStruct(id=1, vector=[0.1] * 256, payload={"document": "text"})
    server.client.upsert("others", [point])
    with pytest.raises(SetupError, match="not one of memio's"):
        await opened(at(server), "others")


async def test_one_made_meanwhile_is_no_failure(server):
    stores = await asyncio.gather(*(opened(at(server), "new") for _ in range(4)))
    await stores[0].add(content="text")
    assert [len(await store.get_all()) for store in stores] == [1] * 4
    for store in stores:
        await store.close()


OPERATIONS = {
    "add": lambda store: store.add(content="text", doc_id="new"),
    "get": lambda store: store.get(doc_id="d"),
    "search": lambda store: store.search(query="text"),
    "ping": lambda store: store.ping(),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told_in_time_and_passes(server, fault):
    with breakable(server.url) as proxy:
        store = await opened(Form(url=proxy.url, api_key=KEY))
        await store.upsert(content="text", doc_id="d")
        calls = store._collection._engine._calls
        calls._timeout = 0.5
        proxy.fault = fault
        for operation, work in OPERATIONS.items():
            started = time.monotonic()
            with pytest.raises(ProviderError) as caught:
                await work(store)
            assert time.monotonic() - started < 3
            assert (caught.value.provider, caught.value.operation) == (
                *("qdrant", operation),
            )
            if fault in LATE:
                assert isinstance(caught.value, ProviderTimeoutError)
        if fault != REFUSED:
            proxy.fault, calls._timeout = None, 5
            await store.get(doc_id="d")
        await store.close()


@pytest.mark.parametrize("fault", ["reset", "429", "503"])
async def test_reads_are_repeated_and_writes_are_not(server, fault, monkeypatch):
    monkeypatch.setattr("memio.calls.FIRST_PAUSE", 0.3)
    with breakable(server.url) as proxy:
        store = await opened(Form(url=proxy.url, api_key=KEY))
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


@pytest.mark.parametrize("fault", ["401", "500", "garbage", "html", REFUSED, "hang"])
async def test_a_server_that_fails_from_the_start_is_told(fault):
    with faulty(fault) as url, pytest.raises(SetupError, match="cannot be opened"):
        await opened(Form(url=url, timeout=0.5))
