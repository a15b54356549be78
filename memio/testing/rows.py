"""What all four stores have in common: rows of text and metadata, in lists."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from memio.models import Filters, Metadata, Mode, Page
from memio.testing.base import S, Suite, standard
from memio.testing.samples import CURSORS, HARD_TEXTS, METADATA, TEXTS

USER: Final = "alice"
"""Who the rows of the common tests belong to, where the store has users."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a fact, a message, a document and a triple have in common."""

    id: str
    text: str
    metadata: Metadata | None
    score: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def exact(value: Any) -> str:
    """Write JSON so that two values are equal as text when nothing tells them apart."""
    return json.dumps(value, sort_keys=True)


def ids(rows: Iterable[Row]) -> list[str]:
    return [row.id for row in rows]


class RowSuite(Suite[S]):
    """Storing and listing rows, whatever they are called.

    The suite of a store says what to do for ``put``, ``page`` and ``find``.
    """

    @abstractmethod
    async def put(self, store: S, text: str, metadata: Metadata | None = None) -> Row:
        """Store a row of ``USER``; one of its own even if the text is there already."""

    @abstractmethod
    async def page(
        self,
        store: S,
        *,
        limit: int = 100,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> Page[Row]:
        """List the rows that ``put`` stored, newest first."""

    @abstractmethod
    async def find(
        self,
        store: S,
        query: str,
        *,
        limit: int = 10,
        filters: Filters | None = None,
        mode: Mode = "hybrid",
        min_score: float | None = None,
    ) -> list[Row]:
        """Search the rows that ``put`` stored."""

    async def put_all(self, store: S, texts: Iterable[str]) -> list[Row]:
        """Store rows one after the other."""
        return [await self.put(store, text) for text in texts]

    async def walk(self, store: S, *, limit: int = 100) -> list[Page[Row]]:
        """Follow the cursors from the first page to the last."""
        pages = [await self.page(store, limit=limit)]
        while pages[-1].next_cursor is not None:
            cursor = pages[-1].next_cursor
            assert re.fullmatch("([0-9a-f]{2})+", cursor), "cursors are hex strings"
            assert len(pages) < 1000, "the cursors lead nowhere"
            pages.append(await self.page(store, limit=limit, cursor=cursor))
        return pages

    @standard
    async def test_starts_empty(self, store: S) -> None:
        """A new store lists nothing, says that this is all, and finds nothing."""
        page = await self.page(store)
        assert (list(page), page.next_cursor) == ([], None)
        assert await self.find(store, "anything") == []

    @standard
    async def test_stores_and_lists(self, store: S) -> None:
        """What was added is listed, with its text and its metadata."""
        row = await self.put(store, TEXTS[0], {"lang": "en"})
        assert (row.text, row.metadata) == (TEXTS[0], {"lang": "en"})
        assert list(await self.page(store)) == [row]

    @standard
    async def test_ids_are_unique(self, store: S) -> None:
        """Every row has an id of its own, not empty, even when all else is equal."""
        rows = await self.put_all(store, [TEXTS[0]] * 5)
        assert all(isinstance(row.id, str) and row.id for row in rows)
        assert len(set(ids(rows))) == 5
        assert sorted(ids(await self.page(store))) == sorted(ids(rows))

    @standard
    async def test_hard_texts_come_back(self, store: S) -> None:
        """No character is lost, changed or taken for syntax."""
        rows = await self.put_all(store, HARD_TEXTS)
        assert [row.text for row in rows] == list(HARD_TEXTS)
        listed = [row.text for row in await self.page(store)]
        assert listed == list(reversed(HARD_TEXTS))

    @standard
    async def test_metadata_comes_back_exactly(self, store: S) -> None:
        """Nesting, nulls, floats, big integers and keys of any kind are kept."""
        wanted = [exact(each) for each in METADATA]
        rows = [await self.put(store, "text", each) for each in METADATA]
        assert [exact(row.metadata) for row in rows] == wanted
        listed = [exact(row.metadata) for row in await self.page(store)]
        assert listed == wanted[::-1]

    @standard
    async def test_absent_and_empty_metadata_differ(self, store: S) -> None:
        """None stays None, and an empty object an empty object."""
        rows = [await self.put(store, "text"), await self.put(store, "text", {})]
        assert [row.metadata for row in rows] == [None, {}]
        assert [row.metadata for row in await self.page(store)] == [{}, None]

    @standard
    async def test_arguments_are_left_alone(self, store: S) -> None:
        """The store does not write into the metadata and filters that it is given."""
        metadata: Metadata = {"b": [{"c": None}], "a": {}}
        filters: Filters = {"a": {"$ne": 1}, "b": {"$exists": True}}
        before = copy.deepcopy((metadata, filters))
        await self.put(store, "text", metadata)
        await self.page(store, filters=filters)
        await self.find(store, "text", filters=filters)
        assert (metadata, filters) == before

    @standard
    async def test_metadata_is_stored_by_value(self, store: S) -> None:
        """Changing the object given, or one returned, changes nothing stored."""
        given: Metadata = {"tags": ["red"]}
        row = await self.put(store, "text", given)
        given["tags"].append("given")
        for returned in (row, *await self.page(store), *await self.find(store, "text")):
            assert returned.metadata is not None
            if returned.metadata is not given:
                returned.metadata["tags"].append("returned")
        assert [row.metadata for row in await self.page(store)] == [{"tags": ["red"]}]

    @standard
    async def test_lists_newest_first(self, store: S) -> None:
        """The row added last is listed first."""
        rows = await self.put_all(store, (f"row {n}" for n in range(12)))
        assert ids(await self.page(store)) == ids(rows)[::-1]

    @standard
    async def test_limit_is_kept(self, store: S) -> None:
        """A list holds the newest ``limit`` rows."""
        rows = await self.put_all(store, (f"row {n}" for n in range(5)))
        for limit in (1, 3, 5, 1000):
            page = await self.page(store, limit=limit)
            assert ids(page) == ids(rows)[::-1][:limit]

    @standard
    async def test_pages_hold_every_row_once(self, store: S) -> None:
        """The cursors lead through all rows, in order; the last page has none."""
        rows = await self.put_all(store, (f"row {n}" for n in range(20)))
        for limit, sizes in ((7, [7, 7, 6]), (10, [10, 10]), (1, [1] * 20)):
            pages = await self.walk(store, limit=limit)
            assert [len(page) for page in pages] == sizes
            assert [row.id for page in pages for row in page] == ids(rows)[::-1]

    @standard
    async def test_rows_added_while_paging_disturb_nothing(self, store: S) -> None:
        """Walking sees each row that was there from the start exactly once."""
        rows = await self.put_all(store, (f"row {n}" for n in range(12)))
        seen: list[str] = []
        page = await self.page(store, limit=3)
        while True:
            seen += ids(page)
            await self.put(store, f"late {len(seen)}")
            if page.next_cursor is None:
                break
            page = await self.page(store, limit=3, cursor=page.next_cursor)
        assert seen == ids(rows)[::-1]

    @standard
    async def test_foreign_cursors_answer_a_page(self, store: S) -> None:
        """A cursor that no page gave leads to some rows or none, not to a failure."""
        known = set(ids(await self.put_all(store, TEXTS)))
        for cursor in CURSORS:
            assert set(ids(await self.page(store, cursor=cursor))) <= known

    @standard
    async def test_only_search_scores(self, store: S) -> None:
        """Outside of search the score is None."""
        row = await self.put(store, TEXTS[0])
        (listed,) = await self.page(store)
        assert (row.score, listed.score) == (None, None)

    @standard
    async def test_concurrent_adds_all_arrive(self, store: S) -> None:
        """Fifty rows added at once are there once each."""
        texts = [f"row {n}" for n in range(50)]
        rows = await asyncio.gather(*(self.put(store, text) for text in texts))
        assert [row.text for row in rows] == texts
        listed = await self.page(store)
        assert sorted(ids(listed)) == sorted(ids(rows))
        assert sorted(row.text for row in listed) == sorted(texts)

    @standard
    async def test_reopening_keeps_everything(self, store: S) -> None:
        """What was stored is there after closing and opening, and can be searched."""
        for text in TEXTS:
            await self.put(store, text, {"n": [10**30, None]})
        before = list(await self.page(store))
        store = await self.reopen()
        assert list(await self.page(store)) == before
        assert (await self.find(store, TEXTS[3]))[0].text == TEXTS[3]


class LargeTextSuite(RowSuite[S]):
    """For stores whose texts are contents, not names."""

    @standard
    async def test_a_megabyte_comes_back(self, store: S) -> None:
        """A text of a million characters is stored, listed and searched."""
        text = "megabyte " + "lorem ipsum dolor " * 55_500
        row = await self.put(store, text)
        assert row.text == text
        assert [row.text for row in await self.page(store)] == [text]
        assert ids(await self.find(store, "megabyte")) == [row.id]
