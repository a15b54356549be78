"""The id map keeps what it was given, whoever else has the file open."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from memio.idmap import IdMap


async def opened(path):
    ids = IdMap(path / "deep" / "ids.db")
    await ids.open()
    return ids


async def test_what_was_put_is_there_after_reopening(tmp_path):
    ids = await opened(tmp_path)
    assert await ids.get("thread", "a") is None
    assert await ids.put("thread", "a", "1") == "1"
    await ids.close()
    await ids.close()
    again = await opened(tmp_path)
    assert await again.get("thread", "a") == "1"
    assert await again.get("user", "a") is None
    await again.close()


async def test_the_first_value_of_a_key_stays(tmp_path):
    one, two = await opened(tmp_path), await opened(tmp_path)
    values = await asyncio.gather(
        *(ids.put("thread", "a", str(n)) for n, ids in enumerate((one, two) * 10))
    )
    assert len(set(values)) == 1
    assert await one.items("thread") == [("a", values[0])]
    await one.close()
    await two.close()


def test_processes_that_begin_at_once_agree(tmp_path):
    script = """
import asyncio, pathlib, sys
from memio.idmap import IdMap

async def main(path, me):
    for n in range(30):
        ids = IdMap(pathlib.Path(path))
        await ids.open()
        print(await ids.put("thread", str(n), me))
        await ids.close()

asyncio.run(main(*sys.argv[1:]))
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "ids.db"), f"process {n}"],
            stdout=subprocess.PIPE,
        )
        for n in range(4)
    ]
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert len(set(printed)) == 1
    assert printed[0].count(b"process") == 30


async def test_only_the_value_meant_is_forgotten(tmp_path):
    ids = await opened(tmp_path)
    await ids.put("thread", "a", "new")
    assert not await ids.forget("thread", "a", "old")
    assert await ids.get("thread", "a") == "new"
    assert await ids.forget("thread", "a", "new")
    assert not await ids.forget("thread", "a", "new")
    assert await ids.put("thread", "a", "newer") == "newer"
    await ids.close()


async def test_items_come_in_their_order(tmp_path):
    ids = await opened(tmp_path)
    for key in ("b", "a", "'; DROP TABLE ids; --", "é", "e\u0301"):
        await ids.put("thread", key, key)
    assert [key for key, _ in await ids.items("thread")] == [
        *("b", "a", "'; DROP TABLE ids; --", "é", "e\u0301")
    ]
    await ids.close()


async def test_a_file_that_is_no_map_is_refused(tmp_path):
    path = tmp_path / "ids.db"
    path.write_text("no database " * 100)
    with pytest.raises(OSError, match="cannot open"):
        await IdMap(path).open()


async def test_a_closed_map_says_so(tmp_path):
    ids = await opened(tmp_path)
    await ids.close()
    with pytest.raises(RuntimeError, match="not open"):
        await ids.get("thread", "a")
