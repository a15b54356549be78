"""memio-server as it is, with a clock around its parts.

Leaves every duration, in seconds by part, in ``parts.json`` when it stops.
"""

from __future__ import annotations

import atexit
import importlib
import json
import time
from pathlib import Path
from typing import Any

from memio.cli import main

PARTS = {
    "parsing and validation": ("memio.server.body:Body.parse",),
    "embedding": ("memio.embedding.static:StaticEmbedder._embed",),
    "taking words apart": ("memio.providers.local.index:_pack_all",),
    "transaction with fsync": ("memio.providers.local.writer:_commit",),
    "ranking: vectors": ("memio.providers.local.snapshot:Snapshot.near",),
    "ranking: words": ("memio.providers.local.snapshot:Snapshot.bm25",),
    "ranking": (
        "memio.providers.local.ranking:Ranking.__init__",
        "memio.providers.local.ranking:Ranking.candidates",
        "memio.providers.local.search:_order",
    ),
    "rows": ("memio.providers.local.rows:select",),
    "serialisation": ("memio.jsontext:dumps",),
    "request log": ("memio.server.requestlog:log_request",),
}

durations: dict[str, list[float]] = {name: [] for name in PARTS}


def put_clock(name: str, target: str) -> None:
    module, _, path = target.partition(":")
    *owners, attribute = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    function, noted = getattr(owner, attribute), durations[name]

    def clocked(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            noted.append(time.perf_counter() - started)

    setattr(owner, attribute, clocked)


if __name__ == "__main__":
    for name, targets in PARTS.items():
        for target in targets:
            put_clock(name, target)
    atexit.register(lambda: Path("parts.json").write_text(json.dumps(durations)))
    main()
