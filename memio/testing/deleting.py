"""Deleting rows, one by one and all of them, and what must not come back."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

import pytest

from memio.exceptions import NotFoundError, ValidationError
from memio.models import Filters
from memio.testing.base import S, standard
from memio.testing.filtering import FilterSuite, every_operator, expected
from memio.testing.rows import ids
from memio.testing.samples import FILTERS, HARD_IDS, MALFORMED, TEXTS


class DeleteSuite(FilterSuite[S]):
    """For stores whose rows can be deleted; their suites say how."""

    @abstractmethod
    async def drop(self, store: S, row_id: str) -> None:
        """Delete one row."""

    @abstractmethod
    async def drop_all(
        self, store: S, *, filters: Filters | None = None, dry_run: bool = False
    ) -> int:
        """Delete the rows that ``put`` stored."""

    @standard
    async def test_deleted_rows_are_gone(self, store: S) -> None:
        """A deleted row is neither listed nor found; the others are."""
        rows = await self.put_all(store, TEXTS)
        await self.drop(store, rows[2].id)
        left = [row.id for row in rows if row is not rows[2]]
        assert sorted(ids(await self.page(store))) == sorted(left)
        assert rows[2].id not in ids(await self.find(store, TEXTS[2]))

    @standard
    async def test_keyword_search_forgets_deleted_rows(self, store: S) -> None:
        """The words of a deleted row find nothing."""
        row = await self.put(store, TEXTS[3])
        assert ids(await self.find(store, "puffins", mode="keyword")) == [row.id]
        await self.drop(store, row.id)
        assert await self.find(store, "puffins", mode="keyword") == []

    @standard
    async def test_deleting_what_is_missing(self, store: S) -> None:
        """It raises ``NotFoundError``: for any id, and for a row deleted before."""
        row = await self.put(store, TEXTS[0])
        await self.drop(store, row.id)
        for row_id in (row.id, "0199", *HARD_IDS):
            with pytest.raises(NotFoundError):
                await self.drop(store, row_id)

    @standard
    async def test_deleting_at_once(self, store: S) -> None:
        """Deleting one row many times at once deletes it; the rest do not find it."""
        row, other = await self.put_all(store, TEXTS[:2])
        outcomes = await asyncio.gather(
            *(self.drop(store, row.id) for _ in range(10)), return_exceptions=True
        )
        failures = [outcome for outcome in outcomes if outcome is not None]
        assert len(failures) < 10
        assert all(isinstance(failure, NotFoundError) for failure in failures)
        assert ids(await self.page(store)) == [other.id]

    @standard
    async def test_delete_all(self, store: S) -> None:
        """It deletes the rows and says how many; of nothing, none."""
        assert await self.drop_all(store) == 0
        await self.put_all(store, TEXTS)
        assert await self.drop_all(store) == len(TEXTS)
        assert list(await self.page(store)) == []
        assert await self.find(store, TEXTS[0]) == []
        assert await self.drop_all(store) == 0

    @standard
    async def test_dry_run_only_counts(self, store: S) -> None:
        """It says how many there are and leaves them alone."""
        rows = await self.put_all(store, TEXTS)
        assert await self.drop_all(store, dry_run=True) == len(TEXTS)
        assert ids(await self.page(store)) == ids(rows)[::-1]

    @every_operator
    @standard
    async def test_delete_all_filters(self, store: S, operator: str) -> None:
        """Exactly the rows that match are counted, or deleted; all others stay."""
        stored = await self.put_filter_rows(store)
        counts = {
            str(filters): await self.drop_all(store, filters=filters, dry_run=True)
            for filters in FILTERS[operator]
        }
        assert counts == {
            str(filters): len(expected(filters, stored))
            for filters in FILTERS[operator]
        }
        doomed = expected(FILTERS[operator][0], stored)
        assert await self.drop_all(store, filters=FILTERS[operator][0]) == len(doomed)
        assert set(ids(await self.page(store))) == stored.keys() - doomed

    @standard
    async def test_malformed_filters_delete_nothing(self, store: S) -> None:
        """What is no filter raises ``ValidationError`` and does no harm."""
        await self.put_all(store, TEXTS)
        for filters in MALFORMED:
            with pytest.raises(ValidationError):
                await self.drop_all(store, filters=filters)
        assert len(await self.page(store)) == len(TEXTS)

    @standard
    async def test_paging_while_rows_come_and_go(self, store: S) -> None:
        """Walking sees each row that was there throughout exactly once."""
        there = set(ids(await self.put_all(store, (f"row {n}" for n in range(24)))))
        seen: list[str] = []
        page = await self.page(store, limit=3)
        while True:
            seen += ids(page)
            ahead = [row.id for row in await self.page(store) if row.id not in seen]
            # The row that the cursor points at, and the one that comes next.
            for row_id in (seen[-1], *(ahead[:1])):
                await self.drop(store, row_id)
                there.discard(row_id)
            if page.next_cursor is None:
                break
            page = await self.page(store, limit=3, cursor=page.next_cursor)
            await self.put(store, f"late {len(seen)}")
        assert len(seen) == len(set(seen)), "a row was seen twice"
        assert there <= set(seen), "a row was skipped"

    @standard
    async def test_deleted_rows_never_come_back(self, store: S) -> None:
        """What ``delete_all`` deleted amid writes stays away, closed and opened too."""
        old = await asyncio.gather(*(self.put(store, f"old {n}") for n in range(60)))
        await asyncio.gather(
            *(self.put(store, f"new {n}") for n in range(20)),
            self.drop_all(store),
            *(self.put(store, f"newer {n}") for n in range(20)),
        )
        left = ids(await self.page(store, limit=1000))
        assert not set(ids(old)) & set(left)
        store = await self.reopen()
        assert ids(await self.page(store, limit=1000)) == left
        assert await self.drop_all(store) == len(left)
        store = await self.reopen()
        assert list(await self.page(store)) == []
        assert await self.find(store, "old new newer") == []
