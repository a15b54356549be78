"""Search finds what people ask for, measured on real conversations over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import Server

ADAPTER = Path(__file__).with_name("adapter.py")
DATA = os.environ.get("MEMIO_RETRIEVAL_DATA", "")

pytestmark = pytest.mark.skipif(
    not DATA,
    reason="the conversations may not be redistributed: set MEMIO_RETRIEVAL_DATA to a "
    "directory with score.py and locomo_{turns,facts}_dev.json.gz",
)


@pytest.mark.parametrize(("kind", "least"), [("turns", 76.0), ("facts", 73.0)])
def test_the_right_memories_are_among_the_first_ten(
    kind: str, least: float, tmp_path: Path
) -> None:
    assert recall(Server(tmp_path), kind) >= least


@pytest.mark.long
@pytest.mark.parametrize(("kind", "least"), [("turns", 74.0), ("facts", 71.0)])
def test_postgresql_finds_about_as_much(
    kind: str, least: float, tmp_path: Path, postgres: str
) -> None:
    store = f"{{provider: postgres, config: {{dsn: '{postgres}', schema: {kind}}}}}"
    config = f"stores: {{facts: {store}, history: {store}}}"
    assert recall(Server(tmp_path, config), kind) >= least


def recall(server: Server, kind: str) -> float:
    """Return how much of what is asked for the first ten results hold, in percent."""
    with server:
        done = subprocess.run(
            [
                *(sys.executable, str(Path(DATA, "score.py"))),
                *("--data", str(Path(DATA, f"locomo_{kind}_dev.json.gz"))),
                *("--adapter", str(ADAPTER)),
            ],
            env={**os.environ, "MEMIO_URL": server.url, "MEMIO_KIND": kind},
            capture_output=True,
            text=True,
            check=True,
        )
    sys.stdout.write(done.stdout)
    (found,) = re.findall(r"R@10= *([\d.]+)", done.stdout)
    return float(found)
