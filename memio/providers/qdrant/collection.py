"""Rows in a Qdrant collection.

A row is a point: its id derived from the key, its vectors a multivector, so that a
long text is as near as the nearest part of it. The payload holds the record as JSON,
the text, what rows are listed, scoped and looked up by, and under "metadata" what
Qdrant can filter by.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from qdrant_client import models

from memio.exceptions import ProviderError, SetupError
from memio.filters import And, Compare, Filter, Or
from memio.providers.qdrant.engine import QdrantEngine
from memio.retrieval.text import words as words_of
from memio.vectorstore import Record, Where
from memio.vectorstore.collection import Vectors
from memio.vectorstore.record import latest, scalars

T = TypeVar("T")

_KEYS: Final = uuid.UUID("0dbd4c2c-6d0c-4c80-a1d6-6e4c2c8b6a53")
_LEAST: Final = 100  # points asked for where fewer would do
_INDEXES: Final = {
    "created": models.PayloadSchemaType.INTEGER,
    "user_id": models.PayloadSchemaType.KEYWORD,
    "agent_id": models.PayloadSchemaType.KEYWORD,
    "words": models.PayloadSchemaType.KEYWORD,
}


class QdrantCollection:
    """``Collection`` in Qdrant.

    Args:
        engine: Where the collection is.
        collection_name: Its name.
    """

    def __init__(self, engine: QdrantEngine, collection_name: str) -> None:
        self._engine, self._name = engine, collection_name
        self._is_open = False
        self._narrows = True

    @property
    def name(self) -> str:
        return f"The collection '{self._name}' of {self._engine}"

    async def open(self, dim: int) -> None:
        try:
            await self._engine.open()
            self._is_open = True
            await self._find(dim)
        except ProviderError as error:
            await self.close()
            raise SetupError(
                f"{self.name} cannot be opened: "
                f"{str(error.cause) or 'it did not answer in time'}. Check the "
                "settings, and that a server is running if url names one."
            ) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._engine.close()

    async def ping(self) -> None:
        await self._call("ping", "get_collection")

    async def insert(
        self, operation: str, record: Record, text: str, vectors: Vectors
    ) -> None:
        await self._write(
            operation, record, text, vectors, models.UpdateMode.INSERT_ONLY
        )

    async def replace(
        self, operation: str, record: Record, text: str, vectors: Vectors, _old: Record
    ) -> None:
        await self._write(
            operation, record, text, vectors, models.UpdateMode.UPDATE_ONLY
        )

    async def delete(self, operation: str, keys: Sequence[str]) -> None:
        await self._call(
            operation,
            "delete",
            points_selector=models.PointIdsList(points=list(map(_point_id, keys))),
            wait=True,
        )

    async def fetch(
        self, operation: str, keys: Sequence[str], *, texts: bool = True
    ) -> dict[str, tuple[Record, str]]:
        rows: dict[str, tuple[Record, str]] = {}
        if keys:
            rows = await self._call(
                operation,
                "retrieve",
                _rows,
                idempotent=True,
                ids=list(map(_point_id, keys)),
                with_payload=["record", "text"] if texts else ["record"],
            )
        return rows

    async def newest(
        self, operation: str, where: Where, before: str | None, least: int
    ) -> tuple[list[Record], bool]:
        limit = 2**63 - 1 if before is None else latest(before)
        until = models.FieldCondition(key="created", range=models.Range(lte=limit))
        asked = max(least + 2, _LEAST)
        while True:
            rows = await self._select(
                operation,
                "scroll",
                lambda answer: list(map(_load, answer[0])),
                where,
                until,
                order_by=models.OrderBy(key="created", direction=models.Direction.DESC),
                limit=asked,
                with_payload=["record"],
            )
            more = len(rows) >= asked
            if more:  # others of the same microsecond may have been cut off
                rows = [row for row in rows if row.created > rows[-1].created]
            rows = [row for row in rows if before is None or row.place < before]
            if not more or len(rows) >= least:
                return sorted(rows, key=lambda row: row.place, reverse=True), more
            asked *= 2

    async def nearest(
        self,
        operation: str,
        vector: Vectors,
        where: Where,
        most: int,
        keys: Sequence[str] | None = None,
    ) -> dict[str, float]:
        among = (
            []
            if keys is None
            else [models.HasIdCondition(has_id=list(map(_point_id, keys)))]
        )
        return await self._select(
            operation,
            "query_points",
            lambda found: {each.payload["key"]: each.score for each in found.points},
            where,
            *among,
            query=[vector.tolist()],
            limit=most,
            with_payload=["key"],
        )

    async def holding(
        self, operation: str, words: Sequence[str], where: Where, most: int
    ) -> list[str]:
        held = models.FieldCondition(
            key="words", match=models.MatchAny(any=list(words))
        )
        return await self._select(
            operation,
            "scroll",
            lambda answer: [point.payload["key"] for point in answer[0]],
            where,
            held,
            limit=most,
            with_payload=["key"],
        )

    async def _find(self, dim: int) -> None:
        """Make the collection if there is none, and see that it is fit."""
        if not await self._call("open", "collection_exists"):
            await self._create(dim)
        info = await self._call("open", "get_collection")
        if not _are_mine(info.config.params.vectors, dim):
            if info.points_count:
                raise SetupError(
                    f"{self.name} is not one of memio's with vectors of {dim} numbers, "
                    "which the embedder configured makes; set another collection_name, "
                    "or set embedding back."
                )
            await self._call("open", "delete_collection")
            await self._create(dim)
        if not self._engine.is_embedded:  # then Qdrant reads every point anyway
            for field, schema in _INDEXES.items():
                await self._call(
                    "open",
                    "create_payload_index",
                    field_name=field,
                    field_schema=schema,
                    wait=True,
                )

    async def _create(self, dim: int) -> None:
        try:
            await self._call("open", "create_collection", vectors_config=_vectors(dim))
        except ProviderError:
            # Another process may have been faster.
            if not await self._call("open", "collection_exists"):
                raise

    async def _write(
        self,
        operation: str,
        record: Record,
        text: str,
        vectors: Vectors,
        mode: models.UpdateMode,
    ) -> None:
        point = models.PointStruct(
            id=_point_id(record.key),
            vector=vectors.tolist(),
            payload={
                "key": record.key,
                "record": record.dump(),
                "text": text,
                "created": record.created,
                **Where(record.user_id, record.agent_id).scope,
                "words": sorted({word.lower() for word in words_of(text)}),
                # As floats, so that Qdrant rounds what it compares both alike.
                "metadata": {
                    key: float(value) if type(value) is int else value
                    for key, value in scalars(record.metadata).items()
                },
            },
        )
        await self._call(
            operation, "upsert", points=[point], update_mode=mode, wait=True
        )

    async def _select(
        self,
        operation: str,
        method: str,
        read: Callable[[Any], T],
        where: Where,
        *conditions: models.Condition,
        **arguments: Any,
    ) -> T:
        """Read points that meet conditions; without the caller's filter if need be.

        A server in strict mode, as in Qdrant's cloud, refuses to filter by what it has
        no index of, and nobody knows what metadata there will be.
        """
        wanted = where if self._narrows else replace(where, narrowed=None)
        name = "query_filter" if method == "query_points" else "scroll_filter"
        arguments[name] = _translate(wanted, *conditions)
        try:
            found: T = await self._call(
                operation, method, read, idempotent=True, **arguments
            )
        except ProviderError as error:
            told = getattr(error.cause, "content", b"")
            if wanted.narrowed is None or b"Index required" not in told:
                raise
        else:
            return found
        self._narrows = False
        return await self._select(
            operation, method, read, where, *conditions, **arguments
        )

    async def _call(
        self,
        operation: str,
        method: str,
        read: Callable[[Any], Any] = lambda answer: answer,
        *,
        idempotent: bool = False,
        **arguments: Any,
    ) -> Any:
        return await self._engine.call(
            operation,
            method,
            read,
            idempotent=idempotent,
            collection_name=self._name,
            **arguments,
        )


def _rows(points: list[models.Record]) -> dict[str, tuple[Record, str]]:
    rows = [(_load(point), (point.payload or {}).get("text", "")) for point in points]
    return {record.key: (record, text) for record, text in rows}


def _vectors(dim: int) -> models.VectorParams:
    return models.VectorParams(
        size=dim,
        distance=models.Distance.COSINE,
        multivector_config=models.MultiVectorConfig(
            comparator=models.MultiVectorComparator.MAX_SIM
        ),
    )


def _are_mine(vectors: Any, dim: int) -> bool:
    mine = _vectors(dim)
    return (
        isinstance(vectors, models.VectorParams)
        and (vectors.size, vectors.distance) == (mine.size, mine.distance)
        and vectors.multivector_config == mine.multivector_config
    )


def _point_id(key: str) -> str:
    """Return the id of a key's point, which may be a number or a UUID only."""
    return str(uuid.uuid5(_KEYS, key))


def _load(point: models.Record) -> Record:
    return Record.load((point.payload or {})["record"])


def _translate(where: Where, *conditions: models.Condition) -> models.Filter | None:
    every = [
        models.FieldCondition(key=name, match=models.MatchValue(value=value))
        for name, value in where.scope.items()
    ]
    must: list[models.Condition] = [*every, *conditions]
    if where.narrowed:
        must.append(_condition(where.narrowed))
    return models.Filter(must=must) if must else None


def _condition(filter_: Filter) -> models.Condition:
    match filter_:
        case And(parts):
            return models.Filter(must=[_condition(part) for part in parts])
        case Or(parts):
            return models.Filter(should=[_condition(part) for part in parts])
        case Compare(field, op, value):
            key = f'metadata."{field}"'
            if isinstance(value, str | bool):
                match = models.MatchValue(value=value)
                return models.FieldCondition(key=key, match=match)
            bounds = ("gte", "lte") if op == "$eq" else (op[1:],)
            within = models.Range(**dict.fromkeys(bounds, float(value)))
            return models.FieldCondition(key=key, range=within)
    raise AssertionError(filter_)  # narrow leaves nothing else
