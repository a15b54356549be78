"""Rows, newest first, from an engine that lists them in an order of its own."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from memio.vectorstore import Record
from memio.vectorstore.record import latest

LAST: Final = 2**63 - 1
"""The greatest time there may be, in microseconds."""

SOME: Final = 400
"""Rows that are read at once at the most, or twice as many as are wanted."""

_WINDOW: Final = 1_000_000  # microseconds
_GROWTH: Final = 8

Read = Callable[[int, int, int | None], Awaitable[list[Record]]]
"""Reads what was stored from one time to another, up to so many rows; None for all."""


class Listing:
    """Goes back through windows of time, each so wide that it holds some rows.

    One that holds too many is halved. When the newest row was stored and how wide a
    window was is remembered, so that the next list need not look for it.
    """

    def __init__(self) -> None:
        self._newest, self._width = 0, _WINDOW

    def note(self, row: Record) -> None:
        """Remember that a row was stored."""
        self._newest = max(self._newest, row.created)

    async def newest(
        self, read: Read, before: str | None, least: int
    ) -> tuple[list[Record], bool]:
        """Return what ``Collection.newest`` does."""
        most = max(SOME, 2 * least)
        if before is None:
            some = await read(0, LAST, most)
            if len(some) < most:
                return _in_order(some), False
            end = self._newest or time.time_ns() // 1000
            rows = _in_order(await read(end + 1, LAST, None))  # others', stored since
        else:
            end = latest(before)
            # Those of the same microsecond.
            some = await read(end, end, None)
            rows = _in_order([row for row in some if row.place < before])
            end -= 1
        while end >= 0 and len(rows) < least:
            some, end = await self._window(read, end, most)
            rows += _in_order(some)
        if rows:
            self.note(rows[0])
        return rows, end >= 0

    async def _window(
        self, read: Read, end: int, most: int
    ) -> tuple[list[Record], int]:
        """Return some rows, all of their window, and the end of what is before it."""
        width, crowded = self._width, -1
        while end >= 0:
            start = max(0, end - width + 1)
            if crowded >= 0:
                start = (crowded + end + 1) // 2
            rows = await read(start, end, most if start < end else None)
            if len(rows) >= most and start < end:
                crowded = start
                continue
            if start == crowded:
                crowded = -1
            is_sparse = len(rows) * _GROWTH < most
            width = (end - start + 1) * (_GROWTH if is_sparse else 1)
            end = start - 1
            if rows:
                self._width = width
                return rows, end
        return [], end


def _in_order(rows: list[Record]) -> list[Record]:
    return sorted(rows, key=lambda row: row.place, reverse=True)
