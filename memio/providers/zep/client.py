"""Zep's client, and whose graph is whose: v4 knows users by its own UUIDs alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from zep_cloud import AsyncZep
from zep_cloud.errors import ConflictError, NotFoundError
from zep_cloud.types import MetadataFilter, MetadataFilterGroup, Task

from memio.exceptions import ValidationError
from memio.hosted import Service, check_size, gather
from memio.idmap import IdMap

T = TypeVar("T")

PAGE: Final = 100
"""How many items one list request returns at most."""

MOST_HITS: Final = 50
"""How many hits one search request returns at most."""

MOST_QUERY: Final = 400
"""How many characters of a query Zep reads."""

FIRST_PAUSE = 0.1
"""Seconds until a task is asked for; each time it is longer, up to a second."""

MOST_USERS: Final = 100
"""In how many users' graphs one operation looks at most."""

NOBODY: Final = "memio-nobody"
"""The Zep user whose graph keeps what belongs to no user."""

_LONGEST_USER = 500


class ZepService(Service):
    """What the three stores on Zep share: each has one of its own.

    Args:
        path: Of the file that remembers Zep's ids. Users that are missing there are
            looked up at Zep.
    """

    def __init__(
        self, *, api_key: str, base_url: str | None, timeout: float, path: Path
    ) -> None:
        self.ids = IdMap(path)
        self._key, self._url, self._timeout = api_key, base_url, timeout
        self._http: httpx.AsyncClient | None = None
        self._open: AsyncZep | None = None

    @property
    def api(self) -> AsyncZep:
        if self._open is None:
            raise RuntimeError("the store is not open")
        return self._open

    async def open(self) -> None:
        """Make the client and open the file of ids."""
        await self.ids.open()
        self._http = httpx.AsyncClient(timeout=self._timeout)
        self._open = AsyncZep(
            api_key=self._key,
            base_url=self._url,
            httpx_client=self._http,
            max_retries=0,  # memio repeats what may be repeated
        )

    async def close(self) -> None:
        """Close the connections and the file."""
        if self._http is not None:
            await self._http.aclose()
        await self.ids.close()

    async def ping(self) -> None:
        """Ask for the project of the key."""
        await self.api.project.get()

    # --- users and their graphs -------------------------------------------------------

    async def user(self, user_id: str | None) -> str:
        """Return the UUID of a user, which is one of their graph too; make the user.

        Raises:
            ValidationError: Zep takes no id that long.
        """
        name = _name(user_id)
        if len(name) > _LONGEST_USER:
            raise ValidationError(
                f"Zep's user ids have up to {_LONGEST_USER} characters."
            )
        known = await self.known_user(user_id)
        if known is not None:
            return known
        try:
            made = await self.api.user.create(user_id=name)
        except ConflictError:  # somebody else was faster
            made = await self.api.user.lookup(user_id=name)
        return await self.ids.put("user", name, uuid_of(made))

    async def known_user(self, user_id: str | None) -> str | None:
        """Return the UUID of a user, or None if Zep knows no such user."""
        name = _name(user_id)
        known = await self.ids.get("user", name)
        if known is not None or len(name) > _LONGEST_USER:
            return known
        try:
            found = await self.api.user.lookup(user_id=name)
        except NotFoundError:
            return None
        return await self.ids.put("user", name, uuid_of(found))

    async def in_graph(
        self, user_id: str | None, work: Callable[[str], Awaitable[T]]
    ) -> T:
        """Do something in a user's graph; if the user was deleted, in a new one's."""
        graph = await self.user(user_id)
        try:
            return await work(graph)
        except NotFoundError:
            await self.ids.forget("user", _name(user_id), graph)
            return await work(await self.user(user_id))

    async def in_graphs(
        self, user_id: str | None, work: Callable[[str], Awaitable[list[T]]]
    ) -> list[T]:
        """Do something in a user's graph, or in everybody's; join the results.

        Raises:
            NotSupportedError: There are more than ``MOST_USERS``.
        """

        async def tolerant(graph: str) -> list[T]:
            try:
                return await work(graph)
            except NotFoundError:
                if user_id is None:
                    return []
                await self.ids.forget("user", user_id, graph)
                again = await self.known_user(user_id)
                return [] if again is None else await work(again)

        if user_id is not None:
            known = await self.known_user(user_id)
            return [] if known is None else await tolerant(known)
        users = await self.read(self.api.user.list, MOST_USERS, "users")
        parts = await gather(tolerant, map(uuid_of, users))
        return [each for part in parts for each in part]

    # --- requests ---------------------------------------------------------------------

    async def read(
        self,
        list_: Callable[..., Awaitable[Any]],
        most: int,
        what: str,
        /,
        *args: Any,
        **query: Any,
    ) -> list[Any]:
        """Read all pages of a list.

        Raises:
            NotSupportedError: There are more items than ``most``.
        """
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = await list_(*args, page_size=PAGE, cursor=cursor, **query)
            items += page.response.items or []
            cursor = page.response.next_cursor
            check_size("zep", len(items) + (cursor is not None), most, what)
            if cursor is None:
                return items

    async def finish(self, task: Task | None) -> None:
        """Wait for what Zep has accepted to be done.

        Raises:
            RuntimeError: It failed.
        """
        pause = FIRST_PAUSE
        while task is not None and task.status not in ("succeeded", None):
            if task.status in ("failed", "partial"):
                code = task.error.code if task.error else None
                raise RuntimeError(f"Zep's task {task.type} {task.status}: {code}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
            task = await self.api.task.get(str(task.uuid_))

    async def delete_all(
        self, delete: Callable[..., Awaitable[Any]], places: Sequence[Sequence[str]]
    ) -> int:
        """Delete things by their paths and wait for it; return how many there were."""

        async def one(place: Sequence[str]) -> int:
            try:
                await self.finish((await delete(*place)).task)
            except NotFoundError:
                return 0
            return 1

        return sum(await gather(one, places))


def only(**wanted: str) -> MetadataFilterGroup:
    """Return a filter for episodes whose metadata has these values."""
    tests = [
        MetadataFilter(property_name=f"memio_{name}", operator="eq", value=value)
        for name, value in wanted.items()
    ]
    return MetadataFilterGroup(type="and", filters=tests)


def score_of(item: Any) -> float:
    """Return how well a hit answers, in [0, 1]."""
    score = item.score if item.relevance is None else item.relevance
    return min(max(float(score or 0.0), 0.0), 1.0)


def graph_of(our_id: str) -> str | None:
    """Return the graph that an id of ours, "<uuid>.<uuid>", names; None for others."""
    graph, _, rest = our_id.partition(".")
    try:
        known = str(uuid.UUID(graph)) == graph and str(uuid.UUID(rest)) == rest
    except ValueError:
        return None
    return graph if known else None


def uuid_of(item: Any) -> str:
    """Return the UUID that Zep gave to something."""
    if not item.uuid_:
        raise RuntimeError("Zep's answer lacks a uuid")
    return str(item.uuid_)


def _name(user_id: str | None) -> str:
    return NOBODY if user_id is None else user_id
