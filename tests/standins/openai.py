"""A stand-in for an OpenAI-compatible endpoint: it is not OpenAI, and knows nothing.

What its chat answers is for the test to say; its embeddings are those of memio's hash
embedder, so that like texts are alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from memio.embedding import make_embedder
from tests.standins.service import RefusalError, Standin, route

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


class OpenAIStandin(Standin):
    """Chat completions and embeddings, as the API reference has them.

    Args:
        chat: Makes of the messages of a request the text of the answer.
        dim: How many values an embedding has.

    Attributes:
        url: Where it answers, for whoever serves it to say.
    """

    url = ""

    def __init__(self, chat: Callable[[list[dict[str, str]]], str], dim: int) -> None:
        super().__init__()
        self._chat = chat
        self._embedder = make_embedder("hash", {"dim": dim})

    def refuse(self, status: int, why: str) -> RefusalError:
        return RefusalError(status, {"error": {"message": why}})

    @route("POST", "/v1/embeddings")
    def embed(self, body: dict[str, Any]) -> Any:
        self.only(body, "input", "model", "encoding_format", "dimensions", "user")
        given = body["input"]
        texts = [given] if isinstance(given, str) else given
        rows = asyncio.run(self._embedder.embed(texts)).tolist()
        items = [
            {"object": "embedding", "index": index, "embedding": row}
            for index, row in enumerate(rows)
        ]
        return {"object": "list", "model": body["model"], "data": items, "usage": USAGE}

    @route("POST", "/v1/chat/completions")
    def complete(self, body: dict[str, Any]) -> Any:
        if not body.get("model") or not body.get("messages"):
            raise self.refuse(400, "model and messages are required")
        message = {"role": "assistant", "content": self._chat(body["messages"])}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": USAGE,
        }
