"""The operations of tag ``graph``."""

from __future__ import annotations

from typing import Any

from memio.client import Memio
from memio.models import Triple

from ._http import graph_body, paged, wants_representation, would_delete


async def add_triples(memio: Memio, body: dict[str, Any], prefer: str = "") -> Any:
    stored = await memio.require("graph").add(
        triples=[Triple(**triple) for triple in body["triples"]],
        user_id=body.get("user_id"),
    )
    return stored if wants_representation(prefer) else None


async def list_triples(memio: Memio, url: str, **query: Any) -> Any:
    result = await memio.require("graph").get_all(**query)
    return paged(graph_body(result), url, result.next_cursor)


async def delete_triple(memio: Memio, triple_id: str, **query: Any) -> None:
    await memio.require("graph").delete(triple_id=triple_id, **query)


async def get_entity(memio: Memio, url: str, entity: str, **query: Any) -> Any:
    result = await memio.require("graph").get(entity=entity, **query)
    return paged(graph_body(result), url, result.next_cursor)


async def delete_entity(memio: Memio, entity: str, **query: Any) -> None:
    await memio.require("graph").delete(entity=entity, **query)


async def search_graph(memio: Memio, body: dict[str, Any]) -> dict[str, Any]:
    return graph_body(await memio.require("graph").search(**body))


async def delete_graph(memio: Memio, *, dry_run: bool = False, **query: Any) -> Any:
    count = await memio.require("graph").delete_all(dry_run=dry_run, **query)
    return would_delete(count) if dry_run else None
