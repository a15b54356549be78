"""The operations of tag ``facts``."""

from __future__ import annotations

from typing import Any

from memio.client import Memio
from memio.models import Fact

from ._http import created, paged, would_delete


async def create_fact(memio: Memio, url: str, body: dict[str, Any]) -> Any:
    fact = await memio.require("facts").add(**body)
    return created(fact, url, fact.id)


async def list_facts(memio: Memio, url: str, **query: Any) -> Any:
    page = await memio.require("facts").get_all(**query)
    return paged(page, url, page.next_cursor)


async def delete_facts(memio: Memio, *, dry_run: bool = False, **query: Any) -> Any:
    count = await memio.require("facts").delete_all(dry_run=dry_run, **query)
    return would_delete(count) if dry_run else None


async def search_facts(memio: Memio, body: dict[str, Any]) -> list[Fact]:
    return await memio.require("facts").search(**body)


async def get_fact(memio: Memio, fact_id: str) -> Fact:
    return await memio.require("facts").get(fact_id=fact_id)


async def update_fact(memio: Memio, fact_id: str, body: dict[str, Any]) -> Fact:
    return await memio.require("facts").update(fact_id=fact_id, **body)


async def delete_fact(memio: Memio, fact_id: str) -> None:
    await memio.require("facts").delete(fact_id=fact_id)
