"""Filters: every list and every search agrees with ``memio.filters``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from memio.exceptions import ValidationError
from memio.filters import matcher, parse
from memio.models import Filters, Metadata
from memio.testing.base import S, standard
from memio.testing.rows import Row, RowSuite, exact, ids
from memio.testing.samples import FILTER_ROWS, FILTERS, MALFORMED

every_operator = pytest.mark.parametrize("operator", FILTERS)

Stored = dict[str, Metadata | None]


def expected(filters: Filters, stored: Stored) -> set[str]:
    """Evaluate a filter on what was stored, id to metadata."""
    matches = matcher(parse(filters))
    return {row_id for row_id, metadata in stored.items() if matches(metadata)}


class FilterSuite(RowSuite[S]):
    """Filters on lists and searches."""

    async def put_filter_rows(self, store: S) -> Stored:
        """Store a row for each metadata of the table; any of them answers "harbour"."""
        rows = await asyncio.gather(
            *(
                self.put(store, f"harbour {n}", metadata)
                for n, metadata in enumerate(FILTER_ROWS)
            )
        )
        return dict(zip(ids(rows), FILTER_ROWS, strict=True))

    async def check_filters(
        self,
        operator: str,
        stored: Stored,
        select: Callable[[Filters], Awaitable[Iterable[Row]]],
    ) -> None:
        """Compare what ``select`` answers with what the language says."""
        wrong = {}
        for filters in FILTERS[operator]:
            got = set(ids(await select(filters)))
            if differing := got ^ expected(filters, stored):
                wrong[exact(filters)] = [stored[row_id] for row_id in differing]
        assert wrong == {}, "filters, and the metadata on which they are wrong"

    @every_operator
    @standard
    async def test_list_filters(self, store: S, operator: str) -> None:
        """A list holds exactly the rows that match."""
        stored = await self.put_filter_rows(store)
        await self.check_filters(
            operator, stored, lambda filters: self.page(store, filters=filters)
        )

    @every_operator
    @standard
    async def test_search_filters(self, store: S, operator: str) -> None:
        """A search answers with rows that match only, and misses none."""
        stored = await self.put_filter_rows(store)
        await self.check_filters(
            operator,
            stored,
            lambda filters: self.find(store, "harbour", limit=100, filters=filters),
        )

    @standard
    async def test_filtered_lists_have_pages(self, store: S) -> None:
        """Paging counts rows that match, not rows looked at."""
        rows = [
            await self.put(store, f"row {n}", {"even": n % 2 == 0}) for n in range(20)
        ]
        filters = {"even": True}
        first = await self.page(store, limit=6, filters=filters)
        assert ids(first) == ids(rows)[18::-2][:6]
        second = await self.page(
            store, limit=6, cursor=first.next_cursor, filters=filters
        )
        assert ids(second) == ids(rows)[18::-2][6:]
        assert second.next_cursor is None

    @standard
    async def test_malformed_filters_are_refused(self, store: S) -> None:
        """What is no filter raises ``ValidationError``, on a list and on a search."""
        await self.put(store, "text", {"a": 1})
        for filters in MALFORMED:
            with pytest.raises(ValidationError):
                await self.page(store, filters=filters)
            with pytest.raises(ValidationError):
                await self.find(store, "text", filters=filters)
