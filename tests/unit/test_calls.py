"""Calls to providers are bounded in time, translated and repeated where it is safe."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from memio.calls import Calls
from memio.exceptions import NotFoundError, ProviderError, ProviderTimeoutError


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.left, self.error, self.calls = failures, error, 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.left:
            raise self.error
        return "answer"


async def test_a_broken_connection_is_tried_again_if_that_is_safe() -> None:
    calls, work = Calls("far"), Flaky(2, ConnectionResetError())
    assert await calls.run("get", work, idempotent=True) == "answer"
    assert work.calls == 3


async def test_a_write_is_tried_once() -> None:
    calls, work = Calls("far"), Flaky(1, ConnectionResetError("secret"))
    with pytest.raises(ProviderError) as caught:
        await calls.run("add", work)
    assert (caught.value.provider, caught.value.operation) == ("far", "add")
    assert work.calls == 1


async def test_a_failure_that_will_not_pass_is_not_tried_again() -> None:
    work = Flaky(1, ValueError())
    with pytest.raises(ProviderError):
        await Calls("far").run("get", work, idempotent=True)
    assert work.calls == 1


async def test_errors_of_memio_pass() -> None:
    with pytest.raises(NotFoundError):
        await Calls("far").run("get", Flaky(1, NotFoundError("fact", "1")))


async def test_a_hang_ends_at_the_deadline() -> None:
    started = time.monotonic()
    with pytest.raises(ProviderTimeoutError):
        await Calls("far", timeout=0.05).run("get", lambda: asyncio.sleep(60))
    assert time.monotonic() - started < 5


async def test_blocking_calls_run_beside_each_other_up_to_a_bound() -> None:
    calls, most, now = Calls("far", threads=3), 0, 0
    lock = threading.Lock()

    def work() -> int:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return 1

    done = await asyncio.gather(*(calls.run_blocking("get", work) for _ in range(12)))
    assert (sum(done), most) == (12, 3)
    calls.close()


async def test_blocking_calls_that_hang_do_not_hold_others_beyond_the_deadline() -> (
    None
):
    calls, free = Calls("far", threads=1, timeout=0.1), threading.Event()
    with pytest.raises(ProviderTimeoutError):
        await calls.run_blocking("get", free.wait)
    with pytest.raises(ProviderTimeoutError):
        await calls.run_blocking("get", lambda: 1)
    free.set()
    assert await calls.run_blocking("get", lambda: 1) == 1
    calls.close()


async def test_blocking_calls_go_on_after_closing() -> None:
    calls = Calls("far", threads=2, timeout=5)
    for _ in range(3):
        assert await calls.run_blocking("get", lambda: 1) == 1
        calls.close()
