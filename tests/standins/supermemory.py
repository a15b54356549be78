"""A stand-in of the Supermemory v5 API: documents and search in namespaces.

Built from the types of supermemory 5.0.1 and the vendor's documentation; it is not the
vendor's service and was never compared with it. Of the vendor's habits it has those
that hurt: processing takes a moment, adding to an id that exists appends, a URL is
crawled, what is extracted is not quite what was sent, an id of its own beside ours.
"""

from __future__ import annotations

import re
import time
from typing import Any

from tests.standins.service import Standin, best, now, route

PROCESSING = 0.03
"""Seconds until a document is processed."""

_DOCUMENT = {"content", "id", "metadata", "group", "date", "supportingContext"}
_MODES = {"taskType": {"memory", "superrag"}, "dreaming": {"dynamic", "instant"}}
_OPERATORS = {"eq", "neq", "gt", "gte", "lt", "lte", "contains", "arrayContains"}


class SupermemoryStandin(Standin):
    """Namespaces of documents."""

    def __init__(self) -> None:
        super().__init__()
        self.namespaces: dict[str, dict[str, dict[str, Any]]] = {}
        self._made = 0

    # --- operations -------------------------------------------------------------------

    @route("GET", "/ns")
    def list_namespaces(self, query: Any) -> Any:
        self.only(query, "page", "limit", "q")
        limit = self.number(query.get("limit"), 1, 100, 10)
        page = {"currentPage": 1, "limit": limit, "totalItems": 0, "totalPages": 0}
        return {"namespaces": [], "pagination": page}

    @route("POST", "/ns/{ns}/document", 202)
    def add(self, body: Any, ns: str) -> Any:
        self._check(body, required=True)
        known = self._find(ns, body["id"]) if "id" in body else None
        if known:
            body = {**body, "content": f"{known['source']}\n{body['content']}"}
        self._made += 1
        created = known["created"] if known else now()
        document = known or {
            "id": f"doc_{self._made}",
            "customId": body.get("id"),
            "created": created,
            "published": None,
        }
        self._namespace(ns)[document["id"]] = document
        return self._process(document, body)

    @route("GET", "/ns/{ns}/document/{doc}")
    def get(self, query: Any, ns: str, doc: str) -> Any:
        self.only(query, "include")
        return self._shown(self._require(ns, doc), content=True)

    @route("PATCH", "/ns/{ns}/document/{doc}")
    def update(self, body: Any, ns: str, doc: str) -> Any:
        self._check(body, required=False)
        return self._process(self._require(ns, doc), body)

    @route("DELETE", "/ns/{ns}/document")
    def delete(self, body: Any, ns: str) -> Any:
        self.only(body, "ids")
        if not 1 <= len(body["ids"]) <= 100:
            raise self.refuse(400, "1 to 100 ids")
        errors, count = [], 0
        for doc in body["ids"]:
            if found := self._find(ns, doc):
                del self._namespace(ns)[found["id"]]
                count += 1
            else:
                errors.append({"id": doc, "error": "Document not found"})
        return {"count": count, "errors": errors}

    @route("POST", "/ns/{ns}/list/documents")
    def list_documents(self, query: Any, body: Any, ns: str) -> Any:
        self.only(query, "page", "limit", "sort", "order")
        self.only(body, "filter", "include")
        page = self.number(query.get("page"), 1, 10**6, 1)
        limit = self.number(query.get("limit"), 1, 100, 10)
        content = body.get("include", {}).get("content", False)
        found = [d for d in self._namespace(ns).values() if self._passes(d, body)]
        found.sort(key=lambda d: d["created"], reverse=query.get("order") != "asc")
        return {
            "documents": [
                self._shown(each, content=content)
                for each in found[(page - 1) * limit : page * limit]
            ],
            "chunks": [],
            "memories": [],
            "pagination": {
                "currentPage": page,
                "limit": limit,
                "totalItems": len(found),
                "totalPages": -(-len(found) // limit),
            },
        }

    @route("POST", "/ns/{ns}/search")
    def search(self, body: Any, ns: str) -> Any:
        self.only(
            body,
            *("query", "filter", "searchMode", "limit", "include"),
            *("threshold", "rerank", "rewriteQuery"),
        )
        if not str(body["query"]).strip() or len(body["query"]) > 10_000:
            raise self.refuse(400, "query must hold 1 to 10000 characters")
        if body.get("searchMode", "hybrid") not in ("hybrid", "memories", "chunks"):
            raise self.refuse(400, "searchMode")
        limit = self.number(body.get("limit"), 1, 100, 10)
        threshold = body.get("threshold", 0.6)
        chunks = [
            (chunk, (document, chunk))
            for document in self._namespace(ns).values()
            if self._passes(document, body)
            for chunk in _chunks(document["source"])
        ]
        ranked = best(body["query"], chunks)[:limit]
        return {
            "results": [
                self._result(document, chunk, score, body)
                for score, (document, chunk) in ranked
                if score >= threshold
            ],
            "total": len(ranked),
            "timing": 1,
        }

    # --- parts ------------------------------------------------------------------------

    def _namespace(self, ns: str) -> dict[str, dict[str, Any]]:
        if not re.fullmatch(r"[A-Za-z0-9_:.-]{1,100}", ns):
            raise self.refuse(400, "namespace")
        return self.namespaces.setdefault(ns, {})

    def _find(self, ns: str, doc: str) -> dict[str, Any] | None:
        for found in self._namespace(ns).values():
            if doc in (found["id"], found["customId"]):
                return found
        return None

    def _require(self, ns: str, doc: str) -> dict[str, Any]:
        found = self._find(ns, doc)
        if found is None:
            raise self.refuse(404, "Document not found")
        return found

    def _check(self, body: Any, *, required: bool) -> None:
        self.only(body, *_DOCUMENT, *_MODES)
        content = body.get("content", None if required else "text")
        if not isinstance(content, str) or not content.strip():
            raise self.refuse(400, "content is required")
        if not re.fullmatch(r"[A-Za-z0-9_:.-]{1,100}", body.get("id", "x")):
            raise self.refuse(400, "id")
        for name, values in _MODES.items():
            if body.get(name) not in {None, *values}:
                raise self.refuse(400, name)
        for part in ("metadata", "group"):
            for key, value in body.get(part, {}).items():
                if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", key):
                    raise self.refuse(400, f"{part} key")
                strings = isinstance(value, list) and all(
                    isinstance(each, str) for each in value
                )
                if not strings and not isinstance(value, str | int | float):
                    raise self.refuse(400, f"{part} value")

    def _process(self, document: dict[str, Any], body: Any) -> Any:
        if "content" in body:
            _publish(document)
            document["source"] = _extracted(body["content"])
            document["ready"] = time.monotonic() + PROCESSING
        document["metadata"] = body.get("metadata", document.get("metadata", {}))
        document["group"] = body.get("group", document.get("group", {}))
        document["updated"] = now()
        return {"id": document["customId"] or document["id"], "status": "queued"}

    def _shown(self, document: dict[str, Any], *, content: bool) -> Any:
        done = _publish(document)
        shown = {
            "id": document["id"],
            "title": None,
            "type": "text",
            "metadata": document["metadata"],
            "url": None,
            "system": {
                "status": "done" if done else "queued",
                "dreamingStatus": "done",
                "createdAt": document["created"],
                "updatedAt": document["updated"],
            },
        }
        return {**shown, "content": document["published"]} if content else shown

    def _result(self, document: Any, chunk: str, score: float, body: Any) -> Any:
        system = {"createdAt": document["created"], "updatedAt": document["updated"]}
        result = {
            "id": f"chunk_{document['id']}",
            "chunk": chunk,
            "metadata": {},
            "similarity": score,
            "isLatest": True,
            "isInference": False,
            "system": system,
        }
        if body.get("include", {}).get("documents"):
            source = {
                "id": document["id"],
                "metadata": document["metadata"],
                "system": system,
            }
            result["included"] = {"document": source}
        return result

    def _passes(self, document: dict[str, Any], body: Any) -> bool:
        return "filter" not in body or self._holds(document, body["filter"])

    def _holds(self, document: dict[str, Any], test: Any) -> bool:
        if test.get("operator") in ("and", "or"):
            parts = [self._holds(document, each) for each in test["operands"]]
            return all(parts) if test["operator"] == "and" else any(parts)
        self.only(test, "field", "operator", "value", "caseSensitive")
        if test["operator"] not in _OPERATORS:
            raise self.refuse(400, "operator")
        assert test["operator"] == "eq", "memio uses no other"
        return bool(document["metadata"].get(test["field"]) == test["value"])


def _extracted(content: str) -> str:
    if re.fullmatch(r"\s*https?://\S+\s*", content):
        return f"The page at {content.strip()}"
    return content.strip()


def _publish(document: dict[str, Any]) -> bool:
    """Let what was extracted be seen once its time has come."""
    done = time.monotonic() >= document.get("ready", 0)
    if done:
        document["published"] = document.get("source")
    return done


def _chunks(text: str) -> list[str]:
    return [text[i : i + 2000] for i in range(0, min(len(text), 20_000), 2000)] or [""]
