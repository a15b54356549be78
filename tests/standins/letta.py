"""A stand-in of the Letta API: an agent, archives, passages.

Built from the types of letta-client 1.12.1 and the source of the Letta 0.16.8 server;
it is not Letta and was never compared with it. Of Letta's habits it has those that
hurt: vector search without scores and never more than 100 hits, an agent with two
archives that cannot be searched, NULs that vanish, texts that are too long to embed.
With ``cloud`` it searches as Letta's cloud does: scores, but no metadata.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from tests.standins.service import RefusalError, Standin, best, now, route

AGENT = "agent-5f1d0f6e-3f0e-4a0e-8a3c-2f6f0c1f7a11"

_ID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class LettaStandin(Standin):
    """A server with one agent."""

    def __init__(self, *, cloud: bool = False) -> None:
        super().__init__()
        self.cloud = cloud
        self.archives: dict[str, dict[str, Any]] = {}
        self.attached: list[str] = []
        self.passages: dict[str, dict[str, Any]] = {}

    def refuse(self, status: int, why: str) -> RefusalError:
        return RefusalError(422 if status == 400 else status, {"detail": why})

    # --- the agent --------------------------------------------------------------------

    @route("GET", "/v1/agents/{agent}")
    def agent(self, agent: str) -> Any:
        self._require_agent(agent)
        return {
            "id": agent,
            "name": "stand-in",
            "agent_type": "letta_v1_agent",
            "embedding": "openai/text-embedding-3-small",
            "blocks": [],
            "memory": {"blocks": []},
            "sources": [],
            "system": "",
            "tags": [],
            "tools": [],
            "llm_config": {
                "context_window": 8000,
                "model": "none",
                "model_endpoint_type": "openai",
            },
        }

    @route("PATCH", "/v1/agents/{agent}/archives/attach/{archive}")
    def attach(self, agent: str, archive: str) -> Any:
        self._require_agent(agent)
        self._require(self.archives, "archive", archive)
        if archive not in self.attached:
            self.attached.append(archive)

    # --- archives ---------------------------------------------------------------------

    @route("GET", "/v1/archives/")
    def list_archives(self, query: Any) -> Any:
        self.only(query, *("after", "limit", "order", "order_by", "name", "agent_id"))
        found = [
            archive
            for archive in self.archives.values()
            if query.get("name") in (None, archive["name"])
            and ("agent_id" not in query or archive["id"] in self.attached)
        ]
        if "agent_id" in query:
            self._require_agent(query["agent_id"])
        if query.get("order", "desc") == "desc":
            found.reverse()
        if "after" in query:
            after = self._require(self.archives, "archive", query["after"])
            found = found[found.index(after) + 1 :]
        return found[: self.number(query.get("limit"), 1, 10**6, 50)]

    @route("POST", "/v1/archives/")
    def create_archive(self, body: Any) -> Any:
        self.only(body, "name", "description", "embedding", "embedding_config")
        archive = {"id": f"archive-{uuid.uuid4()}", "created_at": now(), **body}
        archive.pop("embedding", None)
        self.archives[archive["id"]] = archive
        return archive

    @route("GET", "/v1/archives/{archive}")
    def get_archive(self, archive: str) -> Any:
        return self._require(self.archives, "archive", archive)

    @route("DELETE", "/v1/archives/{archive}", 204)
    def delete_archive(self, archive: str) -> Any:
        del self.archives[self._require(self.archives, "archive", archive)["id"]]
        for passage in list(self.passages.values()):
            if passage["archive_id"] == archive:
                del self.passages[passage["id"]]
        if archive in self.attached:
            self.attached.remove(archive)

    # --- passages ---------------------------------------------------------------------

    @route("POST", "/v1/archives/{archive}/passages")
    def create_passage(self, body: Any, archive: str) -> Any:
        self._require(self.archives, "archive", archive)
        passage = self._passage(archive, body)
        self.passages[passage["id"]] = passage
        return passage

    @route("POST", "/v1/archives/{archive}/passages/batch")
    def create_passages(self, body: Any, archive: str) -> Any:
        self.only(body, "passages")
        self._require(self.archives, "archive", archive)
        made = [self._passage(archive, each) for each in body["passages"]]
        self.passages |= {each["id"]: each for each in made}
        return made

    @route("DELETE", "/v1/archives/{archive}/passages/{passage}", 204)
    def delete_passage(self, archive: str, passage: str) -> Any:
        found = self._require(self.passages, "passage", passage)
        if found["archive_id"] != archive:
            raise self.refuse(500, "wrong archive")
        del self.passages[passage]

    @route("POST", "/v1/passages/search")
    def search(self, body: Any) -> Any:
        self.only(
            body,
            *("query", "agent_id", "archive_id", "tags", "tag_match_mode"),
            *("limit", "start_date", "end_date"),
        )
        if "agent_id" in body and len(self.attached) > 1 and body.get("query"):
            raise self.refuse(500, "multiple archives, which is not yet supported")
        limit = self.number(body.get("limit"), 1, 100, 50)
        found = [p for p in self.passages.values() if self._matches(p, body)]
        found.sort(key=lambda each: (_moment(each["created_at"]), each["id"]))
        if not body.get("query"):
            return [self._hit(each, 0.0) for each in found[:limit]]
        self._require(self.archives, "archive", body["archive_id"])
        ranked = best(body["query"], [(each["text"], each) for each in found])[:limit]
        if self.cloud:
            return [self._hit({**p, "metadata": {}}, score) for score, p in ranked]
        return [self._hit(passage, 0.0) for _, passage in ranked]

    # --- parts ------------------------------------------------------------------------

    def _require(self, things: dict[str, Any], kind: str, key: str) -> Any:
        if not re.fullmatch(f"{kind}-{_ID}", key):
            raise self.refuse(422, f"not the id of a {kind}")
        if key not in things:
            raise self.refuse(404, f"no {kind}")
        return things[key]

    def _require_agent(self, agent: str) -> None:
        self._require({AGENT: {}}, "agent", agent)

    def _passage(self, archive: str, body: Any) -> dict[str, Any]:
        self.only(body, "text", "metadata", "tags", "created_at")
        if not body["text"].strip() or len(body["text"]) > 8192:
            raise self.refuse(500, "the embedding endpoint refused the text")
        return {
            "id": f"passage-{uuid.uuid4()}",
            "archive_id": archive,
            "text": body["text"].replace("\x00", ""),
            "metadata": body.get("metadata") or {},
            "tags": body.get("tags"),
            "created_at": body.get("created_at") or now(),
            "embedding": None,
            "embedding_config": None,
        }

    def _matches(self, passage: dict[str, Any], body: Any) -> bool:
        when = _moment(passage["created_at"])
        return (
            passage["archive_id"] == body["archive_id"]
            and ("start_date" not in body or when >= _moment(body["start_date"]))
            and ("end_date" not in body or when <= _moment(body["end_date"]))
        )

    def _hit(self, passage: dict[str, Any], score: float) -> Any:
        return {"passage": passage, "score": score, "metadata": {}}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
