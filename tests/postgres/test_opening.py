"""What keeps a store from opening is told in one sentence, without the password."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import asyncpg
import pytest

from memio.exceptions import SetupError
from memio.models import Message
from memio.providers.postgres import (
    PostgresDocumentAdapter,
    PostgresFactAdapter,
    PostgresHistoryAdapter,
    PostgresSettings,
)
from memio.providers.postgres.tables import TABLES
from tests.postgres.conftest import make_database, take_every_connection
from tests.postgres.server import PASSWORD, Postgres
from tests.serving import SERVER, free_port


async def refusal(dsn: str, *, dim: int = 64, **options: object) -> str:
    """Open a store that cannot be opened and return the reason."""
    store = PostgresFactAdapter(await make_database(dsn, dim=dim, **options))
    with pytest.raises(SetupError) as caught:
        await store.open()
    message = str(caught.value)
    assert PASSWORD not in message
    assert PASSWORD.replace(" ", "%20") not in message
    assert "\n" not in message
    return message


@pytest.fixture
async def role(postgres: str, sql: asyncpg.Connection) -> Iterator[str]:
    """The dsn of a role that may do nothing yet."""
    await sql.execute("DROP ROLE IF EXISTS app")
    await sql.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
    yield postgres.replace("postgres@", "app:app@", 1)
    await sql.execute("DROP OWNED BY app")
    await sql.execute("DROP ROLE app")


async def test_a_host_where_nobody_listens() -> None:
    port = free_port()
    told = await refusal(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/memio")
    assert f"PostgreSQL at 127.0.0.1:{port} cannot be reached" in told


async def test_a_host_that_is_no_host() -> None:
    told = await refusal(f"postgresql://ann:{PASSWORD}@nowhere.invalid/memio")
    assert "PostgreSQL at nowhere.invalid cannot be reached" in told


async def test_a_dsn_with_a_port_that_is_none() -> None:
    told = await refusal(f"postgresql://ann:{PASSWORD}@h:port/d")
    assert "postgresql://user:password@host" in told


@pytest.mark.parametrize("dsn", ["", "localhost", "http://x"])
def test_what_is_no_dsn(dsn: str) -> None:
    with pytest.raises(ValueError, match="must be like postgresql://user"):
        PostgresSettings(dsn=dsn)


async def test_a_wrong_password_and_a_missing_database() -> None:
    with Postgres() as server:
        conn = await asyncpg.connect(server.dsn())
        await conn.execute("CREATE ROLE ann LOGIN PASSWORD 'secret'")
        await conn.close()
        server.require_passwords()
        told = await refusal(server.dsn(user="ann", password=PASSWORD))
        assert "refuses the user 'ann'; check the user and the password" in told
        told = await refusal(
            server.dsn(user="ann", password="secret", database="nothing")
        )
        assert "has no database 'nothing'" in told


async def test_a_server_without_pgvector() -> None:
    with Postgres(options=("extension_control_path=/nowhere",)) as server:
        told = await refusal(server.dsn())
    assert "lacks pgvector; install version 0.8 or later" in told


async def test_a_role_that_may_not_add_pgvector(own_server: Postgres) -> None:
    conn = await asyncpg.connect(own_server.dsn())
    await conn.execute("CREATE ROLE bob LOGIN")
    await conn.execute("CREATE DATABASE bare")
    await conn.close()
    conn = await asyncpg.connect(own_server.dsn(database="bare"))
    await conn.execute("CREATE SCHEMA memio AUTHORIZATION bob")
    await conn.close()
    told = await refusal(own_server.dsn(user="bob", database="bare"))
    assert "have an administrator run: CREATE EXTENSION vector" in told


async def test_an_older_pgvector(own_server: Postgres) -> None:
    conn = await asyncpg.connect(own_server.dsn())
    await conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
    sql = "UPDATE pg_extension SET extversion = $1 WHERE extname = 'vector'"
    known = await conn.fetchval(
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    )
    await conn.execute(sql, "0.7.4")
    try:
        told = await refusal(own_server.dsn())
    finally:
        await conn.execute(sql, known)
        await conn.close()
    assert "0.7.4" in told
    assert "ALTER EXTENSION vector UPDATE" in told


async def test_no_connection_left(own_server: Postgres) -> None:
    async with take_every_connection(own_server):
        told = await refusal(own_server.dsn())
    assert "no connection left; lower pool_size or raise max_connections" in told


async def test_a_newer_schema(connect, sql, postgres: str, schema: str) -> None:
    await connect(PostgresFactAdapter)
    await sql.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    told = await refusal(postgres, schema=schema)
    assert "made by a newer memio (version 99" in told


async def test_another_embedder(connect, postgres: str, schema: str) -> None:
    store = await connect(PostgresFactAdapter)
    await store.add(content="likes tea")
    told = await refusal(postgres, schema=schema, dim=32)
    assert "hash:words+3grams:64" in told
    assert "`memio-server reindex`" in told


async def test_an_empty_store_takes_any_embedder(connect) -> None:
    await connect(PostgresFactAdapter)
    store = await connect(PostgresFactAdapter, dim=32)
    await store.add(content="likes tea")
    assert await store.search(query="tea")


async def test_an_embedding_too_long_to_index(postgres: str, schema: str) -> None:
    told = await refusal(postgres, schema=schema, dim=4000)
    assert "choose a smaller embedding" in told


@pytest.mark.parametrize("dim", [1999, 2000, 3999])
async def test_long_embeddings_are_indexed(connect, dim: int) -> None:
    store = await connect(PostgresDocumentAdapter, dim=dim)
    await store.add(content="puffins nest in granite cliffs")
    await store.add(content="oat milk")
    found = await store.search(query="puffins")
    assert found[0].content == "puffins nest in granite cliffs"


async def test_reindexing_gives_every_row_the_new_vectors(
    connect, sql, postgres: str, schema: str
) -> None:
    facts, history = (
        await connect(PostgresFactAdapter),
        await connect(PostgresHistoryAdapter),
    )
    for n in range(300):
        await facts.add(content=f"fact number{n}")
    said = [Message("user", "where are my keys?"), Message("user", "in the drawer")]
    await history.add(session_id="s", messages=said)
    before = await sql.fetch("SELECT seq, lexemes FROM messages_parts ORDER BY seq")
    for kind, rows in ((PostgresFactAdapter, 300), (PostgresHistoryAdapter, 2)):
        store = kind(await make_database(postgres, schema=schema, dim=32))
        assert await store.reindex() == rows
        await store.open()
        assert (await store.search(query="number7 keys"))[0].content in {
            *("fact number7", "where are my keys?")
        }
        await store.close()
    assert before == await sql.fetch(
        "SELECT seq, lexemes FROM messages_parts ORDER BY seq"
    )
    dims = "SELECT DISTINCT vector_dims(embedding) FROM facts_parts"
    assert [tuple(row) for row in await sql.fetch(dims)] == [(33,)]


async def test_a_broken_reindexing_keeps_the_store_closed(
    connect, sql, postgres: str, schema: str
) -> None:
    facts = await connect(PostgresFactAdapter)
    await facts.add(content="likes tea")
    await sql.execute(
        "UPDATE meta SET value = 'half ' || value WHERE key = 'embedder.facts'"
    )
    assert "reindex" in await refusal(postgres, schema=schema)


async def test_many_servers_may_start_at_once(postgres: str, schema: str) -> None:
    stores = [
        PostgresFactAdapter(await make_database(postgres, schema=schema))
        for _ in range(8)
    ]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.add(content="likes tea") for store in stores))
    assert await stores[0].delete_all() == 8
    for store in stores:
        await store.close()


async def test_a_role_without_ddl_serves_a_schema_that_is_current(
    connect, sql, role: str, schema: str
) -> None:
    told = await refusal(role, schema=schema)
    assert "migrate-schema" in told
    for kind in (PostgresFactAdapter, PostgresDocumentAdapter):
        await connect(kind)  # as its owner
    told = await refusal(role, schema=schema)
    assert "grant this user USAGE" in told
    await sql.execute(f"GRANT USAGE ON SCHEMA {schema} TO app")
    await sql.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO app"
    )
    store = await connect(PostgresFactAdapter, dsn=role)
    fact = await store.add(content="likes tea", user_id="ann")
    await store.update(fact_id=fact.id, content="likes coffee")
    assert [f.content for f in await store.search(query="coffee")] == ["likes coffee"]
    await store.delete(fact_id=fact.id)
    documents = await connect(PostgresDocumentAdapter, dsn=role)
    await documents.upsert(doc_id="a", content="tea")


def test_the_command_migrates_and_tells(tmp_path, postgres: str, schema: str) -> None:
    store = f"{{provider: postgres, config: {{dsn: '{postgres}', schema: {schema}}}}}"
    (tmp_path / "memio-server.yaml").write_text(
        f"embedding: {{provider: hash}}\nstores: {{facts: {store}, graph: {store},"
        " documents: {provider: local}}"
    )
    done = subprocess.run(
        [str(SERVER), "migrate-schema"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "facts: the schema is at version 1",
        "documents: local has no schema to migrate",
        "graph: the schema is at version 1",
    ]


async def test_indexes_serve_every_table(connect, sql, schema: str) -> None:
    """The schema has, for each store, what search and filters need."""
    await connect(PostgresFactAdapter)
    found = await sql.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = $1", schema
    )
    names = {row["indexname"] for row in found}
    assert "facts_nearest" in names
    for table in TABLES:
        assert {f"{table.parts}_lexemes", f"{table.name}_filterable"} <= names


def test_settings_do_not_show_the_password() -> None:
    assert PASSWORD not in repr(PostgresSettings(dsn=f"postgresql://a:{PASSWORD}@h/d"))
