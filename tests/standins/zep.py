"""A stand-in of the Zep v4 API: users, their graphs, threads, tasks.

Built from the types of zep-cloud 4.0.1 and the vendor's documentation; it is not the
vendor's service and was never compared with it. Of the vendor's habits it has those
that hurt: everything is known by a UUID of Zep's making, edges and deletions take
effect when a task is done, a thread's end leaves its episodes in the graph, texts,
names, batches and pages have bounds. It extracts nothing.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from tests.standins.service import RefusalError, Standin, now, route, similarity

WORKING = 0.002
"""Seconds until a task is done."""

_ROLES = {"system", "assistant", "user", "function", "tool"}
_SCALARS = str | int | float | bool


class ZepStandin(Standin):
    """A project."""

    SCHEME = "Api-Key"

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, dict[str, Any]] = {}
        self.threads: dict[str, dict[str, Any]] = {}
        self.episodes: dict[str, dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: dict[str, dict[str, Any]] = {}
        self._tasks: dict[str, dict[str, Any]] = {}
        self._due: deque[dict[str, Any]] = deque()  # those that are not done

    def refuse(self, status: int, why: str) -> RefusalError:
        return RefusalError(status, {"error": {"code": str(status), "message": why}})

    # --- project, tasks, users --------------------------------------------------------

    @route("GET", "/project")
    def project(self) -> Any:
        return {"uuid": str(uuid.uuid4()), "name": "stand-in"}

    @route("GET", "/tasks/{task}")
    def task(self, task: str) -> Any:
        return self._shown(self._get(self._tasks, task))

    @route("POST", "/users", 201)
    def create_user(self, body: Any) -> Any:
        self.only(body, "user_id", "email", "first_name", "last_name", "metadata")
        if len(body.get("user_id", "")) > 500:
            raise self.refuse(400, "user_id")
        if any(each["user_id"] == body.get("user_id") for each in self.users.values()):
            raise self.refuse(409, "user exists")
        user = {"uuid": str(uuid.uuid4()), "user_id": body.get("user_id")}
        self.users[user["uuid"]] = {**user, "graph_uuid": user["uuid"]}
        return self.users[user["uuid"]]

    @route("POST", "/users/lookup")
    def look_user_up(self, body: Any) -> Any:
        self.only(body, "user_id", "thread_id", "graph_id")
        for user in self.users.values():
            if user["user_id"] == body["user_id"]:
                return user
        raise self.refuse(404, "user")

    @route("POST", "/users/list")
    def list_users(self, query: Any, body: Any) -> Any:
        self.only(body, "search")
        return self._page(query, self.users.values())

    # --- threads ----------------------------------------------------------------------

    @route("GET", "/threads")
    def list_threads(self, query: Any) -> Any:
        return self._page(query, self.threads.values())

    @route("POST", "/threads", 201)
    def create_thread(self, body: Any) -> Any:
        self.only(body, "user_uuid")
        self._get(self.users, body["user_uuid"])
        thread = {"uuid": str(uuid.uuid4()), "created_at": now(), **body}
        self.threads[thread["uuid"]] = {**thread, "messages": []}
        return thread

    @route("DELETE", "/threads/{thread}", 202)
    def delete_thread(self, thread: str) -> Any:
        self._get(self.threads, thread)
        return self._later(lambda: self.threads.pop(thread, None))

    @route("GET", "/threads/{thread}/messages")
    def list_messages(self, query: Any, thread: str) -> Any:
        return self._page(query, self._get(self.threads, thread)["messages"])

    @route("POST", "/threads/{thread}/messages", 202)
    def add_messages(self, body: Any, thread: str) -> Any:
        self.only(body, "messages", "ignore_roles", "return_context")
        found = self._get(self.threads, thread)
        if not 1 <= len(body["messages"]) <= 30:
            raise self.refuse(400, "1 to 30 messages")
        for each in body["messages"]:
            self.only(each, "content", "role", "name", "metadata", "reference_time")
            if not each["content"].strip() or len(each["content"]) > 4096:
                raise self.refuse(400, "content")
            if each["role"] not in _ROLES:
                raise self.refuse(400, "role")
            self._check_metadata(each.get("metadata", {}))
        added = [self._made(each, thread_uuid=thread) for each in body["messages"]]
        found["messages"] += added
        for each in added:
            episode = {**each, "graph_uuid": found["user_uuid"]}
            self.episodes[each["uuid"]] = episode
        return {"messages": added, "task": self._later(lambda: None)["task"]}

    # --- episodes ---------------------------------------------------------------------

    @route("POST", "/graphs/{graph}/episodes", 202)
    def add_episode(self, body: Any, graph: str) -> Any:
        self.only(body, "data", "type", "metadata", "reference_time", "document_id")
        self._get(self.users, graph)
        if not body["data"].strip() or len(body["data"]) > 10_000:
            raise self.refuse(400, "data")
        self._check_metadata(body.get("metadata", {}))
        episode = self._made(
            {"content": body["data"], "metadata": body.get("metadata", {})},
            graph_uuid=graph,
        )
        self.episodes[episode["uuid"]] = episode
        return {"episode": episode, "task": self._later(lambda: None)["task"]}

    @route("POST", "/graphs/{graph}/episodes/list")
    def list_episodes(self, query: Any, body: Any, graph: str) -> Any:
        return self._page(query, self._chosen(self.episodes, body, graph))

    @route("DELETE", "/graphs/{graph}/episodes/{episode}", 202)
    def delete_episode(self, graph: str, episode: str) -> Any:
        self._within(self.episodes, graph, episode)
        return self._later(lambda: self.episodes.pop(episode, None))

    @route("POST", "/graphs/{graph}/search/episodes")
    def search_episodes(self, query: Any, body: Any, graph: str) -> Any:
        found = self._chosen(self.episodes, body, graph)
        return self._search(query, body, found, "content")

    # --- nodes and edges --------------------------------------------------------------

    @route("POST", "/graphs/{graph}/nodes", 202)
    def add_nodes(self, body: Any, graph: str) -> Any:
        self.only(body, "nodes")
        self._get(self.users, graph)
        if not 1 <= len(body["nodes"]) <= 100:
            raise self.refuse(400, "1 to 100 nodes")
        made = []
        for each in body["nodes"]:
            self.only(each, "name", "label", "summary", "attributes", "metadata")
            self._check_name(each["name"])
            made.append(self._made(each, graph_uuid=graph))
        added = {each["uuid"]: each for each in made}
        return {"nodes": made, **self._later(lambda: self.nodes.update(added))}

    @route("POST", "/graphs/{graph}/nodes/list")
    def list_nodes(self, query: Any, body: Any, graph: str) -> Any:
        needed = {"episode_uuids": [], "episode_uuids_truncated": False}
        found = self._chosen(self.nodes, body, graph)
        return self._page(query, [{**node, **needed} for node in found])

    @route("POST", "/graphs/{graph}/edges", 202)
    def add_edges(self, body: Any, graph: str) -> Any:
        self.only(body, "edges", "deduplicate")
        if not 1 <= len(body["edges"]) <= 100:
            raise self.refuse(400, "1 to 100 edges")
        added = {}
        for each in body["edges"]:
            self.only(
                each, "fact", "fact_name", "source_node", "target_node", "attributes"
            )
            self._check_name(each["fact_name"])
            if not 1 <= len(each["fact"].strip()) <= len(each["fact"]) <= 250:
                raise self.refuse(400, "fact")
            if not all(isinstance(v, _SCALARS) for v in each["attributes"].values()):
                raise self.refuse(400, "attributes are scalars")
            ends = {
                f"{end}_node_uuid": self._end(graph, each[f"{end}_node"])
                for end in ("source", "target")
            }
            kept = {key: each[key] for key in ("fact", "attributes")}
            edge = self._made(kept, graph_uuid=graph, name=each["fact_name"], **ends)
            added[edge["uuid"]] = edge
        answer = self._later(lambda: self.edges.update(added))
        return {"edges": list(added.values()), **answer}

    @route("POST", "/graphs/{graph}/edges/list")
    def list_edges(self, query: Any, body: Any, graph: str) -> Any:
        return self._page(query, self._chosen(self.edges, body, graph))

    @route("GET", "/graphs/{graph}/edges/{edge}")
    def get_edge(self, graph: str, edge: str) -> Any:
        return self._within(self.edges, graph, edge)

    @route("PATCH", "/graphs/{graph}/edges/{edge}")
    def update_edge(self, body: Any, graph: str, edge: str) -> Any:
        self.only(body, "attributes", "fact")
        found = self._within(self.edges, graph, edge)
        found["attributes"] = {**found["attributes"], **body["attributes"]}
        return found

    @route("DELETE", "/graphs/{graph}/edges/{edge}", 202)
    def delete_edge(self, graph: str, edge: str) -> Any:
        self._within(self.edges, graph, edge)
        return self._later(lambda: self.edges.pop(edge, None))

    @route("POST", "/graphs/{graph}/search/edges")
    def search_edges(self, query: Any, body: Any, graph: str) -> Any:
        found = self._chosen(self.edges, body, graph)
        return self._search(query, body, found, "fact")

    # --- parts ------------------------------------------------------------------------

    def _answer(self, *request: Any) -> tuple[int, Any]:
        while self._due and time.monotonic() >= self._due[0]["due"]:
            task = self._due.popleft()
            work, task["work"] = task["work"], None
            work()
        return super()._answer(*request)

    def _later(self, work: Callable[[], Any]) -> Any:
        due = time.monotonic() + WORKING
        task = {"uuid": str(uuid.uuid4()), "work": work, "due": due}
        self._tasks[task["uuid"]] = task
        self._due.append(task)
        return {"task": self._shown(task)}

    def _shown(self, task: dict[str, Any]) -> Any:
        status = "processing" if task["work"] else "succeeded"
        return {"uuid": task["uuid"], "type": "stand-in", "status": status}

    def _made(self, given: Any, **more: Any) -> dict[str, Any]:
        return {**given, **more, "uuid": str(uuid.uuid4()), "created_at": now()}

    def _get(self, things: dict[str, Any], key: str) -> Any:
        try:
            canonical = str(uuid.UUID(key)) == key
        except ValueError:
            canonical = False
        if not canonical:
            raise self.refuse(400, "invalid_identifier")
        if key not in things:
            raise self.refuse(404, "not_found")
        return things[key]

    def _within(self, things: dict[str, Any], graph: str, key: str) -> Any:
        self._get(self.users, graph)
        found = self._get(things, key)
        if found["graph_uuid"] != graph:
            raise self.refuse(404, "not_found")
        return found

    def _page(self, query: Any, items: Iterable[Any]) -> Any:
        self.only(query, "page_size", "cursor", "order_by", "order", "user_uuid")
        size = self.number(query.get("page_size"), 1, 100, 50)
        newest_first = query.get("order", "desc") == "desc"
        # By UUID, as Zep does unless told otherwise, so that pages bear deletions.
        by = "created_at" if query.get("order_by") == "created_at" else "uuid"
        rows = sorted(items, key=lambda each: each[by], reverse=newest_first)
        start = int(query.get("cursor", 0))
        page = {"items": rows[start : start + size]}
        more = start + size < len(rows)
        return {**page, "next_cursor": str(start + size)} if more else page

    def _chosen(self, things: dict[str, Any], body: Any, graph: str) -> list[Any]:
        self._get(self.users, graph)
        filters = body.get("filters", {})
        self.only(filters, "metadata_filters", "property_filters")
        group = filters.get("metadata_filters", {"type": "and", "filters": []})
        assert group["type"] == "and", "memio uses no other"
        tests = group["filters"] + filters.get("property_filters", [])
        kept = "metadata" if "metadata_filters" in filters else "attributes"
        return [
            each
            for each in things.values()
            if each["graph_uuid"] == graph
            and all(self._holds(test, each.get(kept, {})) for test in tests)
        ]

    def _holds(self, test: Any, values: Any) -> bool:
        value = values.get(test["property_name"])
        if test["operator"] == "in":
            if any("," in each or each != each.strip() for each in test["value"]):
                raise self.refuse(400, "value")
            return value in test["value"]
        if test["operator"] == "is_not_null":
            return value is not None
        assert test["operator"] == "eq", "memio uses no other"
        return bool(value == test["value"])

    def _search(self, query: Any, body: Any, found: list[Any], field: str) -> Any:
        self.only(query, "page_size", "cursor")
        self.only(body, "query", "filters", "reranker")
        size = self.number(query.get("page_size"), 1, 50, 50)
        if not 1 <= len(body["query"].strip()) <= len(body["query"]) <= 400:
            raise self.refuse(400, "query")
        if body.get("reranker", "rrf") not in ("rrf", "cross_encoder"):
            raise self.refuse(400, "reranker")
        scored = [(similarity(body["query"], each[field]), each) for each in found]
        ranked = sorted(scored, key=lambda pair: -pair[0])[:size]
        items = [
            {**each, "score": 1 / (60 + rank), "relevance": score}
            for rank, (score, each) in enumerate(ranked)
        ]
        return {"items": items}

    def _end(self, graph: str, given: Any) -> str:
        self.only(given, "uuid", "name", "labels", "summary", "attributes")
        if "uuid" in given:
            return self._within(self.nodes, graph, given["uuid"])["uuid"]
        self._check_name(given["name"])
        node = self._made(given, graph_uuid=graph)
        self.nodes[node["uuid"]] = node
        return node["uuid"]

    def _check_metadata(self, metadata: Any) -> None:
        if len(metadata) > 10:
            raise self.refuse(400, "at most 10 keys")
        for value in metadata.values():
            parts = value if isinstance(value, list) else [value]
            if not all(isinstance(part, _SCALARS) for part in parts):
                raise self.refuse(400, "metadata value")

    def _check_name(self, name: str) -> None:
        if not 1 <= len(name.strip()) <= len(name) <= 50:
            raise self.refuse(400, "name")
