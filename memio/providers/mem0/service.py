"""Mem0's hosted service, https://api.mem0.ai, by its own client."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from memio.calls import Calls
from memio.exceptions import ProviderError, SetupError
from memio.hosted import Collection, Hits, Row, Scope, Service, check_size
from memio.ids import uuid7
from memio.providers.mem0.rows import (
    OWNER,
    Memory,
    escape,
    metadata_of,
    row_of,
    says_the_same,
    scope_of,
    share,
)
from memio.providers.mem0.sdk import failures, import_mem0, status_of
from memio.providers.mem0.settings import Mem0Settings

KEY_FIELD = "memio_key"
"""The key, in a memory's metadata, of what tells which call added it."""

AGENT_FIELD = "memio_agent_id"
"""The key, in a memory's metadata, of the agent of a user's memory."""

FIRST_PAUSE = 0.1
"""Seconds until the service is first asked whether it has stored what was added."""

LONGEST_PAUSE = 1.0

_PAGE = 100
_MOST_HITS = 1000  # of one search
_MOST_DROPPED = 1000  # by one request
_LOOKS = 3  # at memories that should be there, before they are not
_NOT_FOUND = 404
_REFUSED = (401, 403)
_KINDS = ("user_id", "agent_id", "app_id", "run_id")
_ID = re.compile(r"[\w-]+", re.ASCII)  # safe in a path; Mem0 makes no others

Filters = dict[str, Any]


class ServiceMem0(Collection, Service):
    """Rows in Mem0's hosted service.

    It keeps the memories of users and of agents apart: a filter that asks for both
    finds nothing. So a memory is given one owner, the user if there is one, and its
    agent is then in the metadata. One that has neither belongs to the app OWNER.
    """

    def __init__(self, settings: Mem0Settings, directory: Path) -> None:
        self._settings, self._directory = settings, directory
        self._client: Any = None

    async def open(self) -> None:
        """Import Mem0, and have the service check the key.

        Raises:
            SetupError: It refuses the key.
            ProviderError: It does not answer as it should.
        """
        await asyncio.to_thread(import_mem0, self._directory)
        import httpx  # noqa: PLC0415 (a dependency of Mem0's)
        from mem0 import AsyncMemoryClient  # noqa: PLC0415

        def connect() -> Any:
            # Asks the service, without a deadline: hence a thread.
            with failures():
                return AsyncMemoryClient(
                    api_key=self._settings.api_key,
                    host=self._settings.address,
                    client=httpx.AsyncClient(timeout=self._settings.timeout),
                )

        calls = Calls("mem0", timeout=self._settings.timeout, threads=1)
        try:
            self._client = await calls.run_blocking("open", connect, idempotent=True)
        except ProviderError as error:
            if status_of(error.cause) in _REFUSED:
                raise SetupError(
                    "Mem0 refuses the api_key; give one of https://app.mem0.ai."
                ) from error
            raise
        finally:
            calls.close()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.async_client.aclose()

    async def ping(self) -> None:
        await self._request("/v1/ping/")

    async def put(self, row: Row) -> Row:
        if self._settings.infers:
            made = await self._add(row, infer=True)
            if made is not None:
                return made
            # Mem0 found nothing new in it.
            for each in await self.scan(scope_of(row)):
                if says_the_same(each, row):
                    return each
        made = await self._add(row, infer=False)
        if made is None:
            raise RuntimeError("Mem0 stored nothing")
        return made

    async def find(self, row_id: str) -> Row | None:
        memory = await self._get(row_id)
        return None if memory is None else row_of(memory)

    async def scan(self, scope: Scope) -> list[Row]:
        rows = map(row_of, await self._read(_where(scope)))
        return [row for row in rows if scope.holds(row)]

    async def rank(self, query: str, scope: Scope, limit: int) -> Hits:
        asked = min(limit, _MOST_HITS)
        with failures():
            answer = await self._client.search(
                query, filters=_where(scope), top_k=asked, threshold=0.0
            )
        found = answer["results"]
        rows = [(row_of(each), share(each["score"])) for each in found]
        mine = [(row, score) for row, score in rows if scope.holds(row)]
        return Hits(mine, whole=len(found) < asked)

    async def replace(self, old: Row, new: Row) -> bool:
        metadata = {**metadata_of(new), **_agent_mark(new)}
        try:
            with failures():
                await self._client.update(old.id, text=new.text, metadata=metadata)
        except Exception as error:
            if status_of(error) == _NOT_FOUND:
                return False
            raise
        return True

    async def drop(self, rows: Sequence[Row]) -> int:
        if len(rows) == 1:
            return await self._drop_one(rows[0].id)
        for start in range(0, len(rows), _MOST_DROPPED):
            batch = rows[start : start + _MOST_DROPPED]
            with failures():
                await self._client.batch_delete(
                    [{"memory_id": row.id} for row in batch]
                )
        return len(rows)

    async def _drop_one(self, memory_id: str) -> int:
        try:
            with failures():
                await self._client.delete(memory_id)
        except Exception as error:
            if status_of(error) == _NOT_FOUND:
                return 0
            raise
        return 1

    async def _add(self, row: Row, *, infer: bool) -> Row | None:
        """Add a text and wait, as long as the deadline allows, for what is made of it.

        Returns None if Mem0 makes nothing of it. Of several memories the first counts.
        """
        key, owner = uuid7(), _owner(scope_of(row))
        metadata = {**metadata_of(row), KEY_FIELD: key, **_agent_mark(row)}
        with failures():
            answer = await self._client.add(
                row.text, **owner, metadata=metadata, infer=infer
            )
        where = {"AND": [owner, {"metadata": {KEY_FIELD: key}}]}
        event, pause = answer["event_id"], FIRST_PAUSE
        told: dict[str, Any] = {}
        looks = 0
        while looks < _LOOKS:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            told = await self._request(f"/v1/event/{event}/")
            if told["status"] == "FAILED":
                raise RuntimeError("Mem0 failed to process what was added")
            if told["status"] != "SUCCEEDED":
                continue
            looks += 1
            if made := await self._read(where):
                first = min(made, key=lambda memory: str(memory.get("created_at")))
                return row_of(first)
        # What was made and is not there has been deleted since.
        results = told.get("results") or []
        made_ids = [each["id"] for each in results if each.get("id")]
        return replace(row, id=made_ids[0]) if made_ids else None

    async def _request(self, path: str) -> Any:
        """Ask for what Mem0's client has no method for."""
        with failures():
            response = await self._client.async_client.get(path)
            response.raise_for_status()
            return response.json()

    async def _get(self, memory_id: str) -> Memory | None:
        if not _ID.fullmatch(memory_id):
            return None  # and in a path it could mean another thing
        try:
            with failures():
                memory: Memory = await self._client.get(memory_id)
        except Exception as error:
            if status_of(error) == _NOT_FOUND:
                return None
            raise
        return memory

    async def _read(self, where: Filters) -> list[Memory]:
        """Read all pages; again, if memories came or went and so may have moved."""
        found: dict[str, Memory] = {}
        for _ in range(_LOOKS):
            counts, page, following = set(), 0, True
            while following:
                page += 1
                with failures():
                    answer = await self._client.get_all(
                        filters=where, page=page, page_size=_PAGE
                    )
                found.update({each["id"]: each for each in answer["results"]})
                check_size("mem0", len(found))
                counts.add(answer["count"])
                following = answer["next"] is not None
            if len(counts) == 1:
                break
        return list(found.values())


def _owner(scope: Scope) -> dict[str, str]:
    """Return the one entity whose memory a row of the scope is."""
    if scope.user_id is not None:
        return {"user_id": escape(scope.user_id)}
    if scope.agent_id is not None:
        return {"agent_id": escape(scope.agent_id)}
    return {"app_id": OWNER}


def _agent_mark(row: Row) -> dict[str, str]:
    if row.user_id is None or row.agent_id is None:
        return {}
    return {AGENT_FIELD: escape(row.agent_id)}


def _where(scope: Scope) -> Filters:
    """Return Mem0's filter for a scope, memories of other programs included."""
    if scope.agent_id is None:
        if scope.user_id is None:
            return {"OR": [{kind: "*"} for kind in _KINDS]}
        return {"AND": [_owner(scope)]}
    agent = escape(scope.agent_id)
    user = "*" if scope.user_id is None else escape(scope.user_id)
    users = {"AND": [{"user_id": user}, {"metadata": {AGENT_FIELD: agent}}]}
    if scope.user_id is None:
        return {"OR": [{"agent_id": agent}, users]}
    return {"OR": [users, {"AND": [{"user_id": user}, {"agent_id": agent}]}]}
