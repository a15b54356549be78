"""Taking over a collection that Chroma embedded, such as one of memio 0.3."""

from __future__ import annotations

from typing import Any, Final

from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection as ChromaTable

from memio.ids import uuid7
from memio.providers.chroma.embedding import ChromaEmbedder
from memio.providers.chroma.rows import DIM, ROW, SPACE, entry
from memio.vectorstore import Record

_BATCH: Final = 500


def adopt(client: ClientAPI, table: ChromaTable, dim: int) -> ChromaTable:
    """Give every entry its record, as a document; texts and vectors stay; blocks.

    If this is broken off, the next call goes on.

    Raises:
        ValueError: Its vectors are not those of Chroma's default function.
    """
    ids = table.get(include=[])["ids"]
    sample = table.get(ids=ids[:1], include=["embeddings"])["embeddings"]
    if sample is None or len(sample[0]) != dim:
        raise ValueError("its vectors are not of Chroma's default embedding function")
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        found = table.get(ids=batch, include=["metadatas"])
        given = dict(zip(found["ids"], found["metadatas"] or [], strict=True))
        strange = [key for key in batch if ROW not in (given[key] or {})]
        if strange:
            numbers = {key: start + n + 1 for n, key in enumerate(batch)}
            table.update(
                ids=strange,
                metadatas=[_entry(key, given[key], numbers[key]) for key in strange],
            )
    space = (table.configuration["hnsw"] or {}).get("space", "l2")
    table.modify(metadata={**(table.metadata or {}), DIM: dim, SPACE: space})
    return client.get_collection(table.name, embedding_function=None)


def _entry(key: str, metadata: Any, number: int) -> dict[str, Any]:
    # When it was stored is not known; the number keeps it in its order.
    record = Record(
        key,
        "document",
        number,
        number,
        ChromaEmbedder.fingerprint,
        uuid7(),
        dict(metadata) if metadata else None,
    )
    return entry(record)
