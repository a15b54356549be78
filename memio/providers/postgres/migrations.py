"""The versions of the schema, and the note of whose vectors a store holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import asyncpg

from memio.embedding import Embedder
from memio.exceptions import SetupError
from memio.providers.postgres.connection import Connection
from memio.providers.postgres.tables import Table, first_schema, vector_type

MIGRATIONS: Final[tuple[Callable[[], str], ...]] = (first_schema,)
"""What leads from each version of the schema to the next; never changed, only added."""

LEAST_PGVECTOR: Final = (0, 8)

_LOCK: Final = 0x6D656D696F  # "memio": who holds it changes the schema


async def migrate(conn: Connection, schema: str) -> int:
    """Bring the schema up to date; several processes may do so at once.

    Raises:
        SetupError: It is a newer memio's, or the server lacks something.
    """
    latest = len(MIGRATIONS)
    if await _version(conn, schema) != latest:
        async with conn.transaction():
            await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            version = await _version(conn, schema)
            if version > latest:
                raise SetupError(
                    f"The schema '{schema}' was made by a newer memio (version "
                    f"{version}, this one knows {latest}); upgrade memio."
                )
            if version == 0:
                await _create(conn, schema)
            for step in MIGRATIONS[version:]:
                await conn.execute(step())
            await _note(conn, "schema", str(latest))
    await _check_pgvector(conn)
    return latest


async def claim(conn: Connection, table: Table, embedder: Embedder) -> None:
    """Note which embedder a store's vectors are of, or check that it is this one.

    Raises:
        SetupError: They are of another one.
    """
    mine = embedder.fingerprint
    if await _noted(conn, _key(table)) == mine:
        return
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        theirs = await _noted(conn, _key(table))
        if theirs == mine:
            return
        if await conn.fetchval(f"SELECT EXISTS (SELECT FROM {table.name})"):
            raise SetupError(
                f"The {table.name} in PostgreSQL were embedded with {theirs}, and the "
                f"configuration asks for {mine}. Set embedding back, or embed them "
                "again: stop the servers and run `memio-server reindex`."
            )
        await finish_vectors(conn, table, embedder)


async def replace_vectors(conn: Connection, table: Table, embedder: Embedder) -> None:
    """Prepare for vectors of another embedder; the store cannot be opened now."""
    async with conn.transaction():
        await conn.execute(f"DROP INDEX IF EXISTS {table.nearest}")
        await _note(conn, _key(table), f"half {embedder.fingerprint}")


async def finish_vectors(conn: Connection, table: Table, embedder: Embedder) -> None:
    """Index the vectors of an embedder, and note that they are its."""
    kind = vector_type(embedder.dim)
    operators = f"{kind.partition('(')[0]}_ip_ops"
    async with conn.transaction():
        await conn.execute(f"DROP INDEX IF EXISTS {table.nearest}")
        await conn.execute(
            f"CREATE INDEX {table.nearest} ON {table.parts}"
            f" USING hnsw ((embedding::{kind}) {operators})"
        )
        await _note(conn, _key(table), embedder.fingerprint)


async def use_schema(conn: Connection, schema: str) -> None:
    """Let names of tables and of pgvector's types be found on a connection."""
    home = await home_of_vectors(conn)
    await conn.execute(f"SET search_path = {search_path(schema, home)}")


async def home_of_vectors(conn: Connection) -> str:
    """Return the schema in which pgvector is, or will be."""
    home = await conn.fetchval(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname = 'vector'"
    )
    return str(home or "public")


def search_path(schema: str, home: str) -> str:
    """Return where to look for names: memio's schema, then pgvector's."""
    return f"{_quoted(schema)}, {_quoted(home)}"


async def _version(conn: Connection, schema: str) -> int:
    # Not by to_regclass, whose cache may not know yet what was just committed.
    sql = (
        "SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace AS n"
        " ON n.oid = relnamespace WHERE relname = 'meta' AND nspname = $1)"
    )
    if not await conn.fetchval(sql, schema):
        return 0
    # With the schema's name, so that PostgreSQL says so if the role may not use it.
    sql = f"SELECT value FROM {_quoted(schema)}.meta WHERE key = 'schema'"
    return int(await conn.fetchval(sql))


async def _create(conn: Connection, schema: str) -> None:
    if await conn.fetchval("SHOW server_encoding") != "UTF8":
        raise SetupError("The database's encoding must be UTF8; create another one.")
    # Only then, as IF NOT EXISTS asks for the right to create even if it does exist.
    sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)"
    if not await conn.fetchval(sql, schema):
        await conn.execute(f"CREATE SCHEMA {_quoted(schema)}")
    if await _pgvector(conn) is None:
        try:
            await conn.execute("CREATE EXTENSION vector SCHEMA public")
        except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError):
            raise SetupError(
                "The PostgreSQL server lacks pgvector; install version 0.8 or later "
                "there (https://github.com/pgvector/pgvector)."
            ) from None
        except asyncpg.InsufficientPrivilegeError:
            raise SetupError(
                "The database lacks pgvector, which this user may not add; have an "
                "administrator run: CREATE EXTENSION vector"
            ) from None
    await _check_pgvector(conn)


async def _check_pgvector(conn: Connection) -> None:
    found = await _pgvector(conn) or "no version"
    numbers = tuple(int(each) for each in found.split(".") if each.isdigit())
    if numbers < LEAST_PGVECTOR:
        raise SetupError(
            f"The database has {found} of pgvector, and memio needs 0.8 or later; "
            "install it on the server and run: ALTER EXTENSION vector UPDATE"
        )


async def _pgvector(conn: Connection) -> str | None:
    sql = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    version: str | None = await conn.fetchval(sql)
    return version


async def _noted(conn: Connection, key: str) -> str | None:
    sql = "SELECT value FROM meta WHERE key = $1"
    value: str | None = await conn.fetchval(sql, key)
    return value


async def _note(conn: Connection, key: str, value: str) -> None:
    await conn.execute(
        "INSERT INTO meta VALUES ($1, $2)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )


def _key(table: Table) -> str:
    return f"embedder.{table.name}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
