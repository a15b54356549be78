"""Rows as Supermemory documents, by the v5 API of the vendor's SDK."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

from supermemory import AsyncSupermemory, NotFoundError

from memio.exceptions import OverloadedError
from memio.hosted import (
    Collection,
    Hits,
    Row,
    Scope,
    Service,
    as_sent,
    check_size,
    digest,
    newest,
    pack,
    require,
    unpack,
)

KEPT_TEXT: Final = 8_000
"""Up to how many characters a text stands in its envelope as well. There it is exact,
and read at once; a longer one is what Supermemory extracted, once it has."""

MOST_WAIT: Final = 5.0
"""Seconds that a write waits for a long text to be readable."""

_IDS: Final = uuid.UUID("0f4d8c8e-5f0b-4bb1-9a39-6a2a6f2f7f64")
_AT_ONCE: Final = 100  # rows that one request lists, deletes or finds
_TRIES: Final = 4
_URL = re.compile(r"\s*\w+://\S+\s*")


class SupermemoryRows(Collection, Service):
    """The documents of a namespace that a store of memio put there.

    Args:
        store: "facts" or "documents"; two stores may share a namespace.
        task_type: See ``SupermemorySettings``.
    """

    def __init__(
        self,
        store: str,
        *,
        api_key: str,
        base_url: str | None,
        namespace: str,
        task_type: str,
        timeout: float,
    ) -> None:
        self._store, self._namespace, self._task = store, namespace, task_type
        self._timeout = timeout
        # Not the SDK's retries: an addition made twice appends the text to itself.
        self._made: dict[str, Any] = {
            "api_key": api_key,
            "base_url": base_url,
            "timeout": timeout,
            "max_retries": 0,
        }
        self._open: AsyncSupermemory | None = None

    @property
    def _api(self) -> Any:
        if self._open is None:
            raise RuntimeError("the store is not open")
        return self._open

    async def open(self) -> None:
        """Make the client."""
        self._open = AsyncSupermemory(**self._made)

    async def close(self) -> None:
        """Close its connections."""
        if self._open is not None:
            await self._open.close()

    async def ping(self) -> None:
        """Ask for one namespace."""
        await self._api.namespaces.list(limit=1)

    async def put(self, row: Row) -> Row:
        """Add a document."""
        answer = await self._api.add(
            self._namespace,
            id=self._id(row.id),
            group=self._tags(row),
            task_type=self._task,
            **self._sent(row),
        )
        require(answer.id, "Supermemory")
        await self._wait(row)
        return row

    async def find(self, row_id: str) -> Row | None:
        """Get a document; its id there is made of ours, which may be any text."""
        try:
            found = await self._api.documents.get(self._namespace, self._id(row_id))
        except NotFoundError:
            return None
        return _row(found)

    async def scan(self, scope: Scope) -> list[Row]:
        """List page by page.

        A deletion meanwhile moves what follows to earlier pages, so that rows would be
        missed: then the list is read again.
        """
        for _ in range(_TRIES):
            rows, total = await self._pages(scope)
            if len(rows) >= total:
                return [row for row in rows if scope.holds(row)]
        raise OverloadedError("The list changes too fast to be read; try again.")

    async def rank(self, query: str, scope: Scope, limit: int) -> Hits:
        """Search passages; a document counts by its best one."""
        asked = min(limit, _AT_ONCE)
        answer = await self._api.search(
            self._namespace,
            query=query[:KEPT_TEXT],
            filter=self._filter(scope),
            search_mode="chunks",
            limit=asked,
            threshold=0.0,
            include={"documents": True},
        )
        hits: dict[str, tuple[Row, float]] = {}
        for result in answer.results:
            score = min(max(float(result.similarity), 0.0), 1.0)
            source = result.included.document
            row = unpack(source.metadata["memio"], text=None, place=source.id)
            if row.id not in hits and scope.holds(row):
                whole = row if row.ready else await self.find(row.id)
                if whole is not None:  # it was deleted just now
                    hits[row.id] = (whole, score)
        return Hits(list(hits.values()), whole=len(answer.results) < asked)

    async def replace(self, old: Row, new: Row) -> bool:
        """Update a document, its text and its envelope together."""
        try:
            answer = await self._api.documents.update(
                self._namespace, self._id(old.id), **self._sent(new)
            )
        except NotFoundError:
            return False
        require(answer.id, "Supermemory")
        await self._wait(new)
        return True

    async def drop(self, rows: Sequence[Row]) -> int:
        """Delete documents."""
        count = 0
        for start in range(0, len(rows), _AT_ONCE):
            ids = [self._id(row.id) for row in rows[start : start + _AT_ONCE]]
            answer = await self._api.documents.delete(self._namespace, ids=ids)
            count += int(answer.count)
        return count

    # --- parts ------------------------------------------------------------------------

    def _id(self, row_id: str) -> str:
        """Return a row's id there: the SDK does not escape ids in paths."""
        return uuid.uuid5(_IDS, f"{self._store}/{row_id}").hex

    def _tags(self, owned: Row | Scope) -> dict[str, str]:
        owners = {"memio_user": owned.user_id, "memio_agent": owned.agent_id}
        return {
            name: digest(owner) for name, owner in owners.items() if owner is not None
        }

    def _sent(self, row: Row) -> dict[str, Any]:
        sent = as_sent(row.text)
        if _URL.fullmatch(sent):
            sent = f"Link: {sent}"  # a bare URL would be replaced by its page
        kept = len(row.text) <= KEPT_TEXT or sent != row.text
        start, end = sent[: -len(sent.lstrip())], sent[len(sent.rstrip()) :]
        return {
            "content": sent,
            "metadata": {
                "memio": pack(row, text=kept),
                "memio_store": self._store,
                **({} if kept else {"memio_space": [start, end]}),
                **self._tags(row),
            },
        }

    def _filter(self, scope: Scope) -> dict[str, Any]:
        wanted = {"memio_store": self._store, **self._tags(scope)}
        tests = [
            {"field": name, "operator": "eq", "value": value, "caseSensitive": True}
            for name, value in wanted.items()
        ]
        return {"operator": "and", "operands": tests}

    async def _pages(self, scope: Scope) -> tuple[list[Row], int]:
        rows, page, total = list[Row](), 1, 0
        while True:
            answer = await self._api.list(
                self._namespace,
                "documents",
                page=page,
                limit=_AT_ONCE,
                sort="createdAt",
                order="asc",
                filter=self._filter(scope),
                include={"content": True},
            )
            rows += [_row(each) for each in answer.documents]
            total = max(total, int(answer.pagination.total_items))
            check_size("supermemory", total)
            if page >= answer.pagination.total_pages or not answer.documents:
                return newest(rows), total
            page += 1

    async def _wait(self, row: Row) -> None:
        """Give Supermemory a while to process a text that only it holds."""
        pause, waited, most = 0.1, 0.0, min(MOST_WAIT, self._timeout / 3)
        while len(row.text) > KEPT_TEXT and waited < most:
            found = await self.find(row.id)
            if found is None or found.ready:
                return
            await asyncio.sleep(pause)
            pause, waited = pause * 1.5, waited + pause


def _row(document: Any) -> Row:
    text = document.content if document.system.status == "done" else None
    start, end = document.metadata.get("memio_space", ("", ""))
    return unpack(
        document.metadata["memio"],
        # What is extracted has lost the space around it.
        text=None if text is None else f"{start}{text.strip()}{end}",
        place=document.id,
    )
