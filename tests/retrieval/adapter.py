"""Lets a retrieval benchmark store and search over the REST API.

One conversation is one user: its turns are messages in sessions, its facts are facts.
"""

from __future__ import annotations

import os
from itertools import groupby
from typing import Any

import httpx


class Adapter:
    """What the benchmark asks for: reset, add, search."""

    def __init__(self) -> None:
        self._client = httpx.Client(base_url=os.environ["MEMIO_URL"], timeout=60)
        self._facts = os.environ["MEMIO_KIND"] == "facts"
        self._user = ""

    def reset(self, scope: str) -> None:
        self._user = scope

    def add(self, docs: list[dict[str, Any]]) -> None:
        if self._facts:
            for doc in docs:
                self._post("facts", content=doc["text"], metadata={"id": doc["id"]})
            return
        for session, said in groupby(docs, key=lambda doc: doc["session"]):
            path = f"history/sessions/{self._user}-{session}/messages"
            self._post(path, messages=[_message(doc) for doc in said])

    def search(self, query: str, k: int) -> list[str]:
        path = "facts/search" if self._facts else "history/search"
        found = self._post(path, query=query, limit=k).json()
        return [row["metadata"]["id"] for row in found]

    def _post(self, path: str, **body: Any) -> httpx.Response:
        body["user_id"] = self._user
        return self._client.post(f"/v1/{path}", json=body).raise_for_status()


def _message(doc: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": "user",
        "name": doc["speaker"] or None,
        # A photo is what its caption says.
        "content": " ".join(filter(None, [doc["text"], doc.get("img")])),
        "metadata": {"id": doc["id"]},
    }
