"""Mem0 open source in its own process, told what to do by lines on standard input.

    mem0_facts.py DIRECTORY

A line is JSON: ["add"|"list"|"search", [text, ...]]; the answer the seconds it took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import wordllama

DIRECTORY = Path(sys.argv[1])
DIRECTORY.mkdir(parents=True, exist_ok=True)
os.environ["MEM0_TELEMETRY"] = "False"
os.environ["MEM0_DIR"] = str(DIRECTORY / "home")

from mem0 import Memory  # noqa: E402
from mem0.embeddings.base import EmbeddingBase  # noqa: E402

USER = "user-0"


class StaticVectors(EmbeddingBase):
    """The embedder that memio has by default."""

    def __init__(self) -> None:
        super().__init__()
        self._model = wordllama.WordLlama.load(
            cache_dir=Path(wordllama.__file__).parent, disable_download=True
        )

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:  # noqa: ARG002
        return self._model.embed([text], norm=True)[0].tolist()

    def embed_batch(
        self,
        texts: list[str],
        memory_action: str | None = None,  # noqa: ARG002
    ) -> list[list[float]]:
        return self._model.embed(texts, norm=True).tolist()


def make() -> Any:
    openai = {"provider": "openai", "config": {"api_key": "never used"}}
    memory = Memory.from_config(
        {
            "llm": openai,
            "embedder": openai,
            "vector_store": {
                "provider": "qdrant",
                "config": {
                    "path": str(DIRECTORY / "qdrant"),
                    "on_disk": True,
                    "embedding_model_dims": 256,
                },
            },
            "history_db_path": str(DIRECTORY / "history.db"),
        }
    )
    memory.embedding_model = StaticVectors()
    return memory


def main() -> None:
    memory = make()
    scope = {"user_id": USER}
    work = {
        "add": lambda text: memory.add(text, user_id=USER, infer=False),
        "list": lambda _: memory.get_all(filters=scope, top_k=100),
        "search": lambda text: memory.search(
            text, filters=scope, top_k=10, threshold=0.0
        ),
    }
    for line in sys.stdin:
        what, texts = json.loads(line)
        do = work[what]
        started = time.perf_counter()
        for text in texts:
            found = do(text)
        seconds = time.perf_counter() - started
        if not found["results"]:
            raise SystemExit(f"{what} did nothing")
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
