"""Triples in Zep: the graph store, over the edges of its users' graphs."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from memio.exceptions import NotFoundError, NotSupportedError
from memio.hosted import HostedStore, Row
from memio.hosted.store import chosen_by, matching, page_of
from memio.models import Filters, GraphResult, Mode, Triple
from memio.providers.zep.client import PAGE, ZepService
from memio.providers.zep.edges import ZepEdges, key_of, new_edge, once, triple_of


class ZepGraph(HostedStore):
    """``GraphStore`` over edges that memio added; ids are "<graph>.<edge>"."""

    def __init__(self, service: ZepService, *, reranker: str, timeout: float) -> None:
        super().__init__("zep", service, timeout=timeout)
        self._zep, self._edges = service, ZepEdges(service, reranker=reranker)

    async def add(
        self, *, triples: list[Triple], user_id: str | None = None
    ) -> list[Triple]:
        rows = {key_of(row): row for row in (new_edge(t, user_id) for t in triples)}
        if len(rows) > PAGE:
            raise NotSupportedError(
                "zep",
                "adding so many triples at once",
                hint=f"Zep stores up to {PAGE} together; send several requests.",
            )

        async def work(graph: str) -> dict[str, Row]:
            listed = await self._edges.listed(graph, id=list(rows))
            known = {key_of(row): row for row in once(listed)}
            fresh = [row for key, row in rows.items() if key not in known]
            stored = {key_of(row): row for row in await self._edges.add(graph, fresh)}
            for key, row in known.items():
                changed = row.changed(row.text, rows[key].metadata)
                await self._edges.update(changed)
                stored[key] = changed
            return stored

        stored = await self._write(
            "add", f"user {user_id}", lambda: self._zep.in_graph(user_id, work)
        )
        return [triple_of(stored[key_of(new_edge(each, user_id))]) for each in triples]

    async def get(
        self,
        *,
        entity: str,
        user_id: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> GraphResult:
        rows = await self._read("get", lambda: self._touching(entity, user_id))
        page, following = page_of(rows, limit, cursor)
        return GraphResult.of(list(map(triple_of, page)), next_cursor=following)

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> GraphResult:
        chosen = chosen_by(filters)
        rows = await self._read("get_all", lambda: self._edges.scan(user_id))
        page, following = page_of(matching(rows, chosen), limit, cursor)
        return GraphResult.of(list(map(triple_of, page)), next_cursor=following)

    async def search(
        self,
        *,
        query: str,
        user_id: str | None = None,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> GraphResult:
        ranked = functools.partial(
            self._ranked,
            query,
            limit=limit,
            filters=filters,
            mode=mode,
            min_score=min_score,
            scan=lambda: self._edges.scan(user_id),
            rank=lambda most: self._edges.rank(query, user_id, most),
        )
        hits = await self._read("search", ranked)
        return GraphResult.of(
            [triple_of(row) for row, _ in hits], scores=[score for _, score in hits]
        )

    async def delete(
        self,
        *,
        entity: str | None = None,
        triple_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        if (entity is None) == (triple_id is None):
            raise ValueError("delete takes either an entity or a triple_id")

        async def work() -> None:
            if entity is not None:
                rows = await self._touching(entity, user_id)
            else:
                rows = await self._edges.find(str(triple_id), user_id)
            if not await self._edges.drop(rows):
                if entity is not None:
                    raise NotFoundError("entity", entity)
                raise NotFoundError("triple", str(triple_id))

        await self._calls.run("delete", work)

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        filters: Filters | None = None,
        dry_run: bool = False,
    ) -> int:
        chosen = chosen_by(filters)

        async def work() -> int:
            rows = matching(await self._edges.scan(user_id), chosen)
            return len(rows) if dry_run else await self._edges.drop(rows)

        return await self._calls.run("delete_all", work)

    async def _touching(self, entity: str, user_id: str | None) -> Sequence[Row]:
        rows = await self._edges.touching(entity, user_id)
        if not rows:
            raise NotFoundError("entity", entity)
        return rows
