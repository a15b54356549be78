"""The scopes that are searched, in memory and up to date."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable

from memio.providers.local.loaded import Loaded
from memio.providers.local.snapshot import Snapshot
from memio.providers.local.tables import Scope, Table

SMALL = 20_000 * 256
"""Numbers in the vectors of a scope that is searched sooner than a thread would be."""

_FEW_CHANGES = 64


class _Entry:
    """A scope in memory.

    Attributes:
        lock: To be held while it is brought up to date.
        counted: How much of its memory the cache has counted, in bytes.
    """

    def __init__(self, table: Table, scope: Scope, dim: int) -> None:
        self.lock = threading.Lock()
        self.loaded = Loaded(table, scope, dim)
        self.counted = 0


class ScopeCache:
    """Scopes in memory, those longest unused forgotten first.

    SQLite's rows are the truth; an entry notes the revision of the ``changes`` log that
    it was true at, and reads on from there whenever it is used. So what this process
    and all others wrote is seen, at the cost of reading the changes alone.

    Args:
        dim: Returns the embedder's dimension.
        budget: Bytes to hold at most; the scope in use may exceed it.
    """

    def __init__(self, dim: Callable[[], int], budget: int) -> None:
        self._dim = dim
        self._budget = budget
        self._held = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, Scope], _Entry] = OrderedDict()

    def at(self, conn: sqlite3.Connection, table: Table, scope: Scope) -> Snapshot:
        """Return a scope as of the connection's transaction (or later)."""
        entry = self._entry(table, scope)
        with entry.lock:
            entry.loaded.update(conn)
            snapshot = entry.loaded.snapshot()
        self._count(table, scope, entry)
        return snapshot

    def peek(
        self, conn: sqlite3.Connection, table: Table, scope: Scope
    ) -> Snapshot | None:
        """Return a scope likewise, if that is soon done, and None if it is not.

        It is where a scope is in memory and nothing has to be read, or, of a small one,
        a few changes.
        """
        entry = self._entry(table, scope)
        if not entry.lock.acquire(blocking=False):
            return None
        try:
            loaded = entry.loaded
            most = _FEW_CHANGES if loaded.numbers <= SMALL else 0
            if not loaded.catch_up(conn, most=most):
                return None
            snapshot = loaded.snapshot()
        finally:
            entry.lock.release()
        self._count(table, scope, entry)
        return snapshot

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._held = 0

    def _entry(self, table: Table, scope: Scope) -> _Entry:
        key = (table.name, scope)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(table, scope, self._dim())
            self._entries.move_to_end(key)
        return entry

    def _count(self, table: Table, scope: Scope, entry: _Entry) -> None:
        with self._lock:
            if self._entries.get((table.name, scope)) is entry:
                self._held += entry.loaded.nbytes - entry.counted
                entry.counted = entry.loaded.nbytes
            while self._held > self._budget and len(self._entries) > 1:
                _, oldest = self._entries.popitem(last=False)
                self._held -= oldest.counted
