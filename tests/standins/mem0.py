"""A stand-in for Mem0's hosted service: it is not Mem0, and has no model.

Built from Mem0's published API reference and from what its client sends. It refuses
fields and filters that the service does not document, adds in the background as the
service does, and keeps the memories of users, agents, apps and runs apart, so that a
filter for two of them finds nothing. Where the service would have an LLM word what is
added, this says "Noted: ...", and nothing of what it has noted before.

What the reference leaves open is a guess: the shape of an event's results, the largest
page, and that white space in ids is refused (as Mem0's library does).
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

from tests.standins.service import RefusalError, Standin, best, now, route

ENTITIES = ("user_id", "agent_id", "app_id", "run_id")
MOST_PAGE = 100

_FIELDS = {*ENTITIES, "created_at", "updated_at", "categories"}


class Mem0Standin(Standin):
    """Mem0's API, as far as its client uses it for memories.

    Attributes:
        delay: Seconds that it takes to process what is added.
        fails: Whether processing what is added fails.
        url: Where it answers, for whoever serves it to say.
    """

    KEY = "m0-right-key"
    SCHEME = "Token"
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.delay = 0.0
        self.fails = False
        self._memories: dict[str, dict[str, Any]] = {}
        self._events: dict[str, tuple[float, list[str]]] = {}

    def refuse(self, status: int, why: str) -> RefusalError:
        return RefusalError(status, {"detail": why})

    @route("GET", "/v1/ping/")
    def ping(self) -> Any:
        ids = {"org_id": "org-1", "project_id": "proj-1"}
        return {"status": "ok", **ids, "user_email": "a@example.com"}

    @route("POST", "/v3/memories/add/")
    def add(self, body: dict[str, Any]) -> Any:
        others = ("messages", "metadata", "infer", "expiration_date", "timestamp")
        self.only(body, *ENTITIES, *others)
        owners = {kind: body[kind] for kind in ENTITIES if body.get(kind)}
        if not owners:
            raise self.refuse(400, "At least one entity ID is required")
        if any(re.search(r"\s", owner) for owner in owners.values()):
            raise self.refuse(400, "Entity IDs cannot contain whitespace")
        made = [
            memory_id
            for message in body["messages"]
            for memory_id in self._make(message["content"], owners, body)
        ]
        event = str(uuid.uuid4())
        self._events[event] = time.monotonic() + self.delay, made
        return {
            "message": "Memory processing has been queued for background execution",
            "status": "PENDING",
            "event_id": event,
        }

    @route("GET", "/v1/event/{event}/")
    def event(self, event: str) -> Any:
        if event not in self._events:
            raise self.refuse(404, "Event not found")
        ready, made = self._events[event]
        if time.monotonic() < ready:
            return {"id": event, "status": "PENDING", "results": []}
        if self.fails:
            return {"id": event, "status": "FAILED", "results": []}
        results = [{"id": memory_id, "event": "ADD"} for memory_id in made]
        return {"id": event, "status": "SUCCEEDED", "results": results}

    @route("POST", "/v3/memories/")
    def list(self, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.only(query, "page", "page_size")
        self.only(body, "filters", "start_date", "end_date", "show_expired")
        page = self.number(query.get("page"), 1, 10**6, default=1)
        size = self.number(query.get("page_size"), 1, MOST_PAGE, default=MOST_PAGE)
        chosen = self._chosen(body)[::-1]
        more = page * size < len(chosen)
        return {
            "count": len(chosen),
            "next": f"https://api.mem0.ai/v3/memories/?page={page + 1}"
            if more
            else None,
            "previous": None,
            "results": [_shown(m) for m in chosen[(page - 1) * size : page * size]],
        }

    @route("POST", "/v3/memories/search/")
    def search(self, body: dict[str, Any]) -> Any:
        self.only(body, "query", "filters", "top_k", "threshold", "rerank", "fields")
        most = self.number(body.get("top_k"), 1, 1000, default=10)
        if not str(body.get("query", "")).strip():
            raise self.refuse(400, "query must not be empty")
        rows = [(memory["memory"], memory) for memory in self._chosen(body)]
        results = [
            {**_shown(memory), "score": score}
            for score, memory in best(body["query"], rows)
            if score >= body.get("threshold", 0.1)
        ]
        return {"results": results[:most]}

    @route("GET", "/v1/memories/{memory_id}/")
    def get(self, memory_id: str) -> Any:
        return _shown(self._there(memory_id))

    @route("PUT", "/v1/memories/{memory_id}/")
    def update(self, memory_id: str, body: dict[str, Any]) -> Any:
        self.only(body, "text", "metadata", "timestamp", "expiration_date")
        memory = self._there(memory_id)
        memory["memory"] = body.get("text", memory["memory"])
        memory["metadata"] = {**(memory["metadata"] or {}), **body.get("metadata", {})}
        memory["updated_at"] = now()
        return _shown(memory)

    @route("DELETE", "/v1/memories/{memory_id}/")
    def delete(self, memory_id: str) -> Any:
        self._there(memory_id)
        del self._memories[memory_id]
        return {"message": "Memory deleted successfully!"}

    @route("DELETE", "/v1/batch/")
    def delete_batch(self, body: dict[str, Any]) -> Any:
        self.only(body, "memories")
        ids = [each["memory_id"] for each in body["memories"]]
        self.number(len(ids), 1, 1000)
        for memory_id in ids:
            self._memories.pop(memory_id, None)
        return {"message": f"Successfully deleted {len(ids)} memories"}

    def _make(
        self, text: str, owners: dict[str, str], body: dict[str, Any]
    ) -> list[str]:
        """Store one record for each entity, as the service documents it."""
        if body.get("infer", True):
            text = f"Noted: {text}"
            if any(each["memory"] == text for each in self._memories.values()):
                return []
        made = [str(uuid.uuid4()) for _ in owners]
        for memory_id, (kind, owner) in zip(made, owners.items(), strict=True):
            self._memories[memory_id] = {
                "id": memory_id,
                "memory": text,
                **dict.fromkeys(ENTITIES),
                kind: owner,
                "metadata": body.get("metadata"),
                "categories": None,
                "created_at": now(),
                "updated_at": now(),
                "ready": time.monotonic() + self.delay,
            }
        return made

    def _there(self, memory_id: str) -> dict[str, Any]:
        memory = self._memories.get(memory_id)
        if memory is None or memory["ready"] > time.monotonic():
            raise self.refuse(404, "Memory not found!")
        return memory

    def _chosen(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        filters = body.get("filters") or {}
        if not any(f'"{kind}"' in json.dumps(filters) for kind in ENTITIES):
            raise self.refuse(400, "At least one entity ID is required in filters")
        return [
            memory
            for memory in self._memories.values()
            if self._matches(memory, filters) and memory["ready"] <= time.monotonic()
        ]

    def _matches(self, memory: dict[str, Any], filters: dict[str, Any]) -> bool:
        """Evaluate what of the filter language is needed here; refuse the rest."""
        for key, value in filters.items():
            if key in ("AND", "OR"):
                # A list, so that an invalid part is refused wherever it stands.
                parts = [self._matches(memory, each) for each in value]
                if not (all(parts) if key == "AND" else any(parts)):
                    return False
            elif key == "metadata":
                have = memory["metadata"] or {}
                if not all(have.get(name) == wanted for name, wanted in value.items()):
                    return False
            elif key not in _FIELDS or not isinstance(value, str):
                raise self.refuse(400, f"Invalid filter: {key}")
            elif memory[key] is None or value not in ("*", memory[key]):
                return False
        return True


def _shown(memory: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in memory.items() if key != "ready"}
