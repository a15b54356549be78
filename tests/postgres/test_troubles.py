"""A server that is slow, full, gone or read-only: clear errors, and all recovers."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from memio.exceptions import (
    ConflictError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    SetupError,
    ValidationError,
)
from memio.models import Message, Triple
from memio.providers.postgres import (
    PostgresDocumentAdapter,
    PostgresFactAdapter,
    PostgresGraphAdapter,
    PostgresHistoryAdapter,
)
from tests.postgres.conftest import make_database, take_every_connection
from tests.postgres.server import Postgres


@asynccontextmanager
async def locked(sql: asyncpg.Connection, table: str):
    """Keep everybody else from reading or writing a table."""
    async with sql.transaction():
        await sql.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def test_more_requests_than_connections(connect, sql) -> None:
    store = await connect(PostgresFactAdapter, pool_size=2, pool_wait=0.2)
    async with locked(sql, "facts"):
        waiting = [asyncio.create_task(store.add(content="slow")) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(OverloadedError, match="All 2 connections") as caught:
            await store.add(content="one too many")
        assert caught.value.retry_after >= 1
    await asyncio.gather(*waiting)
    assert await store.delete_all() == 2


async def test_a_server_that_is_gone(own_server: Postgres, caplog) -> None:
    """Nothing is begun, and so whoever asks may ask again."""
    dsn = own_server.dsn(password="correct horse")
    store = PostgresFactAdapter(await make_database(dsn))
    await store.open()
    await asyncio.to_thread(own_server.stop)
    try:
        for work in (store.get_all(), store.add(content="likes tea"), store.ping()):
            start = time.monotonic()
            with pytest.raises(OverloadedError, match="nothing was done"):
                await work
            assert time.monotonic() - start < 10
    finally:
        await asyncio.to_thread(own_server.start)
    assert "PostgreSQL cannot be reached" in caplog.text
    assert "horse" not in caplog.text
    assert await store.delete_all() == 0
    await store.close()


async def test_a_database_that_only_reads_for_a_while(own_server: Postgres) -> None:
    """As after a failover: what it refuses is an error, and nobody has to restart."""
    store = PostgresFactAdapter(await make_database(own_server.dsn(), pool_size=2))
    await store.open()
    fact = await store.add(content="likes tea")
    admin = await asyncpg.connect(own_server.dsn())
    await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await admin.execute("SELECT pg_reload_conf()")
    try:
        await asyncio.sleep(0.2)
        assert await store.get(fact_id=fact.id) == fact
        with pytest.raises(ProviderError, match="read-only transaction"):
            await store.add(content="likes coffee")
        other = PostgresFactAdapter(await make_database(own_server.dsn(), schema="new"))
        with pytest.raises(SetupError, match="only reads"):
            await other.open()
    finally:
        await admin.execute("SET default_transaction_read_only = off")
        await admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
    await asyncio.sleep(0.2)
    await store.add(content="likes coffee")
    assert await store.delete_all() == 2
    await store.close()


async def test_a_server_without_connections_to_give(own_server: Postgres) -> None:
    store = PostgresFactAdapter(await make_database(own_server.dsn(), pool_size=3))
    await store.open()
    async with take_every_connection(own_server):
        outcomes = await asyncio.gather(
            *(store.add(content="likes tea") for _ in range(3)), return_exceptions=True
        )
    failures = [each for each in outcomes if isinstance(each, Exception)]
    assert failures, "three at once must have wanted more than one connection"
    assert all(isinstance(each, OverloadedError) for each in failures)
    await asyncio.gather(*(store.add(content="likes tea") for _ in range(3)))
    assert await store.delete_all() == 6 - len(failures)
    await store.close()


async def test_a_statement_that_takes_too_long(connect, sql) -> None:
    store = await connect(PostgresFactAdapter, timeout=0.3)
    fact = await store.add(content="likes tea")
    async with locked(sql, "facts"):
        for work in (store.get(fact_id=fact.id), store.add(content="late")):
            start = time.monotonic()
            with pytest.raises(ProviderTimeoutError):
                await work
            assert time.monotonic() - start < 2
    assert await store.delete_all() == 1, "what was given up is not stored"


async def test_a_server_that_does_not_answer(own_server: Postgres) -> None:
    store = PostgresFactAdapter(await make_database(own_server.dsn(), timeout=0.5))
    await store.open()
    fact = await store.add(content="likes tea")
    own_server.signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(ProviderTimeoutError):
            await store.get(fact_id=fact.id)
        assert time.monotonic() - start < 6
    finally:
        own_server.signal(signal.SIGCONT)
    assert await store.get(fact_id=fact.id) == fact
    await store.delete_all()
    await store.close()


async def test_a_connection_that_breaks_is_not_noticed_by_reads(connect, sql) -> None:
    store = await connect(PostgresFactAdapter)
    fact = await store.add(content="likes tea")
    for _ in range(3):
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'memio'"
        )
        assert await store.get(fact_id=fact.id) == fact


async def test_a_connection_that_breaks_amid_a_write(connect, sql) -> None:
    store = await connect(PostgresFactAdapter)
    async with locked(sql, "facts"):
        adding = asyncio.create_task(store.add(content="cut off"))
        await asyncio.sleep(0.2)
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'memio'"
        )
        with pytest.raises(ProviderError):
            await adding
    await store.add(content="afterwards")
    assert [fact.content for fact in await store.get_all()] == ["afterwards"]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_is_started_anew(own_server: Postgres, mode: str) -> None:
    """What was acknowledged is there; reads and new writes wait until it is back."""
    store = PostgresFactAdapter(await make_database(own_server.dsn()))
    await store.open()
    kept, failures, stopped = [], [], asyncio.Event()

    async def write(number: int) -> None:
        while not stopped.is_set():
            try:
                fact = await store.add(content=f"fact {number}", user_id="ann")
                kept.append(fact.id)
            except ProviderError as error:  # cut off: it may have happened
                failures.append(error)
            except OverloadedError:  # it did not begin
                await asyncio.sleep(0.05)

    async def read() -> None:
        while not stopped.is_set():
            await store.get_all(user_id="ann", limit=5)

    tasks = [asyncio.create_task(write(n)) for n in range(4)]
    tasks += [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(own_server.restart, mode)
    before = len(kept)
    await asyncio.sleep(1)
    stopped.set()
    await asyncio.gather(*tasks)
    assert len(kept) > before, "service resumed by itself"
    found, cursor = [], None
    while True:
        page = await store.get_all(user_id="ann", limit=1000, cursor=cursor)
        found += [fact.id for fact in page]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert set(kept) <= set(found), "an acknowledged write was lost"
    assert len(found) == len(set(found)) <= len(kept) + len(failures)
    assert len(failures) <= 8, "each writer was cut off once, or twice in bad luck"
    await store.delete_all()
    await store.close()


async def test_a_standby_reads_and_says_why_it_does_not_write(own_server) -> None:
    primary = PostgresFactAdapter(await make_database(own_server.dsn()))
    await primary.open()
    fact = await primary.add(content="likes tea")
    with own_server.standby() as standby:
        store = PostgresFactAdapter(await make_database(standby.dsn()))
        await store.open()
        assert await store.get(fact_id=fact.id) == fact
        assert [f.id for f in await store.search(query="tea")] == [fact.id]
        with pytest.raises(ProviderError, match="read-only transaction"):
            await store.add(content="likes coffee")
        standby.promote()
        await store.add(content="likes coffee")
        await store.close()
    await primary.delete_all()
    await primary.close()


async def test_a_full_disk_refuses_writes_whole(own_server: Postgres) -> None:
    store = PostgresDocumentAdapter(await make_database(own_server.dsn()))
    await store.open()
    kept, failed = [], 0
    own_server.file_limit = 17 * 2**20  # a segment of the log takes 16
    await asyncio.to_thread(own_server.restart)
    try:
        while failed < 3:
            content = os.urandom(150_000).hex()
            try:
                kept.append((await store.add(content=content)).id)
            except ProviderError:
                failed += 1
            assert len(kept) < 1000, "the disk never was full"
        assert (await store.get(doc_id=kept[0])).id == kept[0]
    finally:
        own_server.file_limit = resource.RLIM_INFINITY
        await asyncio.to_thread(own_server.restart)
    await store.add(content="there is room again")
    assert [d.id for d in await store.get_all(limit=1000)][1:] == kept[::-1]
    await store.delete_all()
    await store.close()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, with room for little."""
    place = Path(tempfile.mkdtemp(prefix="memio-small-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        place.rmdir()
        pytest.skip("only root may mount a file system, and not in every container")
    yield place
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


def give(place: Path, server: Postgres) -> None:
    shutil.chown(place, server.directory.owner())


async def fill(store: PostgresDocumentAdapter, kept: list[str]) -> None:
    while len(kept) < 1000:
        content = os.urandom(100_000).hex()
        kept.append((await store.add(content=content)).id)


async def test_a_disk_without_room_for_rows_refuses_them(small_disk: Path) -> None:
    with Postgres() as server:
        give(small_disk, server)
        admin = await asyncpg.connect(server.dsn())
        await admin.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        await admin.execute("ALTER SYSTEM SET default_tablespace = small")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        store = PostgresDocumentAdapter(await make_database(server.dsn()))
        await store.open()
        kept: list[str] = []
        with pytest.raises(ProviderError, match="No space left on device"):
            await fill(store, kept)
        assert kept, "there was room for some"
        assert [d.id for d in await store.get_all(limit=1000)] == kept[::-1]
        assert await store.delete_all() == len(kept)
        await store.close()


async def test_characters_that_postgresql_cannot_store(connect) -> None:
    store = await connect(PostgresDocumentAdapter)
    for content in ("a\x00b", "a\ud800b"):
        with pytest.raises(ValidationError, match="cannot store"):
            await store.add(content=content)
    metadata = {"nul": "\x00", "key\x00": ["\x00"]}
    document = await store.add(content="metadata may hold them", metadata=metadata)
    assert document.metadata == metadata
    for filters in (
        {"nul": "\x00"},
        {"nul": {"$ne": "x"}},
        {"nul": {"$contains": "\x00"}},
    ):
        (found,) = await store.get_all(filters=filters)
        assert found == document
        (found,) = await store.search(query="metadata", filters=filters)
        assert found.metadata == metadata
        assert await store.delete_all(filters=filters, dry_run=True) == 1
    assert list(await store.get_all(filters={"nul": "x"})) == []


async def test_two_servers_cannot_add_one_document_twice(connect) -> None:
    stores = [await connect(PostgresDocumentAdapter) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(store.add(content="tea", doc_id="a") for store in stores * 10),
        return_exceptions=True,
    )
    assert sum(isinstance(each, ConflictError) for each in outcomes) == 19
    made = await asyncio.gather(
        *(store.upsert(content="tea", doc_id="b") for store in stores * 10)
    )
    assert sum(created for _, created in made) == 1


async def test_two_servers_that_begin_one_session_agree_whose_it_is(connect) -> None:
    stores = [await connect(PostgresHistoryAdapter) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(
            store.add(session_id="s", messages=[Message("user", "hi")], user_id=user)
            for store, user in zip(stores * 10, ["ann", "bob"] * 10, strict=True)
        ),
        return_exceptions=True,
    )
    refused = sum(isinstance(each, ConflictError) for each in outcomes)
    assert refused == 10
    assert len(await stores[0].get(session_id="s")) == 10


async def test_batches_of_the_same_triples_do_not_block_each_other(connect) -> None:
    stores = [await connect(PostgresGraphAdapter) for _ in range(2)]
    triples = [Triple(f"s{n}", "is", "x") for n in range(200)]
    for metadata in ({"round": n} for n in range(5)):
        batch = [Triple(t.subject, t.predicate, t.object, metadata) for t in triples]
        results = await asyncio.gather(
            *(
                store.add(triples=order, user_id="ann")
                for store in stores
                for order in (batch, batch[::-1])
            )
        )
        ids = [{t.subject: t.id for t in result} for result in results]
        assert ids == ids[:1] * 4
    assert await stores[0].delete_all() == 200


async def test_what_one_server_wrote_the_other_reads_at_once(connect) -> None:
    writer, reader = [await connect(PostgresFactAdapter) for _ in range(2)]
    for n in range(20):
        fact = await writer.add(content=f"number{n}", user_id="ann")
        assert await reader.get(fact_id=fact.id) == fact
        assert (await reader.search(query=f"number{n}", user_id="ann"))[0].id == fact.id
        await writer.delete(fact_id=fact.id)
        assert await reader.search(query=f"number{n}", user_id="ann") == []
