"""A time by which something must have happened, set anew again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_TICK = 0.001  # seconds; the loop's timers are no finer


class Deadline:
    """Calls a function once a time has passed, unless that is put off or lifted.

    It keeps one timer, and makes another only if that has run off or would be late: a
    connection sets its deadline with each request, which must not cost a timer.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._call = call
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Let it be in so many seconds, and at no time that was set before."""
        self._at = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= self._at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._on_timer)

    def lift(self) -> None:
        """Let there be none for now."""
        self._at = None

    def end(self) -> None:
        """Let there never be one again."""
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._at is None:
            return
        left = self._at - self._loop.time()
        if left < _TICK:
            self._call()
        else:
            self._timer = self._loop.call_later(left, self._on_timer)
