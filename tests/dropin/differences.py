"""What is asked of both servers, in this order, and where their answers differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEY = "a-key-of-the-tests"


@dataclass(frozen=True)
class Request:
    """A request; a name in braces is the id of what an earlier one created."""

    method: str
    path: str
    body: Any = None
    remark: str = ""
    to: str = "open"
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        where = f" ({self.remark})" if self.remark else ""
        return f"{self.method} {self.path}{where}"


class Difference:
    """What is answered here and by the original to some requests, and why."""

    def __init__(self, ours: str, theirs: str, reason: str, *requests: str) -> None:
        self.ours = ours
        self.theirs = theirs
        self.reason = reason
        self.requests = requests


JSON = {"Content-Type": "application/json"}
FACT = {"content": "prefers dark mode", "user_id": "alice", "metadata": {"n": 1.5}}
POLICY = {"content": "returns within 30 days", "doc_id": "policy"}
SAID = [
    {"role": "user", "content": "hello", "name": "Alice", "metadata": {"n": 1}},
    {"role": "assistant", "content": "hi", "timestamp": "2026-11-22T09:30:00Z"},
]
MESSAGES = {"messages": SAID, "user_id": "alice"}
WORK = {"subject": "Alice", "predicate": "works at", "object": "Acme"}
KNOWS = {"subject": "Bob", "predicate": "knows", "object": "Alice", "metadata": {}}
TRIPLES = {"triples": [WORK, KNOWS], "user_id": "alice"}


def bearer(key: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {key}"}


REQUESTS = [
    Request("POST", "/v1/facts", FACT),
    Request("GET", "/v1/facts/{fact}"),
    Request("POST", "/v1/facts", {"content": "likes tea"}, "content only"),
    Request("POST", "/v1/facts", {**FACT, "metadata": None, "agent_id": None}, "null"),
    Request("POST", "/v1/facts", {}, "content missing"),
    Request("POST", "/v1/facts", {"content": ""}, "content empty"),
    Request("POST", "/v1/facts", {**FACT, "contents": "x"}, "unknown field"),
    Request("POST", "/v1/facts", None, "malformed JSON", content=b"{", headers=JSON),
    Request("POST", "/v1/facts", None, "not UTF-8", content=b'"\xff"', headers=JSON),
    Request(
        *("POST", "/v1/facts", None, "text/plain"),
        content=b'{"content": "x"}',
        headers={"Content-Type": "text/plain"},
    ),
    Request(
        *("POST", "/v1/facts", {"content": "x", "metadata": {"n": 2**70}}),
        remark="number beyond 64 bits",
    ),
    Request("DELETE", "/v1/facts"),
    Request("POST", "/v1/facts", FACT, "again"),
    Request("GET", "/v1/facts"),
    Request("GET", "/v1/facts?user_id=alice&limit=1"),
    Request("GET", "/v1/facts?user_id=alice&agent_id=other"),
    Request("GET", "/v1/facts?user_id=bob"),
    Request("GET", "/v1/facts?limit=0"),
    Request("GET", "/v1/facts?limit=1001"),
    Request("GET", "/v1/facts?limit=1.0"),
    Request("GET", "/v1/facts?limit=1&limit=2"),
    Request("GET", "/v1/facts?limt=1"),
    Request("GET", "/v1/facts?user_id="),
    Request("GET", "/v1/facts/"),
    Request("HEAD", "/v1/facts"),
    Request("OPTIONS", "/v1/facts"),
    Request("PATCH", "/v1/facts"),
    Request("GET", "/v1/nothing"),
    Request("POST", "/v1/facts/search", {"query": "dark", "limit": 1}),
    Request(
        *("POST", "/v1/facts/search"),
        {"query": "dark", "user_id": "alice", "limit": 1, "filters": {"n": 1.5}},
        "filters",
    ),
    Request("POST", "/v1/facts/search", {"query": "dark", "filters": {"n": 2}}, "none"),
    Request(
        *("POST", "/v1/facts/search"),
        {"query": "dark", "filters": {"AND": [{"n": 1.5}]}},
        "filters as Mem0 writes them",
    ),
    Request("POST", "/v1/facts/search", {"query": ""}, "query empty"),
    Request("POST", "/v1/facts/search", {"query": "x", "limit": 0}, "limit 0"),
    Request("PUT", "/v1/facts/{fact}", {"content": "light"}),
    Request("PUT", "/v1/facts/{fact}", {"content": "x", "metadata": {}}, "metadata"),
    Request("PUT", "/v1/facts/{fact}", {"content": "x", "metadata": {"a": 1}}, "again"),
    Request("PUT", "/v1/facts/{fact}", {"content": "x", "metadata": None}, "null"),
    Request("GET", "/v1/facts/none"),
    Request("PUT", "/v1/facts/none", {"content": "x"}),
    Request("DELETE", "/v1/facts/none"),
    Request("DELETE", "/v1/facts/{fact}"),
    Request("DELETE", "/v1/facts?user_id=alice"),
    Request("GET", "/v1/facts", None, "none left"),
    Request("POST", "/v1/history/sessions/trip/messages", MESSAGES),
    Request("GET", "/v1/history/sessions/trip/messages"),
    Request("GET", "/v1/history/sessions/trip/messages?limit=1"),
    Request("POST", "/v1/history/sessions/trip/messages", {"messages": []}, "none"),
    Request(
        *("POST", "/v1/history/sessions/trip/messages"),
        {"messages": [{"role": "user"}]},
        "content missing",
    ),
    Request(
        *("POST", "/v1/history/sessions/trip/messages"),
        {**MESSAGES, "user_id": "bob"},
        "another user",
    ),
    Request("GET", "/v1/history/sessions"),
    Request("GET", "/v1/history/sessions?user_id=alice&limit=1"),
    Request("GET", "/v1/history/sessions?user_id=bob"),
    Request(
        *("POST", "/v1/history/sessions/trip/search"), {"query": "hello", "limit": 1}
    ),
    Request("POST", "/v1/history/sessions/none/search", {"query": "hello"}),
    Request("GET", "/v1/history/sessions/none/messages"),
    Request("DELETE", "/v1/history/sessions/none"),
    Request("DELETE", "/v1/history/sessions/trip"),
    Request("DELETE", "/v1/history/sessions?user_id=alice"),
    Request("DELETE", "/v1/history/sessions"),
    Request("POST", "/v1/documents", {**POLICY, "metadata": {"lang": "en"}}),
    Request("POST", "/v1/documents", POLICY, "id taken"),
    Request("POST", "/v1/documents", {"content": "opening hours"}, "no id"),
    Request("DELETE", "/v1/documents"),
    Request("POST", "/v1/documents", {**POLICY, "metadata": {"lang": "en"}}, "again"),
    Request("GET", "/v1/documents"),
    Request("GET", "/v1/documents?limit=1"),
    Request("GET", '/v1/documents?filters={"lang":"en"}'),
    Request("GET", '/v1/documents?filters={"lang":"fr"}'),
    Request("GET", "/v1/documents?filters=[]"),
    Request("GET", "/v1/documents?filters=x"),
    Request("GET", "/v1/documents?filters="),
    Request("GET", "/v1/documents/policy"),
    Request("GET", "/v1/documents/none"),
    Request("PUT", "/v1/documents/policy", {"content": "60 days"}),
    Request("PUT", "/v1/documents/none", {"content": "60 days"}),
    Request("POST", "/v1/documents/search", {"query": "days", "limit": 1}),
    Request(
        *("POST", "/v1/documents/search"),
        {"query": "days", "limit": 1, "filters": {"lang": "fr"}},
        "filters",
    ),
    Request("DELETE", "/v1/documents/policy"),
    Request("DELETE", "/v1/documents/policy", None, "again"),
    Request(
        "POST", "/v1/documents", {"content": "x", "doc_id": "a/b"}, "id with slash"
    ),
    Request("GET", "/v1/documents/a%2Fb"),
    Request("POST", "/v1/graph/triples", TRIPLES),
    Request("GET", "/v1/graph/triples"),
    Request("POST", "/v1/graph/triples", {"triples": []}, "none"),
    Request("POST", "/v1/graph/triples", {"triples": [{"subject": "x"}]}, "incomplete"),
    Request("GET", "/v1/graph/triples?user_id=bob"),
    Request("GET", "/v1/graph/triples?limit=1"),
    Request("GET", "/v1/graph/entities/Acme"),
    Request("GET", "/v1/graph/entities/Alice?user_id=bob"),
    Request("GET", "/v1/graph/entities/none"),
    Request("POST", "/v1/graph/search", {"query": "works at", "limit": 1}),
    Request("DELETE", "/v1/graph/triples/{triple}"),
    Request("DELETE", "/v1/graph/triples/none"),
    Request("DELETE", "/v1/graph/entities/Bob"),
    Request("DELETE", "/v1/graph/entities/none"),
    Request("DELETE", "/v1/graph?user_id=alice"),
    Request("DELETE", "/v1/graph"),
    Request("GET", "/v1/graph/triples", None, "none left"),
    Request("GET", "/health"),
    Request("GET", "/"),
    Request("GET", "/v1/facts", None, "right key", "locked", headers=bearer(KEY)),
    Request("GET", "/v1/facts", None, "no key", "locked"),
    Request("GET", "/v1/facts", None, "wrong key", "locked", headers=bearer("x")),
    Request("GET", "/v1/facts", None, "é as key", "locked", headers=bearer("é")),
    Request(
        *("GET", "/v1/facts", None, "bearer in lower case", "locked"),
        headers=bearer(KEY, "bearer"),
    ),
    Request("POST", "/v1/facts", {}, "no key, no content", "locked"),
    Request("GET", "/health", None, "no key", "locked"),
    Request("GET", "/openapi.json", None, "no key", "locked"),
    Request("GET", "/v1/facts", None, "store left out", "partial"),
    Request("POST", "/v1/facts", {}, "store left out, no content", "partial"),
    Request("GET", "/v1/history/sessions", None, "store left out", "partial"),
    Request("GET", "/v1/graph/triples", None, "store left out", "partial"),
    Request("GET", "/v1/documents", None, "only store", "partial"),
    Request("GET", "/health", None, "one store", "partial"),
]

_SHAPE = "errors of every kind have the same four keys"
_STRICT = "what would be dropped in silence is refused, so that a mistake is heard"
_MISSING = "what is missing is 404, whatever the provider"
_MORE = "more is told; who does not know it is not disturbed"
_EMPTY = "nothing can be found by an empty text, and nothing is added by an empty list"

DIFFERENCES = (
    Difference(
        "422 validation_error",
        "422 detail only",
        _SHAPE,
        "POST /v1/facts (content missing)",
        "POST /v1/facts (malformed JSON)",
        "GET /v1/facts?limit=0",
        "GET /v1/facts?limit=1001",
        "POST /v1/facts/search (limit 0)",
        "POST /v1/history/sessions/trip/messages (content missing)",
        "POST /v1/graph/triples (incomplete)",
    ),
    Difference(
        "422 validation_error",
        "400 detail only",
        "whatever is wrong with a request is 422",
        "POST /v1/facts (not UTF-8)",
        "GET /v1/documents?filters=[]",
        "GET /v1/documents?filters=x",
    ),
    Difference(
        "415 unsupported_media_type",
        "422 detail only",
        "as HTTP has it",
        "POST /v1/facts (text/plain)",
    ),
    Difference(
        "422 validation_error",
        "201",
        _STRICT,
        "POST /v1/facts (unknown field)",
    ),
    Difference(
        "422 validation_error",
        "200",
        _STRICT,
        "GET /v1/facts?limit=1.0",
        "GET /v1/facts?limit=1&limit=2",
        "GET /v1/facts?limt=1",
        "GET /v1/facts?user_id=",
        "GET /v1/documents?filters=",
    ),
    Difference(
        "422 validation_error",
        "200",
        "one filter language for every provider, not each one's own",
        "POST /v1/facts/search (filters as Mem0 writes them)",
    ),
    Difference("422 validation_error", "201", _EMPTY, "POST /v1/facts (content empty)"),
    Difference(
        "422 validation_error", "200", _EMPTY, "POST /v1/facts/search (query empty)"
    ),
    Difference(
        "422 validation_error",
        "204",
        _EMPTY,
        "POST /v1/history/sessions/trip/messages (none)",
        "POST /v1/graph/triples (none)",
    ),
    Difference(
        "404 not_found",
        "307",
        "a path has one spelling",
        "GET /v1/facts/",
    ),
    Difference("404 not_found", "404 detail only", _SHAPE, "GET /v1/nothing"),
    Difference("405 method_not_allowed", "405 detail only", _SHAPE, "PATCH /v1/facts"),
    Difference("200", "405", "GET includes HEAD, as HTTP has it", "HEAD /v1/facts"),
    Difference(
        "204",
        "405 detail only",
        "`Allow` is told to whoever asks for it",
        "OPTIONS /v1/facts",
    ),
    Difference(
        "200, metadata null",
        '200, metadata {"a": 1}',
        "null clears; left out, metadata is kept",
        "PUT /v1/facts/{fact} (null)",
    ),
    Difference(
        "404 not_found",
        "502 provider_error",
        _MISSING,
        "PUT /v1/facts/none",
        "DELETE /v1/facts/none",
        "DELETE /v1/history/sessions/none",
    ),
    Difference(
        "404 not_found",
        "200",
        _MISSING,
        "POST /v1/history/sessions/none/search",
        "GET /v1/history/sessions/none/messages",
        "PUT /v1/documents/none",
        "GET /v1/graph/entities/none",
        "GET /v1/graph/entities/Alice?user_id=bob",
    ),
    Difference(
        "404 not_found",
        "204",
        _MISSING,
        "DELETE /v1/documents/policy (again)",
        "DELETE /v1/graph/triples/none",
        "DELETE /v1/graph/entities/none",
    ),
    Difference(
        "200 with id, session_id, score",
        "200",
        _MORE,
        "GET /v1/history/sessions/trip/messages",
        "GET /v1/history/sessions/trip/messages?limit=1",
        "POST /v1/history/sessions/trip/search",
    ),
    Difference(
        "200 with id",
        "200",
        "without it no client could delete a triple",
        "GET /v1/graph/triples",
        "GET /v1/graph/triples?limit=1",
        "GET /v1/graph/entities/Acme",
        "POST /v1/graph/search",
    ),
    Difference(
        "200 with version", "200", _MORE, "GET /health", "GET /health (one store)"
    ),
    Difference(
        "409 conflict",
        "204",
        "a session belongs to the user who began it",
        "POST /v1/history/sessions/trip/messages (another user)",
    ),
    Difference(
        "409 conflict",
        "201",
        "Chroma answered so and kept the old text; to replace, PUT",
        "POST /v1/documents (id taken)",
    ),
    Difference(
        "200",
        "404 detail only",
        "an id may hold any character, percent-encoded",
        "GET /v1/documents/a%2Fb",
    ),
    Difference(
        "401 unauthorized",
        "401 detail only",
        _SHAPE,
        "GET /v1/facts (no key)",
        "POST /v1/facts (no key, no content)",
    ),
    Difference(
        "401 unauthorized",
        "403 detail only",
        "403 is for a key that is known and may not do this",
        "GET /v1/facts (wrong key)",
    ),
    Difference(
        "401 unauthorized",
        "500 as text",
        "a wrong key is no fault of the server",
        "GET /v1/facts (é as key)",
    ),
    Difference(
        "200",
        "401 detail only",
        "the scheme is case-insensitive, as HTTP has it",
        "GET /v1/facts (bearer in lower case)",
    ),
    Difference(
        "200",
        "401 detail only",
        "probes have no key, and learn nothing that needs one",
        "GET /health (no key)",
    ),
    Difference(
        "501 not_configured",
        "501 detail only",
        _SHAPE,
        "GET /v1/facts (store left out)",
        "GET /v1/history/sessions (store left out)",
        "GET /v1/graph/triples (store left out)",
    ),
    Difference(
        "422 validation_error",
        "501 detail only",
        "a request is held to the contract before it reaches a store",
        "POST /v1/facts (store left out, no content)",
    ),
)
"""A request that is in none of them is answered the same by both."""
