"""ASGI applications by the path they are asked at; some of them misbehave."""

import asyncio
import contextlib
import threading
from contextvars import ContextVar

SEEN: list[object] = []
GO_ON = threading.Event()
LEAK: ContextVar[str] = ContextVar("leak", default="nothing")
LENGTH = (b"content-length", b"2")


async def start(send, *headers, status=200):
    message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(message)


async def body(send, text=b"ok", *, more=False):
    await send({"type": "http.response.body", "body": text, "more_body": more})


async def quick(_, __, send):
    await start(send)
    await body(send, b"HTTP/1.1 " + b"x" * 10, more=True)
    await body(send, b"end")


async def slow(_, __, send):
    await start(send)
    await asyncio.sleep(0.3)
    await body(send, b"late")


async def echo(scope, receive, send):
    text = b""
    more = True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        text += message["body"]
        more = message["more_body"]
    SEEN.append(scope)
    await start(send, (b"content-length", b"%d" % len(text)))
    await body(send, text)


async def deaf(_, __, send):
    await asyncio.to_thread(GO_ON.wait, 5)
    await start(send, LENGTH)
    await body(send)


async def until_gone(_, receive, send):
    await receive()
    SEEN.append(await receive())
    await start(send, LENGTH)
    await body(send)


async def much(_, __, send):
    await start(send, (b"content-length", b"%d" % (200 * 100_000)))
    for number in range(200):
        SEEN.append(number)
        await body(send, b"x" * 100_000, more=number < 199)


async def context(_, __, send):
    SEEN.append(LEAK.get())
    LEAK.set("leaked")
    await start(send, LENGTH)
    await body(send)


async def timing(_, __, send):
    assert asyncio.current_task() in asyncio.all_tasks()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(5), 0.01)
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
    await start(send, LENGTH)
    await body(send, await asyncio.to_thread(lambda: b"ok"))


async def fails(_, __, ___):
    raise RuntimeError


async def silent(_, __, ___):
    pass


async def breaks_off(_, __, send):
    await start(send, (b"content-length", b"9"))
    await body(send, b"some", more=True)
    raise RuntimeError


async def stops(_, __, send):
    await start(send, (b"content-length", b"9"))
    await body(send, b"some", more=True)


async def too_long(_, __, send):
    await start(send, LENGTH)
    await body(send, b"more than that")


async def too_short(_, __, send):
    await start(send, (b"content-length", b"9"))
    await body(send)


async def twice(_, __, send):
    await start(send, LENGTH)
    await body(send)
    await body(send)


async def out_of_order(_, __, send):
    await body(send)


async def injected(_, __, send):
    await start(send, (b"x", b"a\r\nset-cookie: b"))


async def bad_name(_, __, send):
    await start(send, (b"x: y", b"a"))


async def loud_name(_, __, send):
    await start(send, (b"X", b"a"))


async def closing(_, __, send):
    await start(send, (b"connection", b"Close"), LENGTH)
    await body(send)


async def nothing(_, __, send):
    await start(send, status=204)
    await body(send, b"")


async def odd_status(_, __, send):
    await start(send, LENGTH, status=299)
    await body(send)


async def app(scope, receive, send):
    await globals()[scope["path"][1:]](scope, receive, send)
