"""The operations of tag ``documents``."""

from __future__ import annotations

from typing import Any

from memio.client import Memio
from memio.models import Document

from ._http import created, paged, would_delete


async def create_document(memio: Memio, url: str, body: dict[str, Any]) -> Any:
    document = await memio.require("documents").add(**body)
    return created(document, url, document.id)


async def list_documents(memio: Memio, url: str, **query: Any) -> Any:
    page = await memio.require("documents").get_all(**query)
    return paged(page, url, page.next_cursor)


async def delete_documents(memio: Memio, *, dry_run: bool = False, **query: Any) -> Any:
    count = await memio.require("documents").delete_all(dry_run=dry_run, **query)
    return would_delete(count) if dry_run else None


async def search_documents(memio: Memio, body: dict[str, Any]) -> list[Document]:
    return await memio.require("documents").search(**body)


async def get_document(memio: Memio, doc_id: str) -> Document:
    return await memio.require("documents").get(doc_id=doc_id)


async def update_document(
    memio: Memio, url: str, doc_id: str, body: dict[str, Any], *, upsert: bool = False
) -> Any:
    store = memio.require("documents")
    if not upsert:
        return await store.update(doc_id=doc_id, **body)
    document, was_missing = await store.upsert(doc_id=doc_id, **body)
    if not was_missing:
        return document
    collection, _, _ = url.partition("?")[0].rpartition("/")
    return created(document, collection, document.id)


async def delete_document(memio: Memio, doc_id: str) -> None:
    await memio.require("documents").delete(doc_id=doc_id)
