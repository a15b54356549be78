"""kill -9 under load: what was acknowledged is there, once; the rest whole or not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.contract import Api
from tests.durability.inspection import assert_found, assert_sound, take_stock
from tests.durability.ledger import KINDS, Ledger, write_until_it_dies
from tests.serving import Server

WRITERS = 32
PLACES_PER_WRITER = 3
SEARCHED = 20


async def kill_under_load(server: Server, ledger: Ledger) -> None:
    enough = ledger.counts["acknowledged"] + random.randint(100, 400)

    def kill_after_enough() -> None:
        if ledger.counts["acknowledged"] >= enough and server.is_running:
            server.kill()

    await write_until_it_dies(
        server.url, ledger, writers=WRITERS, after_each=kill_after_enough
    )
    assert not ledger.refused


async def assert_kept(server: Server, ledger: Ledger) -> None:
    with Api(base_url=server.url, timeout=60) as api:
        assert ledger.settle(take_stock(api)) == []
        searched = [p for p in ledger.places.values() if p.kind != "documents"]
        for place in random.sample(searched, SEARCHED):
            assert_found(api, place)
        there = {
            name: place.acknowledged[0]
            for (kind, name), place in ledger.places.items()
            if kind == "documents" and place.acknowledged
        }
        body = {"query": "night train", "limit": 1000}
        for mode in ("semantic", "hybrid"):
            found = api.post("/v1/documents/search", json={**body, "mode": mode}).json()
            assert sorted(hit["id"] for hit in found) == sorted(there)
        for name, (says, _) in there.items():
            body = {"query": says.split()[-1], "mode": "keyword"}
            found = api.post("/v1/documents/search", json=body).json()
            assert [hit["id"] for hit in found] == [name]
    await assert_sound(server.directory / "memio-data" / "memio.db")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.long)])
async def test_nothing_acknowledged_is_lost_by_a_kill(
    tmp_path: Path,
    workers: int,
    rounds: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = f"server: {{workers: {workers}}}\nembedding: {{provider: hash}}"
    server, ledger = Server(tmp_path, config), Ledger()
    for number in range(WRITERS * PLACES_PER_WRITER):
        for kind in KINDS:
            ledger.add(kind, f"{kind}-{number}")
    with server:
        for _ in range(rounds):
            await kill_under_load(server, ledger)
            server.start()
            await assert_kept(server, ledger)
        assert server.stop() == 0
    assert "Traceback" not in server.log
    counts = ledger.counts
    assert counts["cut off"] == rounds * WRITERS
    with capsys.disabled():
        print(
            f"\n{rounds} kills, {workers} worker(s), {WRITERS} writers: "
            f"{counts['acknowledged']} writes acknowledged, 0 of them lost or twice; "
            f"{counts['sent'] - counts['acknowledged']} cut off, of which "
            f"{counts['landed']} landed whole and {counts['lost']} not at all; "
            f"{ledger.rows} rows at the end"
        )
