"""Triples as edges between the nodes of a user's graph in Zep."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from zep_cloud.errors import NotFoundError
from zep_cloud.types import (
    Edge,
    EdgeInput,
    EdgeListFilters,
    EdgeNodeRef,
    EdgeSearchFilters,
    NodeInput,
    NodeListFilters,
    PropertyFilter,
)

from memio.hosted import (
    MOST_ROWS,
    Hits,
    Row,
    Scope,
    as_sent,
    digest,
    new_row,
    pack,
    unpack,
)
from memio.models import Triple
from memio.providers.zep.client import (
    MOST_HITS,
    MOST_QUERY,
    PAGE,
    ZepService,
    graph_of,
    score_of,
)

_LONGEST_NAME: Final = 50
_LONGEST_FACT: Final = 250
_OURS: Final = PropertyFilter(property_name="memio_id", operator="is_not_null")


class ZepEdges:
    """The edges that memio added; a row's id is "<graph>.<edge>"."""

    def __init__(self, service: ZepService, *, reranker: str) -> None:
        self._zep, self._reranker = service, reranker

    async def add(self, graph: str, rows: Sequence[Row]) -> list[Row]:
        """Add up to ``PAGE`` edges, between nodes that are there or made for them."""
        if not rows:
            return []
        ends = Counter(end for row in rows for end in _ends(row))
        nodes = await self._nodes(graph, ends)
        edges = [
            EdgeInput(
                fact=as_sent(row.text, _LONGEST_FACT),
                fact_name=_name_of(row.extra["predicate"]),
                source_node=_end(nodes, row.extra["subject"]),
                target_node=_end(nodes, row.extra["object"]),
                attributes={
                    "memio": pack(row, text=True),
                    "memio_id": key_of(row),
                    "memio_subject": digest(row.extra["subject"]),
                    "memio_object": digest(row.extra["object"]),
                },
            )
            for row in rows
        ]
        answer = await self._zep.api.graph.edge.add(graph, edges=edges)
        await self._zep.finish(answer.task)
        made = zip(rows, answer.edges or [], strict=True)
        return [replace(row, id=f"{graph}.{edge.uuid_}") for row, edge in made]

    async def update(self, row: Row) -> None:
        """Replace an edge's envelope."""
        await self._zep.api.graph.edge.update(
            *row.places[0], attributes={"memio": pack(row, text=True)}
        )

    async def drop(self, rows: Sequence[Row]) -> int:
        """Delete edges; return how many of them were still there."""
        delete = self._zep.api.graph.edge.delete
        twins = [place for row in rows for place in row.places[1:]]
        await self._zep.delete_all(delete, twins)
        return await self._zep.delete_all(delete, [row.places[0] for row in rows])

    async def find(self, triple_id: str, user_id: str | None) -> list[Row]:
        """Return the edge of an id, if it is the user's."""
        graph = graph_of(triple_id)
        if graph is None:
            return []
        try:
            edge = triple_id.removeprefix(f"{graph}.")
            found = await self._zep.api.graph.edge.get(graph, edge)
        except NotFoundError:
            return []
        rows = [_row(graph, found)] if "memio" in (found.attributes or {}) else []
        return [row for row in rows if Scope(user_id).holds(row)]

    async def listed(self, graph: str, **wanted: list[str]) -> list[Row]:
        """Return the edges of a graph whose attributes have one of these values."""
        tests = [_among(name, values) for name, values in wanted.items()]
        filters = EdgeListFilters(property_filters=tests or [_OURS])
        edges = await self._zep.read(
            self._zep.api.graph.edge.list, MOST_ROWS, "triples", graph, filters=filters
        )
        return [_row(graph, edge) for edge in edges]

    async def scan(self, user_id: str | None) -> list[Row]:
        """Return all edges of a user, or of everybody."""
        return await self._in_graphs(user_id, self.listed)

    async def touching(self, entity: str, user_id: str | None) -> list[Row]:
        """Return the edges that begin or end at an entity."""

        async def work(graph: str) -> list[Row]:
            starting = await self.listed(graph, subject=[digest(entity)])
            return starting + await self.listed(graph, object=[digest(entity)])

        return await self._in_graphs(user_id, work)

    async def rank(self, query: str, user_id: str | None, limit: int) -> Hits:
        """Search a user's graph, or all graphs; the query is not blank."""
        asked, whole = min(limit, MOST_HITS), True
        scores: dict[str, float] = {}

        async def work(graph: str) -> list[Row]:
            nonlocal whole
            page = await self._zep.api.graph.search_edges(
                graph,
                query=query[:MOST_QUERY],
                page_size=asked,
                filters=EdgeSearchFilters(property_filters=[_OURS]),
                reranker=self._reranker,
            )
            found = page.response.items or []
            whole = whole and len(found) < asked
            rows = [_row(graph, each) for each in found]
            scores.update(zip(map(key_of, rows), map(score_of, found), strict=True))
            return rows

        rows = await self._in_graphs(user_id, work)
        hits = [(row, scores[key_of(row)]) for row in rows]
        return Hits(sorted(hits, key=lambda hit: -hit[1]), whole=whole)

    async def _in_graphs(
        self, user_id: str | None, work: Callable[[str], Awaitable[list[Row]]]
    ) -> list[Row]:
        rows = await self._zep.in_graphs(user_id, work)
        return once(row for row in rows if Scope(user_id).holds(row))

    async def _nodes(self, graph: str, ends: Counter[str]) -> dict[str, str]:
        """Return the nodes of entities, by their names.

        One that is new and has a single edge has none: the edge is to make it.
        """
        names = {digest(name): name for name in ends}
        nodes: dict[str, str] = {}
        for part in _parts(list(names)):
            filters = NodeListFilters(property_filters=[_among("name", part)])
            for node in await self._zep.read(
                self._zep.api.graph.node.list,
                MOST_ROWS,
                "entities",
                graph,
                filters=filters,
            ):
                nodes.setdefault(names[node.attributes["memio_name"]], str(node.uuid_))
        shared = [name for name in ends if ends[name] > 1 and name not in nodes]
        for part in _parts(shared):
            inputs = [NodeInput(**_node(name)) for name in part]
            answer = await self._zep.api.graph.node.add(graph, nodes=inputs)
            await self._zep.finish(answer.task)
            made = zip(part, answer.nodes or [], strict=True)
            nodes |= {name: str(node.uuid_) for name, node in made}
        return nodes


def new_edge(triple: Triple, user_id: str | None) -> Row:
    """Return a triple as a row that is stored now."""
    predicate = triple.predicate.replace("_", " ")
    return new_row(
        f"{triple.subject} {predicate} {triple.object}",
        triple.metadata,
        scope=Scope(user_id),
        extra={
            "subject": triple.subject,
            "predicate": triple.predicate,
            "object": triple.object,
        },
    )


def triple_of(row: Row) -> Triple:
    """Return the triple of a row."""
    subject, object_ = _ends(row)
    return Triple(subject, row.extra["predicate"], object_, row.metadata, row.id)


def key_of(row: Row) -> str:
    """Return what tells a user's triples apart: subject, predicate and object."""
    subject, object_ = _ends(row)
    return digest(json.dumps([subject, row.extra["predicate"], object_, row.user_id]))


def once(rows: Iterable[Row]) -> list[Row]:
    """Return each triple once; two processes may have added it at the same moment."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.order):
        first = found.setdefault(key_of(row), row)
        if row.places[0] not in first.places:
            places = (*first.places, *row.places)
            found[key_of(row)] = replace(first, places=places)
    return list(found.values())


def _among(name: str, values: Sequence[str]) -> PropertyFilter:
    return PropertyFilter(property_name=f"memio_{name}", operator="in", value=[*values])


def _end(nodes: dict[str, str], name: str) -> EdgeNodeRef:
    if name in nodes:
        return EdgeNodeRef(uuid_=nodes[name])
    return EdgeNodeRef(**_node(name))


def _node(name: str) -> dict[str, Any]:
    attributes = {"memio_name": digest(name)}
    return {"name": as_sent(name, _LONGEST_NAME), "attributes": attributes}


def _ends(row: Row) -> tuple[str, str]:
    return row.extra["subject"], row.extra["object"]


def _name_of(predicate: str) -> str:
    """Return a predicate as Zep names edges: works at is WORKS_AT."""
    name = re.sub(r"\W+", "_", predicate).strip("_").upper()[:_LONGEST_NAME]
    return name or "RELATES_TO"


def _row(graph: str, edge: Edge) -> Row:
    envelope = (edge.attributes or {})["memio"]
    row = unpack(envelope, text=edge.fact, place=(graph, edge.uuid_))
    return replace(row, id=f"{graph}.{edge.uuid_}")


def _parts(items: list[str]) -> Iterable[list[str]]:
    return (items[start : start + PAGE] for start in range(0, len(items), PAGE))
