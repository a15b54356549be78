"""Letta's client, and rows as passages of an archive.

What was read off Letta 0.16.8's source: an agent that has two archives cannot search
its memory any more. Tags are looked at after the best hits were chosen. Its own vector
search says nothing about scores, and that of its cloud loses a passage's metadata. A
page that begins behind a passage that is gone is empty. Nothing changes a passage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from letta_client import AsyncLetta, NotFoundError
from letta_client.types import Passage

from memio.hosted import (
    Row,
    Service,
    as_moment,
    as_sent,
    check_size,
    gather,
    pack,
    require,
    unpack,
)

LONGEST: Final = 4_000
"""How many characters of a text Letta embeds, and the agent reads."""

PAGE: Final = 100
"""How many passages one request returns at most."""


class LettaService(Service):
    """What the stores on Letta share: each has one of its own."""

    def __init__(
        self,
        *,
        agent_id: str,
        api_key: str | None,
        base_url: str | None,
        timeout: float,
    ) -> None:
        self.agent_id = agent_id
        self._made: dict[str, Any] = {
            "api_key": api_key,
            "base_url": base_url,
            "timeout": timeout,
            "max_retries": 0,  # memio repeats what may be repeated
        }
        self._open: AsyncLetta | None = None

    @property
    def api(self) -> AsyncLetta:
        if self._open is None:
            raise RuntimeError("the store is not open")
        return self._open

    async def open(self) -> None:
        """Make the client."""
        self._open = AsyncLetta(**self._made)

    async def close(self) -> None:
        """Close its connections."""
        if self._open is not None:
            await self._open.close()

    async def ping(self) -> None:
        """Ask for the agent."""
        agent = await self.api.agents.retrieve(self.agent_id)
        require(agent.id == self.agent_id, "Letta")

    async def archives(self, **which: Any) -> list[Any]:
        """Return archives by name or agent, oldest first; a few at most."""
        return (await self.api.archives.list(order="asc", **which)).items

    async def make_archive(self, name: str, description: str = "") -> Any:
        """Make an archive that embeds as the agent does, unless there is one.

        Names are not unique. Of several the oldest counts, so that two processes at
        once agree; whoever made another one deletes it.
        """
        found = await self.archives(name=name)
        if not found:
            made = await self._make_archive(name, description)
            found = await self.archives(name=name) or [made]
            if found[0].id != made.id:
                await self.api.archives.delete(made.id)
        return found[0]

    async def _make_archive(self, name: str, description: str) -> Any:
        agent = await self.api.agents.retrieve(self.agent_id)
        if agent.embedding is not None:
            chosen: dict[str, Any] = {"embedding": agent.embedding}
        elif agent.embedding_config is not None:
            chosen = {"embedding_config": agent.embedding_config.to_dict()}
        else:
            chosen = {}
        return await self.api.archives.create(
            name=name, description=description, **chosen
        )

    async def passages(
        self,
        archive: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Passage]:
        """Return an archive's passages of a time.

        Pages begin where the one before ended, in time, so that deletions meanwhile
        hide nothing.

        Raises:
            letta_client.NotFoundError: There is no such archive.
            RuntimeError: More passages than a page holds have one time.
        """
        found: dict[str, Passage] = {}
        while True:
            query: dict[str, Any] = {} if end is None else {"end_date": end}
            if start is not None:
                query["start_date"] = start
            page = await self.api.passages.search(
                archive_id=archive, limit=PAGE, **query
            )
            found |= {str(each.passage.id): each.passage for each in page}
            check_size("letta", len(found))
            if len(page) < PAGE:
                if not found:  # as it would be if the archive were gone
                    await self.api.archives.retrieve(archive)
                return list(found.values())
            last = page[-1].passage.created_at
            if last is None or last == start:
                raise RuntimeError("too many passages were stored at one moment")
            start = last

    async def hits(self, archive: str, query: str) -> list[tuple[Passage, float]]:
        """Search an archive by meaning; where Letta gives no scores, by rank."""
        found = await self.api.passages.search(
            archive_id=archive, query=query[:LONGEST], limit=PAGE
        )
        if not any(hit.score for hit in found):
            return [(hit.passage, 1 / (1 + n)) for n, hit in enumerate(found)]
        return [(hit.passage, min(max(hit.score, 0.0), 1.0)) for hit in found]

    async def delete(self, places: Sequence[tuple[str, str]]) -> int:
        """Delete passages by their archives and ids; return how many there were."""

        async def one(place: tuple[str, str]) -> int:
            archive, passage = place
            try:
                await self.api.archives.passages.delete(passage, archive_id=archive)
            except NotFoundError:
                return 0
            return 1

        return sum(await gather(one, places))


def sent(row: Row, store: str) -> dict[str, Any]:
    """Return a row as the fields of a passage that is to be made."""
    text = as_sent(row.text, LONGEST)
    return {
        "text": text,
        "metadata": {"memio": pack(row, text=text != row.text), "memio_store": store},
        "tags": [f"memio-{store}"],
        "created_at": as_moment(row.created).isoformat(),
    }


def received(archive: str, passages: Iterable[Passage], store: str) -> list[Row]:
    """Return the rows of those passages that the store made."""
    return [
        unpack(
            str(passage.metadata["memio"]),
            text=passage.text,
            place=(archive, passage.id),
        )
        for passage in passages
        if passage.metadata and passage.metadata.get("memio_store") == store
    ]
