"""One scope's rows in memory, read from the database and then from its log."""

from __future__ import annotations

import ctypes
import sqlite3
import sys
from math import inf
from typing import Any, Final

import numpy as np

from memio.providers.local.snapshot import Snapshot
from memio.providers.local.tables import Scope, Table, where
from memio.retrieval.codes import Codes, encode
from memio.retrieval.growing import Growing
from memio.retrieval.postings import Postings
from memio.retrieval.scoring import Floats, prior

_BATCH: Final = 4096
_FEW_REMOVED: Final = 1_000
_COLUMNS: Final = "seq", "words", "who", "terms", "vector"


class Loaded:
    """A scope's rows, and the revision of the log up to which they are true.

    Not safe for threads; snapshots are.
    """

    def __init__(self, table: Table, scope: Scope, dim: int) -> None:
        self._table, self._scope, self._dim = table, scope, dim
        self._rev = -1
        self._empty()

    def _empty(self) -> None:
        self._rows = Growing(
            (np.int64, ()),  # seqs
            (np.bool_, ()),  # alive
            (np.float32, ()),  # priors
            (np.int32, ()),  # who
            (np.int32, ()),  # docs
            (np.intp, ()),  # starts
        )
        self._vectors = Growing(
            (np.int8, (self._dim,)),  # codes
            (np.float32, ()),  # scales
        )
        self._snapshot: Snapshot | None = None
        self._worst = 0.0
        self._postings = Postings()
        self._renumbered = False
        self._codes: dict[str, int] = {}
        self._names: list[str] = []

    @property
    def numbers(self) -> int:
        """How many numbers the vectors have together."""
        return self._vectors.used * self._dim

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._rows.nbytes + self._vectors.nbytes + self._postings.nbytes

    def snapshot(self) -> Snapshot:
        """Return the rows as they are; the same while nothing has changed."""
        if self._snapshot is None:
            self._snapshot = self._look()
        return self._snapshot

    def _look(self) -> Snapshot:
        seqs, alive, priors, who, docs, starts = self._rows.views
        codes, scales = self._vectors.views
        return Snapshot(
            seqs,
            alive,
            priors,
            who,
            self._names,
            docs if self._renumbered else None,
            self._postings.now(),
            None if len(starts) == len(codes) else starts,
            codes,
            scales,
            self._worst,
        )

    def update(self, conn: sqlite3.Connection) -> None:
        """Bring the rows up to the state that the connection sees."""
        if not self.catch_up(conn):
            rev = _last_revision(conn)
            self._load(conn)
            self._rev = rev

    def catch_up(self, conn: sqlite3.Connection, *, most: float = inf) -> bool:
        """Apply the log; return False if that fails or it has more than ``most``."""
        worn = self._postings.removed > max(_FEW_REMOVED, self._rows.used // 4)
        if self._rev < 0 or worn:
            return False
        rev = _last_revision(conn)
        if rev <= self._rev:
            return True
        if rev > self._rev + most:
            return False
        (oldest,) = conn.execute("SELECT min(rev) FROM changes").fetchone()
        if oldest > self._rev + 1:
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
        ).fetchall()
        if not all(self._apply(conn, kind, seq) for kind, seq in changes):
            return False
        self._rev = rev
        return True

    def _apply(self, conn: sqlite3.Connection, kind: str, seq: int) -> bool:
        self._snapshot = None
        if kind == "reset":
            return False
        seqs, alive, *_, docs, _ = self._rows.views
        place = int(np.searchsorted(seqs, seq))
        is_known = place < len(seqs) and seqs[place] == seq
        if kind == "delete":
            if is_known and alive[place]:
                alive[place] = False
                self._postings.remove(int(docs[place]))
            return True
        row = conn.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM {self._table.name}_index WHERE seq = ?",
            (seq,),
        ).fetchone()
        if row is None:  # deleted later in the log
            return True
        if is_known:
            return self._replace(place, row)
        if place < len(seqs):  # an old row came into the scope
            return False
        self._append([row])
        return True

    def _replace(self, place: int, row: tuple[Any, ...]) -> bool:
        _, words, who, terms, blob = row
        _, _, priors, whos, docs, starts = self._rows.views
        start = int(starts[place])
        last = place + 1 == len(starts)
        end = self._vectors.used if last else int(starts[place + 1])
        block = self._block([blob])
        if len(block) != end - start:
            return False
        for array, value in zip(self._vectors.views, self._coded(block), strict=True):
            array[start:end] = value
        priors[place] = self._prior(words)
        whos[place] = self._code(who)
        self._postings.remove(int(docs[place]))
        docs[place] = self._postings.size
        self._postings.extend([terms])
        self._renumbered = True
        return True

    def _load(self, conn: sqlite3.Connection) -> None:
        name = self._table.name
        columns = ", ".join(f"i.{column}" for column in _COLUMNS)
        condition, params = where(self._table, self._scope)
        cursor = conn.execute(
            f"SELECT {columns} FROM {name} AS r"
            f" CROSS JOIN {name}_index AS i ON i.seq = r.seq"
            f" WHERE {condition} ORDER BY r.seq",
            params,
        )
        self._empty()
        (count,) = conn.execute(
            f"SELECT count(*) FROM {name} WHERE {condition}", params
        ).fetchone()
        for arrays in (self._rows, self._vectors):
            arrays.reserve(count)
        while rows := cursor.fetchmany(_BATCH):
            self._append(rows)
        self.snapshot()
        if count > _BATCH:
            _give_back()

    def _append(self, rows: list[tuple[Any, ...]]) -> None:
        seqs, words, whos, terms, blobs = zip(*rows, strict=True)
        block = self._block(blobs)
        each = np.array([len(blob) for blob in blobs]) // (4 * self._dim)
        first_doc = self._postings.size
        self._rows.append(
            len(rows),
            seqs,
            True,
            [self._prior(count) for count in words],
            [self._code(who) for who in whos],
            np.arange(first_doc, first_doc + len(rows)),
            self._vectors.used + np.cumsum(each) - each,
        )
        self._vectors.append(len(block), *self._coded(block))
        self._postings.extend(terms)

    def _block(self, blobs: Any) -> Floats:
        return np.frombuffer(b"".join(blobs), np.float32).reshape(-1, self._dim)

    def _coded(self, block: Floats) -> tuple[Codes, Floats]:
        codes, scales, errors = encode(block)
        self._worst = max(self._worst, float(errors.max(initial=0)))
        return codes, scales

    def _prior(self, words: int) -> float:
        return prior(words) if self._table.has_prior else 0.0

    def _code(self, who: str) -> int:
        name = who.lower()
        if name not in self._codes:
            self._codes[name] = len(self._codes)
            self._names.append(name)
        return self._codes[name]


def _last_revision(conn: sqlite3.Connection) -> int:
    (rev,) = conn.execute("SELECT ifnull(max(rev), 0) FROM changes").fetchone()
    return int(rev)


def _give_back() -> None:
    """Return to the system what loading has left over, which glibc would keep."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
