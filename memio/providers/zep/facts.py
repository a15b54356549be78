"""Facts as episodes of the user's graph in Zep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from zep_cloud.errors import NotFoundError
from zep_cloud.types import Episode, EpisodeListFilters, EpisodeSearchFilters

from memio.exceptions import NotSupportedError
from memio.hosted import (
    MOST_ROWS,
    Hits,
    Row,
    Scope,
    VersionedCollection,
    as_sent,
    digest,
    newest,
    pack,
    require,
    unpack,
)
from memio.providers.zep.client import (
    MOST_HITS,
    MOST_QUERY,
    ZepService,
    graph_of,
    only,
    score_of,
)

LONGEST: Final = 10_000
"""How many characters a fact may have."""


class ZepRows(VersionedCollection):
    """The episodes that memio added. An id names the graph too: "<graph>.<fact>".

    Zep cannot change an episode's text.
    """

    def __init__(self, service: ZepService, *, reranker: str) -> None:
        self._zep, self._reranker = service, reranker

    async def put(self, row: Row) -> Row:
        """Add an episode, which can be read at once."""
        graph = graph_of(row.id)
        if graph is not None:  # another version of a row
            return await self._add(graph, row)
        return await self._zep.in_graph(
            row.user_id,
            lambda graph: self._add(graph, replace(row, id=f"{graph}.{row.id}")),
        )

    async def find(self, row_id: str) -> Row | None:
        """Return the newest of the episodes with this id."""
        graph = graph_of(row_id)
        if graph is None:
            return None
        try:
            found = await self._list(graph, id=row_id)
        except NotFoundError:  # there is no such graph
            return None
        return next(iter(newest(found)), None)

    async def scan(self, scope: Scope) -> list[Row]:
        """List the user's graph, or all graphs."""
        agent = {} if scope.agent_id is None else {"agent": digest(scope.agent_id)}
        rows = await self._zep.in_graphs(
            scope.user_id, lambda graph: self._list(graph, **agent)
        )
        return [row for row in newest(rows) if scope.holds(row)]

    async def rank(self, query: str, scope: Scope, limit: int) -> Hits:
        """Search the user's graph, or all graphs."""
        asked, whole = min(limit, MOST_HITS), True
        agent = {} if scope.agent_id is None else {"agent": digest(scope.agent_id)}
        filters = EpisodeSearchFilters(metadata_filters=only(store="facts", **agent))

        async def work(graph: str) -> list[tuple[Row, float]]:
            nonlocal whole
            page = await self._zep.api.graph.search_episodes(
                graph,
                query=query[:MOST_QUERY],
                page_size=asked,
                filters=filters,
                reranker=self._reranker,
            )
            found = page.response.items or []
            whole = whole and len(found) < asked
            return [(_row(graph, each), score_of(each)) for each in found]

        hits: dict[str, tuple[Row, float]] = {}
        for row, score in await self._zep.in_graphs(scope.user_id, work):
            known = hits.get(row.id)
            newer = known is None or row.updated > known[0].updated
            if newer and scope.holds(row):
                hits[row.id] = (row, score)
        ordered = sorted(hits.values(), key=lambda hit: hit[1], reverse=True)
        return Hits(ordered, whole=whole)

    async def delete(self, places: Sequence[Sequence[str]]) -> int:
        """Delete episodes."""
        return await self._zep.delete_all(self._zep.api.graph.episode.delete, places)

    async def _add(self, graph: str, row: Row) -> Row:
        if len(row.text) > LONGEST:
            raise NotSupportedError(
                "zep",
                "storing a fact of this length",
                hint=f"a fact has up to {LONGEST} characters; keep longer texts as "
                "documents, in another provider.",
            )
        sent = as_sent(row.text)
        agent = {} if row.agent_id is None else {"memio_agent": digest(row.agent_id)}
        answer = await self._zep.api.graph.episode.add(
            graph,
            data=sent,
            type="text",
            metadata={
                "memio": pack(row, text=sent != row.text),
                "memio_store": "facts",
                "memio_id": row.id,
                **agent,
            },
        )
        require(answer.episode, "Zep")
        return row

    async def _list(self, graph: str, **wanted: str) -> list[Row]:
        filters = EpisodeListFilters(metadata_filters=only(store="facts", **wanted))
        episodes = await self._zep.read(
            self._zep.api.graph.episode.list,
            MOST_ROWS,
            "facts",
            graph,
            filters=filters,
        )
        return [_row(graph, each) for each in episodes]


def _row(graph: str, episode: Episode) -> Row:
    metadata: dict[str, Any] = episode.metadata or {}
    place = (graph, str(episode.uuid_))
    return unpack(metadata["memio"], text=episode.content or "", place=place)
