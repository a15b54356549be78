"""Group commit: concurrent writes share one transaction, and so one fsync."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memio.exceptions import MemioError, OverloadedError

MOST_WAITING = 10_000
MOST_PER_COMMIT = 256

Work = Callable[[sqlite3.Connection], Any]


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Writer:
    """One thread that owns the connection on which a process writes.

    A job is a function of the connection. One that raises leaves no trace while the
    others of its group are committed. Its future is resolved once the group is on disk.
    Jobs run in the order in which they came.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name="memio-writer", daemon=True
        )
        self._closed = False
        self._thread.start()

    async def submit(self, work: Work) -> Any:
        """Run a job in the next group and return its result when that is on disk.

        Raises:
            OverloadedError: Too many jobs wait; this one was not begun.
            sqlite3.Error: The job or the commit failed; nothing of it is stored.
        """
        if self._closed:
            raise sqlite3.ProgrammingError("the database is closed")
        if self._jobs.qsize() >= MOST_WAITING:
            raise OverloadedError("Too many writes are waiting; try again.")
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop)
        self._jobs.put(job)
        return await job.future

    def close(self) -> None:
        """Finish the jobs that wait, then close the connection; blocks until done."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        conn = self._connect()
        going = True
        while going:
            group = [self._jobs.get()]
            while len(group) < MOST_PER_COMMIT and not self._jobs.empty():
                group.append(self._jobs.get())
            going = None not in group
            jobs = [job for job in group if job is not None]
            if jobs:
                _resolve(jobs, _commit(conn, [job.work for job in jobs]))
        conn.close()


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether SQLite failed for what another connection is doing."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _commit(conn: sqlite3.Connection, group: list[Work]) -> list[Any]:
    """Run a group in one transaction; return each job's result or exception."""
    try:
        conn.execute("BEGIN IMMEDIATE")
        results = [_attempt(conn, work) for work in group]
        conn.execute("COMMIT")
    except sqlite3.Error as error:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        if is_busy(error):
            busy = OverloadedError("The database is busy; try again.")
            return [busy] * len(group)
        return [error] * len(group)
    return results


def _attempt(conn: sqlite3.Connection, work: Work) -> Any:
    conn.execute("SAVEPOINT job")
    try:
        result = work(conn)
    except (sqlite3.Error, MemioError) as error:
        if not conn.in_transaction:  # SQLite gave the whole group up, as on a full disk
            raise
        conn.execute("ROLLBACK TO job")
        conn.execute("RELEASE job")
        return error
    except Exception as error:  # noqa: BLE001 (a bug in one job must not fail others)
        conn.execute("ROLLBACK TO job")
        conn.execute("RELEASE job")
        return error
    conn.execute("RELEASE job")
    return result


def _resolve(jobs: list[_Job], results: list[Any]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any]]] = {}
    for job, result in zip(jobs, results, strict=True):
        by_loop.setdefault(job.loop, []).append((job, result))
    for loop, done in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set_results, done)


def _set_results(done: list[tuple[_Job, Any]]) -> None:
    for job, result in done:
        if job.future.cancelled():
            continue
        if isinstance(result, BaseException):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
