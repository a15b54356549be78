"""The vectors of the scopes that are searched, in memory and up to date."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memio.providers.local.tables import Scope, Table, where
from memio.retrieval.scoring import Floats, prior

_GROWTH = 1.25
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a scope as they are at one moment, oldest row first.

    Attributes:
        seqs: Of the row that each vector is of; a long row has several in succession.
        matrix: The vectors, shape (n, dim), float32, of length 1 (or 0: no known word).
        priors: ``scoring.prior`` of each row's length.
        who: For each vector an index into ``names``.
        alive: False where the row was deleted.
        names: Whoever speaks or is spoken of, lower-cased.
        starts: Where each row's vectors begin; None if every row has one.
    """

    seqs: NDArray[np.int64]
    matrix: Floats
    priors: Floats
    who: NDArray[np.int32]
    alive: NDArray[np.bool_]
    names: list[str]
    starts: NDArray[np.intp] | None = None

    @property
    def rows(self) -> int:
        """How many vectors there are, which is about how many rows."""
        return len(self.seqs)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All that there is per vector."""
        return self.seqs, self.matrix, self.priors, self.who, self.alive

    def cosine(self, query: Floats) -> Floats:
        """Return how near each vector is to one of length 1."""
        # Several times faster than BLAS, whose threads would wait for one another.
        near: Floats = np.einsum("ij,j->i", self.matrix, query)
        return near

    def first(self, n: int, starts: NDArray[np.intp] | None = None) -> Vectors:
        """Return the first ``n`` vectors; the memory is shared."""
        return Vectors(
            self.seqs[:n],
            self.matrix[:n],
            self.priors[:n],
            self.who[:n],
            self.alive[:n],
            self.names,
            starts,
        )


def _room(capacity: int, dim: int) -> Vectors:
    return Vectors(
        np.zeros(capacity, np.int64),
        np.zeros((capacity, dim), np.float32),
        np.zeros(capacity, np.float32),
        np.zeros(capacity, np.int32),
        np.zeros(capacity, np.bool_),
        [],
    )


class _Entry:
    """One scope's vectors, and the revision of the log up to which they are true.

    Attributes:
        lock: To be held during ``at``.
        counted: How much of its memory the cache has counted, in bytes.
    """

    def __init__(self, table: Table, scope: Scope, dim: int) -> None:
        self.lock = threading.Lock()
        self._table, self._scope, self._dim = table, scope, dim
        self.counted = 0
        self._rev = -1
        self._size = 0
        self._room = _room(_LEAST, dim)
        self._codes: dict[str, int] = {}
        self._rows = 0
        self._starts = np.zeros(0, np.intp)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(array.nbytes for array in self._room.arrays)

    def at(self, conn: sqlite3.Connection) -> Vectors:
        """Bring the entry up to the state that the connection sees; call locked."""
        (rev,) = conn.execute("SELECT ifnull(max(rev), 0) FROM changes").fetchone()
        if rev > self._rev and not self._catch_up(conn):
            self._load(conn)
        self._rev = max(rev, self._rev)
        if self._rows == self._size:
            return self._room.first(self._size)
        if self._rows != len(self._starts):
            seqs = self._room.seqs[: self._size]
            self._starts = np.flatnonzero(np.diff(seqs, prepend=-1))
        return self._room.first(self._size, self._starts)

    def _catch_up(self, conn: sqlite3.Connection) -> bool:
        """Apply the log; return False if that cannot be done."""
        (oldest,) = conn.execute("SELECT min(rev) FROM changes").fetchone()
        if self._rev < 0 or oldest > self._rev + 1:
            return False
        wanted, params = ["rev > ?", "store = ?"], [self._rev, self._table.name]
        columns = ("first_scope", "second_scope")
        for column, value in zip(columns, self._scope, strict=False):
            if value is not None:
                wanted.append(f"({column} = ? OR kind <> 'put')")
                params.append(value)
        changes = conn.execute(
            f"SELECT kind, seq FROM changes WHERE {' AND '.join(wanted)} ORDER BY rev",
            params,
        )
        return all(self._apply(conn, kind, seq) for kind, seq in changes)

    def _apply(self, conn: sqlite3.Connection, kind: str, seq: int) -> bool:
        if kind == "reset":
            return False
        now = self._room.first(self._size)
        start, end = np.searchsorted(now.seqs, (seq, seq + 1))
        if kind == "delete":
            now.alive[start:end] = False
            return True
        row = conn.execute(
            f"SELECT seq, words, who, vector FROM {self._table.name}_vectors"
            " WHERE seq = ?",
            (seq,),
        ).fetchone()
        if row is None:  # deleted later in the log
            return True
        if start < end:
            return self._replace(start, end, row)
        if start < self._size:  # an old row came into the scope
            return False
        self._append([row])
        return True

    def _replace(self, start: int, end: int, row: tuple[Any, ...]) -> bool:
        _, words, who, blob = row
        block = np.frombuffer(blob, np.float32).reshape(-1, self._dim)
        if len(block) != end - start:
            return False
        self._room.matrix[start:end] = block
        self._room.priors[start:end] = self._prior(words)
        self._room.who[start:end] = self._code(who)
        return True

    def _load(self, conn: sqlite3.Connection) -> None:
        name = self._table.name
        condition, params = where(self._table, self._scope)
        cursor = conn.execute(
            f"SELECT v.seq, v.words, v.who, v.vector FROM {name} AS r"
            f" CROSS JOIN {name}_vectors AS v ON v.seq = r.seq"
            f" WHERE {condition} ORDER BY r.seq",
            params,
        )
        self._size, self._rows, self._codes = 0, 0, {}
        self._starts = np.zeros(0, np.intp)
        self._room = _room(_LEAST, self._dim)
        while rows := cursor.fetchmany(4096):
            self._append(rows)

    def _append(self, rows: list[tuple[Any, ...]]) -> None:
        seqs, words, whos, blobs = zip(*rows, strict=True)
        block = np.frombuffer(b"".join(blobs), np.float32).reshape(-1, self._dim)
        each = [len(blob) // (4 * self._dim) for blob in blobs]
        start, end = self._size, self._size + len(block)
        if end > self._room.rows:
            self._grow(int(end * _GROWTH))
        room = self._room
        room.matrix[start:end] = block
        room.seqs[start:end] = np.repeat(seqs, each)
        room.priors[start:end] = np.repeat([self._prior(w) for w in words], each)
        room.who[start:end] = np.repeat([self._code(w) for w in whos], each)
        room.alive[start:end] = True
        self._size = end
        self._rows += len(rows)

    def _prior(self, words: int) -> float:
        return prior(words) if self._table.has_prior else 0.0

    def _code(self, who: str) -> int:
        name = who.lower()
        if name not in self._codes:
            self._codes[name] = len(self._codes)
            self._room.names.append(name)
        return self._codes[name]

    def _grow(self, capacity: int) -> None:
        """Move to larger arrays; readers keep those that they have."""
        old, self._room = self._room, _room(capacity, self._dim)
        for source, target in zip(old.arrays, self._room.arrays, strict=True):
            target[: self._size] = source[: self._size]
        self._room.names.extend(old.names)


class VectorCache:
    """Vectors by scope, the scopes longest unused forgotten first.

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

    def at(self, conn: sqlite3.Connection, table: Table, scope: Scope) -> Vectors:
        """Return a scope's vectors as of the connection's transaction (or later)."""
        key = (table.name, scope)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(table, scope, self._dim())
            self._entries.move_to_end(key)
        with entry.lock:
            vectors = entry.at(conn)
        with self._lock:
            if self._entries.get(key) is entry:
                self._held += entry.nbytes - entry.counted
                entry.counted = entry.nbytes
            while self._held > self._budget and len(self._entries) > 1:
                _, oldest = self._entries.popitem(last=False)
                self._held -= oldest.counted
        return vectors

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._held = 0
