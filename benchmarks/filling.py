"""Stores filled before anything is measured: in this process, by memio's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import uvloop

from memio import Memio
from memio.providers.local import LocalSettings
from memio.registry import Choice, build_memio

AT_ONCE = 256


def local_memio(directory: Path) -> Memio:
    """Make what memio-server serves by default, started in a directory."""
    local = Choice("local", LocalSettings())
    return build_memio(
        {"facts": local, "history": local, "documents": local, "graph": local},
        embedding=Choice("static", {}),
        data_dir=directory / "memio-data",
    )


def fill_documents(directory: Path, texts: Iterator[str], count: int) -> None:
    """Store documents where a server started in the directory finds them."""
    _fill(
        directory,
        texts,
        count,
        lambda memio, n, text: memio.require("documents").add(
            content=text, doc_id=f"doc-{n}-{text[:20]}", metadata={"lang": "en", "n": n}
        ),
    )


def fill_facts(
    directory: Path, texts: Iterator[str], count: int, *, users: int = 1
) -> None:
    """Store facts, of so many users in turn: user-0, user-1 ..."""
    _fill(
        directory,
        texts,
        count,
        lambda memio, n, text: memio.require("facts").add(
            content=text, user_id=f"user-{n % users}", metadata={"lang": "en", "n": n}
        ),
    )


def _fill(
    directory: Path,
    texts: Iterator[str],
    count: int,
    add: Callable[[Memio, int, str], Coroutine[Any, Any, Any]],
) -> None:
    async def fill() -> None:
        async with local_memio(directory) as memio:
            numbered = enumerate(islice(texts, count))
            while batch := list(islice(numbered, AT_ONCE)):
                await asyncio.gather(*(add(memio, n, text) for n, text in batch))

    uvloop.run(fill())
