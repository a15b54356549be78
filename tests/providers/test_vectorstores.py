"""Chroma and Qdrant alike: set-up, search beyond the nearest, death and no network."""

from __future__ import annotations

import asyncio
import gc
import itertools
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from memio.config import load_settings
from memio.exceptions import ProviderError, SetupError
from memio.providers.chroma.rows import entry
from memio.registry import BuildContext, Choice, load_adapter
from memio.vectorstore import search
from tests.contract import Api
from tests.serving import Server

PROVIDERS = {"chroma": "persist_directory", "qdrant": "path"}

every_provider = pytest.mark.parametrize("provider", PROVIDERS)


def context(*, dim=256, workers=1):
    embedding = Choice("hash", {"dim": dim})
    return BuildContext(data_dir=Path(), embedding=embedding, workers=workers)


def build(provider, store, within=None, **config):
    kind = load_adapter(provider, store)
    within = within or context()
    return kind.from_config(kind.SETTINGS(**config), within)


async def opened(provider, path, store="documents", within=None, name="tests"):
    place = {PROVIDERS[provider]: str(path)}
    within = within or context()
    made = build(provider, store, within, collection_name=name, **place)
    for resource in within.resources:
        await resource.open()
    await made.open()
    return made


@every_provider
async def test_that_memory_is_not_durable_is_said(provider, tmp_path, caplog):
    store = await opened(provider, tmp_path)
    await store.close()
    assert "gone when the server ends" not in caplog.text
    await build(provider, "documents", collection_name="volatile").open()
    assert f"{provider} in memory: what is stored is gone" in caplog.text
    assert PROVIDERS[provider] in caplog.text


@every_provider
async def test_vectors_of_another_embedder_are_refused(provider, tmp_path):
    store = await opened(provider, tmp_path)
    await store.add(content="text")
    await store.close()
    with pytest.raises(SetupError, match="another collection_name"):
        await opened(provider, tmp_path, within=context(dim=128))
    store = await opened(provider, tmp_path)
    await store.delete_all()
    await store.close()
    # Empty, it takes any.
    store = await opened(provider, tmp_path, within=context(dim=128))
    await store.add(content="text")
    assert len(await store.search(query="text")) == 1
    await store.close()


@every_provider
async def test_vectors_of_another_model_with_as_many_numbers_are_refused(
    provider, tmp_path
):
    store = await opened(provider, tmp_path)
    await store.add(content="text")
    await store.close()
    other = context()
    other.embedder.fingerprint = "hash:other"
    with pytest.raises(SetupError, match=r"embedded with hash:.* asks for hash:other"):
        await opened(provider, tmp_path, within=other)


@every_provider
async def test_facts_do_not_open_what_holds_documents(provider, tmp_path):
    store = await opened(provider, tmp_path)
    await store.add(content="text")
    await store.close()
    with pytest.raises(SetupError, match="holds documents, not facts"):
        await opened(provider, tmp_path, "facts")


@every_provider
def test_two_stores_want_two_collections(provider):
    within = context()
    build(provider, "facts", within)
    build(provider, "documents", within, collection_name="documents")
    with pytest.raises(SetupError, match="Two stores have the collection"):
        build(provider, "documents", within, collection_name="memio-facts")


@every_provider
def test_embedded_it_serves_one_worker(provider, tmp_path):
    within = context(workers=2)
    for config in ({}, {PROVIDERS[provider]: str(tmp_path)}):
        with pytest.raises(SetupError, match=r"server\.workers: 1"):
            build(provider, "facts", within, **config)
    server = {"host": "localhost"} if provider == "chroma" else {"url": "http://q"}
    build(provider, "facts", within, **server)


# The vendor's client leaves a file open if another one has the directory.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_provider
async def test_stores_of_one_directory_share_it_and_shut_others_out(provider, tmp_path):
    within = context()
    documents = await opened(provider, tmp_path, within=within)
    facts = await opened(provider, tmp_path, "facts", within, name="facts")
    await documents.add(content="document")
    await facts.add(content="fact")
    await documents.close()
    assert [fact.content for fact in await facts.get_all()] == ["fact"]
    with pytest.raises(SetupError, match=r"[Aa]nother|already accessed"):
        await opened(provider, tmp_path)
    gc.collect()
    await facts.close()
    documents = await opened(provider, tmp_path)
    assert [row.content for row in await documents.get_all()] == ["document"]
    await documents.close()
    with pytest.raises(ProviderError):
        await documents.ping()


@every_provider
async def test_a_store_opens_again(provider, tmp_path):
    store = await opened(provider, tmp_path)
    await store.add(content="text")
    await store.close()
    await store.open()
    assert len(await store.get_all()) == 1
    await store.close()


@every_provider
def test_settings_are_checked_with_the_file(provider, tmp_path):
    file = tmp_path / "memio-server.yaml"
    keys = {"chroma": "host: h, persist_directory: p", "qdrant": "url: u, path: p"}
    file.write_text(
        "embedding: {provider: hash}\n"
        f"stores: {{documents: {{provider: {provider}, config: {{{keys[provider]}}}}}}}"
    )
    with pytest.raises(SetupError, match="collection_name is missing"):
        load_settings({"--config": str(file)}, {})
    text = file.read_text().replace("config: {", "config: {collection_name: c, ")
    file.write_text(text)
    with pytest.raises(SetupError, match=r"stores\.documents\.config: give"):
        load_settings({"--config": str(file)}, {})


@every_provider
async def test_an_exact_word_is_found_however_far_its_meaning(
    provider, tmp_path, monkeypatch
):
    monkeypatch.setattr(search, "CANDIDATES", 3)
    monkeypatch.setattr(search, "WORD_CANDIDATES", 4)
    store = await opened(provider, tmp_path)
    for n in range(20):
        await store.add(content=f"zebra crossing number {n} at the market square")
    filler = " ".join(f"filler{n}" for n in range(150))
    wanted = await store.add(content=f"{filler} ZEBRA9932 {filler}")
    nearest = await store.search(query="zebra9932", limit=3, mode="semantic")
    assert wanted.id not in [document.id for document in nearest]
    for query, mode in (
        ("zebra9932", "hybrid"),
        ("zebra9932", "keyword"),
        ("number zebra9932", "keyword"),  # though "number" is everywhere
    ):
        found = await store.search(query=query, limit=3, mode=mode)
        assert wanted.id in [document.id for document in found], (query, mode)
    await store.close()


@every_provider
async def test_filters_that_no_engine_knows_do_not_starve_a_search(
    provider, tmp_path, monkeypatch
):
    monkeypatch.setattr(search, "CANDIDATES", 3)
    monkeypatch.setattr(search, "WORD_CANDIDATES", 3)
    store = await opened(provider, tmp_path)
    for n in range(30):
        await store.add(content="harbour lantern", metadata={"tags": [n]})
    filters = {"tags": {"$contains": 7}}
    for mode in ("hybrid", "semantic", "keyword"):
        (found,) = await store.search(query="harbour", mode=mode, filters=filters)
        assert found.metadata == {"tags": [7]}
    await store.close()


@every_provider
async def test_lists_reach_back_through_the_years(provider, tmp_path, monkeypatch):
    monkeypatch.setattr("memio.providers.chroma.listing.SOME", 4)
    monkeypatch.setattr("memio.vectorstore.store._AT_LEAST", 1)
    monkeypatch.setattr("memio.vectorstore.store._AT_ONCE", 2)
    store = await opened(provider, tmp_path)
    now = store._now()
    ages = sorted([0, 1, 2, *(10**n for n in range(3, 16)), 5 * 10**11], reverse=True)
    for age in ages:
        monkeypatch.setattr(store, "_now", lambda age=age: now - age)
        await store.add(content=str(age))
    seen, cursor = [], None
    for _ in itertools.repeat(None, 20):
        page = await store.get_all(limit=2, cursor=cursor)
        seen += [int(document.content) for document in page]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ages[::-1]
    assert await store.delete_all(dry_run=True) == len(ages)
    await store.close()


WRITER = """
import asyncio, sys
sys.path.insert(0, {root!r})
from tests.providers.test_vectorstores import opened

async def write():
    store = await opened({provider!r}, {path!r})
    for n in range(10_000):
        document = await store.add(content=f"text {{n}}", metadata={{"n": n}})
        print(document.id, flush=True)

asyncio.run(write())
"""


def _kill_while_writing(code):
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as gone:
        assert gone.stdout
        acknowledged = [gone.stdout.readline().decode().strip() for _ in range(30)]
        gone.send_signal(signal.SIGKILL)
        rest = gone.stdout.read().decode().split("\n")
        return acknowledged + rest[:-1]  # the last line may be half a line


@every_provider
async def test_what_was_acknowledged_survives_kill_9(provider, tmp_path, root):
    code = WRITER.format(root=str(root), provider=provider, path=str(tmp_path))
    acknowledged = await asyncio.to_thread(_kill_while_writing, code)
    store = await opened(provider, tmp_path)
    for place, doc_id in enumerate(acknowledged):
        document = await store.get(doc_id=doc_id)
        assert (document.content, document.metadata) == (f"text {place}", {"n": place})
        assert doc_id in [row.id for row in await store.search(query=document.content)]
    await store.close()


@every_provider
def test_the_package_is_imported_when_it_is_configured(provider):
    package = {"chroma": "chromadb", "qdrant": "qdrant_client"}[provider]
    code = (
        "import sys, memio.cli, memio.config, memio.registry\n"
        f"assert {package!r} not in sys.modules\n"
        f"memio.registry.load_adapter({provider!r}, 'facts')\n"
        f"assert {package!r} in sys.modules\n"
        "others = {'chromadb', 'qdrant_client', 'mem0'} - "
        f"{{{package!r}}}\n"
        "assert not others & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@every_provider
def test_a_server_keeps_what_it_stored(provider, tmp_path):
    keep = f"{PROVIDERS[provider]}: data"
    config = (
        "embedding: {provider: hash}\n"
        "stores:\n"
        f"  facts: {{provider: {provider}, config: {{{keep}}}}}\n"
        f"  documents: {{provider: {provider}, "
        f"config: {{collection_name: documents, {keep}}}}}\n"
    )
    server = Server(tmp_path, config)
    fact = {"content": "Maria prefers oat milk", "user_id": "u", "metadata": {"n": 1}}
    document = {"content": "Granite cliffs shelter puffins", "doc_id": "a/b"}
    with server, Api(base_url=server.url) as api:
        assert api.post("/v1/facts", json=fact).status_code == 201
        assert api.post("/v1/documents", json=document).status_code == 201
        assert api.post("/v1/documents", json=document).status_code == 409
    with server, Api(base_url=server.url) as api:
        (found,) = api.get("/v1/facts", params={"user_id": "u"}).json()
        assert found["metadata"] == {"n": 1}
        asked = {"query": "puffins", "mode": "keyword"}
        (found,) = api.post("/v1/documents/search", json=asked).json()
        assert found["id"] == "a/b"


async def test_a_list_reads_no_more_than_it_needs(tmp_path):
    """However long ago the rows were stored, and however many there are."""
    store = await opened("chroma", tmp_path)
    table, now = store._collection._opened, store._now()
    for start in range(0, 4000, 1000):
        rows = [
            replace(store._make(f"d{n}", None), created=now - 10**12 + n * 1000)
            for n in range(start, start + 1000)
        ]
        table.add(
            ids=[row.key for row in rows],
            documents=["text"] * len(rows),
            embeddings=[[0.1] * 256] * len(rows),
            metadatas=[entry(row) for row in rows],
        )
    read = []
    store._collection._table = Reading(table, read)
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = await store.get_all(limit=500, cursor=cursor)
        if not seen:
            first, again = sum(read), len(read)
        seen += [row.id for row in page]
        cursor = page.next_cursor
    assert seen == [f"d{n}" for n in range(3999, -1, -1)]
    assert first < 30 * 1000  # it looked for them
    read.clear()
    assert len(await store.get_all(limit=50)) == 50
    assert sum(read) < 2000
    assert len(read) < again
    await store.close()


class Reading:
    """A collection of Chroma's that counts the rows that are read."""

    def __init__(self, table, read):
        self._table, self._read = table, read

    def __getattr__(self, name):
        return getattr(self._table, name)

    def get(self, **arguments):
        found = self._table.get(**arguments)
        self._read.append(len(found["ids"]))
        return found


async def test_a_store_that_hangs_slows_no_other(tmp_path):
    hanging = await opened("chroma", tmp_path / "a")
    other = await opened("chroma", tmp_path / "b")
    await other.add(content="text", doc_id="d")
    go_on = threading.Event()

    class Hanging:
        def get(self, **_):
            go_on.wait(20)
            return {"ids": [], "metadatas": [], "documents": []}

    table, hanging._collection._table = hanging._collection._table, Hanging()
    calls = [asyncio.create_task(hanging.get_all()) for _ in range(40)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    assert (await other.get(doc_id="d")).content == "text"
    assert time.monotonic() - started < 2
    go_on.set()
    assert all(page == [] for page in await asyncio.gather(*calls))
    hanging._collection._table = table
    await hanging.close()
    await other.close()


@every_provider
async def test_rows_come_and_go_in_any_number_at_once(provider, tmp_path):
    store = await opened(provider, tmp_path, "facts")

    async def live(n):
        fact = await store.add(content=f"text {n}", user_id="u")
        await asyncio.gather(
            store.update(fact_id=fact.id, content=f"changed {n}"),
            store.search(query=f"text {n}", user_id="u"),
            store.get_all(user_id="u"),
        )
        if n % 2:
            await store.delete(fact_id=fact.id)

    await asyncio.gather(*(live(n) for n in range(20)))
    left = sorted(fact.content for fact in await store.get_all(user_id="u"))
    assert left == sorted(f"changed {n}" for n in range(0, 20, 2))
    await store.close()
