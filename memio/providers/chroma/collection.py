"""Rows in a Chroma collection.

A row is an entry of Chroma's: its key the id, its text the document, the mean of its
vectors the embedding. The metadata holds the record as JSON, what rows are listed and
scoped by, and the caller's own texts, numbers and booleans under their own names, so
that Chroma filters by them and other programs can read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import httpx
import numpy as np
from chromadb.api.models.Collection import Collection as ChromaTable
from chromadb.errors import RateLimitError

from memio.calls import Calls
from memio.exceptions import ProviderError, SetupError
from memio.providers.chroma.adopting import adopt
from memio.providers.chroma.engine import ChromaEngine
from memio.providers.chroma.listing import LAST, Listing
from memio.providers.chroma.rows import DIM, PLACE, SPACE, entry, load, translate
from memio.vectorstore import Record, Where
from memio.vectorstore.collection import Vectors
from memio.vectorstore.record import scalars

T = TypeVar("T")

_BATCH: Final = 1000  # ids in a request
_PASSING: Final = (429, 502, 503, 504)

# Chroma's distance of unit vectors as their cosine.
_COSINES: Final[dict[str, Callable[[float], float]]] = {
    "cosine": lambda distance: 1 - distance,
    "ip": lambda distance: 1 - distance,
    "l2": lambda distance: 1 - distance / 2,
}


class ChromaCollection:
    """``Collection`` in Chroma.

    Args:
        engine: Where the collection is.
        collection_name: Its name.
        adopts: Whether one that Chroma embedded and memio did not make is taken over.
        timeout: Seconds that a call may take.
    """

    def __init__(
        self,
        engine: ChromaEngine,
        collection_name: str,
        *,
        adopts: bool = False,
        timeout: float = 30.0,
    ) -> None:
        self._engine, self._name, self._adopts = engine, collection_name, adopts
        self._calls = Calls(
            "chroma",
            timeout=timeout,
            is_transient=_is_transient,
            is_timeout=_is_timeout,
        )
        self._table: ChromaTable | None = None
        self._listing = Listing()

    @property
    def name(self) -> str:
        return f"The collection '{self._name}' of {self._engine}"

    async def open(self, dim: int) -> None:
        try:
            self._table = await self._calls.run_blocking(
                "open", partial(self._open, dim)
            )
        except ProviderError as error:
            raise SetupError(
                f"{self.name} cannot be opened: "
                f"{str(error.cause) or 'it did not answer in time'}. Check the "
                "settings, and that a server is running if host names one."
            ) from error

    async def close(self) -> None:
        if self._table is not None:
            self._table = None
            await self._calls.run_blocking("close", self._engine.close)
        self._calls.close()

    async def ping(self) -> None:
        await self._call("ping", "count")

    async def insert(
        self, operation: str, record: Record, text: str, vectors: Vectors
    ) -> None:
        # Chroma leaves alone what is there.
        await self._write(operation, "add", record, text, vectors)
        self._listing.note(record)

    async def replace(
        self, operation: str, record: Record, text: str, vectors: Vectors, old: Record
    ) -> None:
        # Chroma merges: what is not named stays, and None takes a name away.
        gone = scalars(old.metadata).keys() - scalars(record.metadata).keys()
        await self._write(operation, "update", record, text, vectors, gone=gone)

    async def delete(self, operation: str, keys: Sequence[str]) -> None:
        await self._call(operation, "delete", ids=list(keys))

    async def fetch(
        self, operation: str, keys: Sequence[str], *, texts: bool = True
    ) -> dict[str, tuple[Record, str]]:
        rows: dict[str, tuple[Record, str]] = {}
        include = ["metadatas", "documents"] if texts else ["metadatas"]
        for start in range(0, len(keys), _BATCH):
            rows |= await self._read(
                operation,
                "get",
                _rows,
                ids=list(keys[start : start + _BATCH]),
                include=include,
            )
        return rows

    async def newest(
        self, operation: str, where: Where, before: str | None, least: int
    ) -> tuple[list[Record], bool]:
        async def read(start: int, end: int, most: int | None) -> list[Record]:
            # A condition that holds for all rows costs Chroma a look at each of them.
            since = [{PLACE: {"$gte": start}}] if start else []
            until = [{PLACE: {"$lte": end}}] if end < LAST else []
            return await self._read(
                operation,
                "get",
                lambda found: list(map(load, found["metadatas"])),
                where=translate(where, *since, *until),
                limit=most,
                include=["metadatas"],
            )

        return await self._listing.newest(read, before, least)

    async def nearest(
        self,
        operation: str,
        vector: Vectors,
        where: Where,
        most: int,
        keys: Sequence[str] | None = None,
    ) -> dict[str, float]:
        cosine = _COSINES[self._opened.metadata[SPACE]]

        def read(found: Any) -> dict[str, float]:
            (ids,), (distances,) = found["ids"], found["distances"]
            return dict(zip(ids, map(cosine, distances), strict=True))

        return await self._read(
            operation,
            "query",
            read,
            query_embeddings=[vector],
            n_results=most,
            where=translate(where),
            ids=keys,
            include=["distances"],
        )

    async def holding(
        self, operation: str, words: Sequence[str], where: Where, most: int
    ) -> list[str]:
        return await self._read(
            operation,
            "get",
            lambda found: list(found["ids"]),
            where=translate(where),
            where_document={"$regex": f"(?i)({'|'.join(map(_pattern, words))})"},
            limit=most,
            include=[],
        )

    @property
    def _opened(self) -> Any:
        if self._table is None:
            raise ConnectionError("Chroma is not open")
        return self._table

    def _open(self, dim: int) -> ChromaTable:
        self._engine.open()
        try:
            return self._find(dim)
        except BaseException:
            self._engine.close()
            raise

    def _find(self, dim: int) -> ChromaTable:
        """Return the collection, made or adopted if need be."""
        client = self._engine.client

        def find() -> ChromaTable:
            # Of one that is there, neither the metadata nor the configuration changes.
            return client.get_or_create_collection(
                self._name,
                embedding_function=None,
                metadata={DIM: dim, SPACE: "cosine"},
                configuration={"hnsw": {"space": "cosine"}},
            )

        table = find()
        theirs = (table.metadata or {}).get(DIM)
        if theirs == dim:
            return table
        if table.count() == 0:
            client.delete_collection(self._name)
            return find()
        if theirs is not None:
            raise SetupError(
                f"{self.name} holds vectors of {theirs} numbers, and the embedder "
                f"configured makes {dim}; set embedding back, or set another "
                "collection_name and add everything again."
            )
        if not self._adopts:
            raise SetupError(
                f"{self.name} was not made by memio 1. If Chroma embedded its texts, "
                "set `embedding: default` beside collection_name; otherwise set "
                "another collection_name."
            )
        return adopt(client, table, dim)

    async def _write(
        self,
        operation: str,
        method: str,
        record: Record,
        text: str,
        vectors: Vectors,
        *,
        gone: Iterable[str] = (),
    ) -> None:
        await self._call(
            operation,
            method,
            ids=[record.key],
            documents=[text],
            embeddings=[_mean(vectors)],
            metadatas=[
                {**dict.fromkeys(gone), **scalars(record.metadata), **entry(record)}
            ],
        )

    async def _call(self, operation: str, method: str, **arguments: Any) -> None:
        await self._calls.run_blocking(
            operation, lambda: getattr(self._opened, method)(**arguments)
        )

    async def _read(
        self,
        operation: str,
        method: str,
        read: Callable[[Any], T],
        **arguments: Any,
    ) -> T:
        """Call a method that changes nothing and return what ``read`` makes of it."""
        return await self._calls.run_blocking(
            operation,
            lambda: read(getattr(self._opened, method)(**arguments)),
            idempotent=True,
        )


def _rows(found: Any) -> dict[str, tuple[Record, str]]:
    texts = found["documents"] or [""] * len(found["ids"])
    records = map(load, found["metadatas"])
    return {
        record.key: (record, text or "")
        for record, text in zip(records, texts, strict=True)
    }


def _mean(vectors: Vectors) -> Vectors:
    """Return the direction of a text's vectors, since a row can have only one."""
    mean = vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    direction: Vectors = mean / np.float32(length or 1)
    return direction


def _pattern(word: str) -> str:
    """Return a regular expression of Rust's for a word.

    Its own idea of a word differs from Python's outside of ASCII, so that only there
    the border is left to whoever reads the text.
    """
    first, last = (r"(?-u:\b)" if end.isascii() else "" for end in (word[0], word[-1]))
    return f"{first}{re.escape(word)}{last}"


def _is_transient(error: Exception) -> bool:
    # Of most refusals Chroma tells no more than the text, while it handles httpx's.
    refused = error.__context__
    if isinstance(refused, httpx.HTTPStatusError):
        return refused.response.status_code in _PASSING
    return isinstance(error, httpx.TransportError | RateLimitError)


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, httpx.TimeoutException)
