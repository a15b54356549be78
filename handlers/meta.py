"""The operations of tag ``meta`` that ask the stores."""

from __future__ import annotations

import asyncio
from typing import Any

import memio as package
from memio.client import STORES, Memio
from memio.exceptions import MemioError, OverloadedError

PING_SECONDS = 5.0


async def get_health(memio: Memio) -> dict[str, Any]:
    return {
        "status": "ok",
        "version": package.__version__,
        "stores": {name: name in memio.stores for name in STORES},
    }


async def get_readiness(memio: Memio) -> dict[str, str]:
    async with asyncio.TaskGroup() as group:
        pings = {
            name: group.create_task(_answers(store.ping()))
            for name, store in memio.stores.items()
        }
    silent = [name for name, ping in pings.items() if not ping.result()]
    if silent:
        raise OverloadedError(f"Not ready: {', '.join(silent)} cannot serve now.")
    return {"status": "ready"}


async def _answers(ping: Any) -> bool:
    try:
        await asyncio.wait_for(ping, PING_SECONDS)
    except (MemioError, TimeoutError):
        return False
    return True
