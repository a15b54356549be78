"""Calls to a provider's SDK: bounded in time, translated, repeated where it is safe."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from memio.exceptions import MemioError, ProviderError, ProviderTimeoutError

T = TypeVar("T")

FIRST_PAUSE = 0.1
"""Seconds before the first repetition; each later pause is twice as long."""


def _is_transient(error: Exception) -> bool:
    return isinstance(error, ConnectionError | TimeoutError)


class Calls:
    """The calls of one store to its provider.

    Whatever a call raises becomes ``ProviderError``, or ``ProviderTimeoutError`` when
    it takes too long; memio's own errors pass.

    Args:
        provider: Its name, for errors.
        timeout: Seconds that a call may take, its repetitions included.
        retries: How often a call that failed for a passing reason is repeated.
        is_transient: Tells whether a failure may pass. By default broken connections.
        is_timeout: Tells whether a failure says that the provider took too long.
        threads: How many blocking calls may be under way at once.
    """

    def __init__(
        self,
        provider: str,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        is_transient: Callable[[Exception], bool] = _is_transient,
        is_timeout: Callable[[Exception], bool] = lambda _: False,
        threads: int = 8,
    ) -> None:
        self._provider = provider
        self._timeout = timeout
        self._retries = retries
        self._is_transient = is_transient
        self._is_timeout = is_timeout
        self._pool = Threads(f"memio-{provider}", threads)

    async def run(
        self,
        operation: str,
        work: Callable[[], Awaitable[T]],
        *,
        idempotent: bool = False,
    ) -> T:
        """Await a call; one that is idempotent is repeated if it fails in passing.

        Raises:
            ProviderTimeoutError: The deadline passed.
            ProviderError: It failed otherwise.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._repeat(work, self._retries if idempotent else 0)
        except MemioError:
            raise
        except TimeoutError as error:
            raise ProviderTimeoutError(self._provider, operation, error) from error
        except Exception as error:
            late = self._is_timeout(error)
            kind = ProviderTimeoutError if late else ProviderError
            raise kind(self._provider, operation, error) from error

    async def run_blocking(
        self, operation: str, work: Callable[[], T], *, idempotent: bool = False
    ) -> T:
        """Run a blocking call in a thread, as ``run`` does an awaitable one.

        A call whose deadline has passed goes on in its thread until it returns; its
        result is dropped.
        """
        return await self.run(
            operation,
            lambda: asyncio.wrap_future(self._pool.submit(work)),
            idempotent=idempotent,
        )

    def close(self) -> None:
        """Let the threads end; one that hangs does not keep the process alive.

        Another call begins anew.
        """
        self._pool.close()

    async def _repeat(self, work: Callable[[], Awaitable[T]], times: int) -> T:
        pause = FIRST_PAUSE
        for _ in range(times):
            try:
                return await work()
            except MemioError:
                raise
            except Exception as error:
                if not self._is_transient(error):
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (jitter)
            pause *= 2
        return await work()


class Threads:
    """A few daemon threads.

    Those of concurrent.futures are joined when the interpreter ends, so that one
    hanging call would keep a server from stopping.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._lock = threading.Lock()
        self._forget()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._jobs.put((future, work))
            if not self._idle.acquire(blocking=False) and self._started < self._most:
                self._started += 1
                threading.Thread(
                    target=_work,
                    args=(self._jobs, self._idle),
                    name=self._name,
                    daemon=True,
                ).start()
        return future

    def close(self) -> None:
        with self._lock:
            for _ in range(self._started):
                self._jobs.put(None)
            self._forget()

    def _forget(self) -> None:
        """Begin with no threads; those there are end after the jobs they have."""
        self._jobs: _Jobs = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0


_Jobs = queue.SimpleQueue[tuple[Future[Any], Any] | None]


def _work(jobs: _Jobs, idle: threading.Semaphore) -> None:
    while (job := jobs.get()) is not None:
        future, work = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 (it is the caller's)
                future.set_exception(error)
        del job, future, work
        idle.release()
