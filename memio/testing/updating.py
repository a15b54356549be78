"""Reading one row by its id and updating it, for facts and documents."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from datetime import UTC, datetime, timedelta

import pytest

from memio.exceptions import NotFoundError
from memio.models import KEEP, Keep, Metadata
from memio.testing.base import S, standard
from memio.testing.rows import Row, RowSuite, exact, ids
from memio.testing.samples import HARD_IDS, HARD_TEXTS, METADATA, TEXTS


class UpdateSuite(RowSuite[S]):
    """For stores whose rows have an id to read and update them by."""

    @abstractmethod
    async def get(self, store: S, row_id: str) -> Row:
        """Read one row."""

    @abstractmethod
    async def change(
        self, store: S, row_id: str, text: str, metadata: Metadata | Keep | None = KEEP
    ) -> Row:
        """Update one row."""

    @standard
    async def test_get_returns_what_was_added(self, store: S) -> None:
        """A row is the same when added, read and listed."""
        for text, metadata in zip(HARD_TEXTS, METADATA, strict=False):
            row = await self.put(store, text, metadata)
            assert await self.get(store, row.id) == row
            assert exact(row.metadata) == exact(metadata)
            assert (await self.page(store, limit=1))[0] == row

    @standard
    async def test_missing_rows(self, store: S) -> None:
        """Reading or updating what is not there raises ``NotFoundError``."""
        await self.put(store, TEXTS[0])
        for row_id in ("0199", *HARD_IDS):
            with pytest.raises(NotFoundError):
                await self.get(store, row_id)
            with pytest.raises(NotFoundError):
                await self.change(store, row_id, "text")
        assert [row.text for row in await self.page(store)] == [TEXTS[0]]

    @standard
    async def test_rows_know_when_they_were_stored(self, store: S) -> None:
        """Both times are now, in UTC, and equal at first."""
        row = await self.put(store, TEXTS[0])
        assert row.created_at is not None
        assert row.created_at == row.updated_at
        assert row.created_at.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - row.created_at) < timedelta(minutes=10)

    @standard
    async def test_update_replaces_the_text(self, store: S) -> None:
        """The text is new, ``created_at`` stays and ``updated_at`` moves."""
        row = await self.put(store, TEXTS[0])
        await asyncio.sleep(0.02)
        changed = await self.change(store, row.id, TEXTS[1])
        assert (changed.id, changed.text) == (row.id, TEXTS[1])
        assert changed.created_at == row.created_at
        assert changed.updated_at is not None
        assert row.updated_at is not None
        assert changed.updated_at > row.updated_at
        assert changed.score is None
        assert await self.get(store, row.id) == changed
        assert list(await self.page(store)) == [changed]

    @standard
    async def test_update_keeps_replaces_and_clears_metadata(self, store: S) -> None:
        """Unless given it stays; an object replaces it whole; None clears it."""
        row = await self.put(store, TEXTS[0], {"a": 1, "b": [2]})
        for given, wanted in (
            (KEEP, {"a": 1, "b": [2]}),
            ({"c": 10**30}, {"c": 10**30}),
            ({}, {}),
            (None, None),
            (KEEP, None),
        ):
            changed = await self.change(store, row.id, TEXTS[1], given)
            assert exact(changed.metadata) == exact(wanted)
            assert await self.get(store, row.id) == changed

    @standard
    async def test_update_keeps_the_place_in_the_list(self, store: S) -> None:
        """Lists are in order of creation; an update moves nothing."""
        rows = await self.put_all(store, TEXTS)
        await self.change(store, rows[1].id, "changed")
        assert ids(await self.page(store)) == ids(rows)[::-1]

    @standard
    async def test_search_finds_the_updated_text(self, store: S) -> None:
        """The new text is the best answer to itself, and comes as it is now."""
        rows = await self.put_all(store, TEXTS[:4])
        await self.change(store, rows[0].id, TEXTS[4], {"new": True})
        best = (await self.find(store, TEXTS[4]))[0]
        assert (best.id, best.text, best.metadata) == (
            *(rows[0].id, TEXTS[4], {"new": True}),
        )
        assert TEXTS[0] not in [row.text for row in await self.find(store, TEXTS[0])]

    @standard
    async def test_keyword_search_forgets_the_old_text(self, store: S) -> None:
        """Words that an update removed do not find the row; those it brought do."""
        row = await self.put(store, TEXTS[3])
        await self.change(store, row.id, TEXTS[1])
        assert await self.find(store, "puffins", mode="keyword") == []
        found = await self.find(store, "cappuccino", mode="keyword")
        assert ids(found) == [row.id]

    @standard
    async def test_filters_see_updated_metadata(self, store: S) -> None:
        """A filter goes by what the metadata is now."""
        row = await self.put(store, TEXTS[0], {"state": "old"})
        await self.change(store, row.id, TEXTS[0], {"state": "new"})
        assert list(await self.page(store, filters={"state": "old"})) == []
        assert ids(await self.page(store, filters={"state": "new"})) == [row.id]

    @standard
    async def test_updating_at_once_ends_in_one_of_them(self, store: S) -> None:
        """The row is whole: the text and the metadata of the same update."""
        row = await self.put(store, "text")
        await asyncio.gather(
            *(self.change(store, row.id, f"text {n}", {"n": n}) for n in range(20))
        )
        (last,) = await self.page(store)
        assert last.metadata is not None
        assert last.text == f"text {last.metadata['n']}"

    @standard
    async def test_reopening_keeps_updates(self, store: S) -> None:
        """An update is as durable as an addition."""
        row = await self.put(store, TEXTS[0], {"a": 1})
        changed = await self.change(store, row.id, TEXTS[1], None)
        store = await self.reopen()
        assert await self.get(store, row.id) == changed
