"""The four stores over HTTP, so that the conformance kit judges a whole server.

Every exchange is held to the contract, and errors come back as the exceptions that the
server made them of.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from memio import jsontext
from memio.exceptions import (
    ConflictError,
    MemioError,
    NotFoundError,
    NotSupportedError,
    ProviderError,
    ValidationError,
)
from memio.models import KEEP, Document, Fact, GraphResult, Message, Page, Triple
from tests.contract import check_response, find

DROPPED = (None, KEEP)


def given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that were given; None and KEEP stand for absence."""
    return {k: v for k, v in arguments.items() if not any(v is d for d in DROPPED)}


def query(*, filters: Any = None, dry_run: bool = False, **arguments: Any) -> Any:
    parameters = given(**arguments)
    if filters is not None:
        parameters["filters"] = jsontext.dumps(filters).decode()
    if dry_run:
        parameters["dry_run"] = "true"
    return parameters


def at(*parts: str) -> str:
    """Return the path of parts; a client would take a bare dot for a direction."""
    quoted = (quote(part, safe="") for part in parts)
    return "/v1/" + "/".join(
        q.replace(".", "%2E") if q in {".", ".."} else q for q in quoted
    )


def raise_error(response: httpx.Response) -> None:
    body = response.json()
    error, detail = body["error"], body["detail"]
    failures: Mapping[str, MemioError] = {
        "not_found": NotFoundError("resource", detail),
        "conflict": ConflictError(detail),
        "validation_error": ValidationError(detail),
        "not_supported": NotSupportedError(
            body["provider"] or "", body["operation"] or "", detail
        ),
    }
    raise failures.get(error) or ProviderError("remote", error, Exception(detail))


def cursor_of(response: httpx.Response) -> str | None:
    following = response.links.get("next")
    if following is None:
        return None
    return parse_qs(urlsplit(following["url"]).query)["cursor"][0]


def dated(row: dict[str, Any]) -> dict[str, Any]:
    times = {"created_at", "updated_at", "timestamp"} & row.keys()
    return {**row, **{name: datetime.fromisoformat(row[name]) for name in times}}


class RemoteStore:
    """A store behind a server's address."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        self._client = httpx.AsyncClient(base_url=self._url, timeout=60)

    async def close(self) -> None:
        if self._client:
            await self._client.aclose()

    async def ping(self) -> None:
        await self.call("GET", "/health/ready")

    async def call(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        assert self._client
        if body is not None:
            options["content"] = jsontext.dumps(body)
            options.setdefault("headers", {})["content-type"] = "application/json"
        response = await self._client.request(method, path, **options)
        operation = find(method, response.request.url.raw_path.decode().split("?")[0])
        check_response(operation, response.request, response)
        if response.is_error:
            raise_error(response)
        return response

    async def delete_all(self, **arguments: Any) -> int:
        # Over HTTP only a dry run tells how many.
        path, parameters = f"/v1/{self._prefix}", query(**arguments)
        counted = await self.call(
            "DELETE", path, params={**parameters, "dry_run": "true"}
        )
        if "dry_run" not in parameters:
            await self.call("DELETE", path, params=parameters)
        return int(counted.json()["would_delete"])


class RemoteRows(RemoteStore):
    """What facts and documents share: rows under ids."""

    MODEL: ClassVar[Any]

    async def _get(self, row_id: str) -> Any:
        return self._row((await self.call("GET", at(self._prefix, row_id))).json())

    async def get_all(self, **arguments: Any) -> Page[Any]:
        answer = await self.call("GET", at(self._prefix), params=query(**arguments))
        return Page(map(self._row, answer.json()), cursor_of(answer))

    async def search(self, **arguments: Any) -> list[Any]:
        answer = await self.call("POST", at(self._prefix, "search"), given(**arguments))
        return [self._row(row) for row in answer.json()]

    async def _update(
        self, row_id: str, content: str, metadata: Any, **parameters: Any
    ) -> httpx.Response:
        body = {"content": content}
        if metadata is not KEEP:
            body["metadata"] = metadata
        return await self.call("PUT", at(self._prefix, row_id), body, params=parameters)

    async def _delete(self, row_id: str) -> None:
        await self.call("DELETE", at(self._prefix, row_id))

    async def add(self, **arguments: Any) -> Any:
        answer = await self.call("POST", at(self._prefix), given(**arguments))
        assert answer.headers["location"] == at(self._prefix, answer.json()["id"])
        return self._row(answer.json())

    def _row(self, row: dict[str, Any]) -> Any:
        return self.MODEL(**dated(row))


class RemoteFacts(RemoteRows):
    MODEL = Fact

    async def get(self, *, fact_id: str) -> Fact:
        return await self._get(fact_id)

    async def update(self, *, fact_id: str, content: str, metadata: Any = KEEP) -> Fact:
        return self._row((await self._update(fact_id, content, metadata)).json())

    async def delete(self, *, fact_id: str) -> None:
        await self._delete(fact_id)


class RemoteDocuments(RemoteRows):
    MODEL = Document

    async def get(self, *, doc_id: str) -> Document:
        return await self._get(doc_id)

    async def update(
        self, *, doc_id: str, content: str, metadata: Any = KEEP
    ) -> Document:
        return self._row((await self._update(doc_id, content, metadata)).json())

    async def upsert(
        self, *, doc_id: str, content: str, metadata: Any = KEEP
    ) -> tuple[Document, bool]:
        answer = await self._update(doc_id, content, metadata, upsert="true")
        return self._row(answer.json()), answer.status_code == 201

    async def delete(self, *, doc_id: str) -> None:
        await self._delete(doc_id)


class RemoteHistory(RemoteStore):
    async def add(
        self, *, session_id: str, messages: list[Message], user_id: str | None = None
    ) -> list[Message]:
        fields = ("role", "content", "name", "metadata", "timestamp")
        body = given(
            messages=[{f: getattr(m, f) for f in fields} for m in messages],
            user_id=user_id,
        )
        answer = await self.call(
            "POST",
            at("history", "sessions", session_id, "messages"),
            body,
            headers={"Prefer": "return=representation"},
        )
        return [Message(**dated(row)) for row in answer.json()]

    async def get(self, *, session_id: str, **arguments: Any) -> Page[Message]:
        path = at("history", "sessions", session_id, "messages")
        answer = await self.call("GET", path, params=query(**arguments))
        return Page((Message(**dated(m)) for m in answer.json()), cursor_of(answer))

    async def get_all(self, **arguments: Any) -> Page[str]:
        path = at("history", "sessions")
        answer = await self.call("GET", path, params=query(**arguments))
        return Page(answer.json()["sessions"], cursor_of(answer))

    async def search(
        self, *, session_id: str | None = None, **arguments: Any
    ) -> list[Message]:
        body = given(**arguments)
        if session_id is None:
            path = at("history", "search")
        else:
            path = at("history", "sessions", session_id, "search")
        answer = await self.call("POST", path, body)
        return [Message(**dated(row)) for row in answer.json()]

    async def delete(self, *, session_id: str) -> None:
        await self.call("DELETE", at("history", "sessions", session_id))


class RemoteGraph(RemoteStore):
    async def add(
        self, *, triples: list[Triple], user_id: str | None = None
    ) -> list[Triple]:
        fields = ("subject", "predicate", "object", "metadata")
        body = given(
            triples=[{f: getattr(t, f) for f in fields} for t in triples],
            user_id=user_id,
        )
        answer = await self.call(
            "POST",
            at("graph", "triples"),
            body,
            headers={"Prefer": "return=representation"},
        )
        return [Triple(**row) for row in answer.json()]

    async def get(self, *, entity: str, **arguments: Any) -> GraphResult:
        path = at("graph", "entities", entity)
        return self._result(await self.call("GET", path, params=query(**arguments)))

    async def get_all(self, **arguments: Any) -> GraphResult:
        path = at("graph", "triples")
        return self._result(await self.call("GET", path, params=query(**arguments)))

    async def search(self, **arguments: Any) -> GraphResult:
        return self._result(
            await self.call("POST", at("graph", "search"), given(**arguments))
        )

    async def delete(
        self,
        *,
        entity: str | None = None,
        triple_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        if entity is not None:
            path = at("graph", "entities", entity)
        else:
            path = at("graph", "triples", str(triple_id))
        await self.call("DELETE", path, params=query(user_id=user_id))

    def _result(self, answer: httpx.Response) -> GraphResult:
        body = answer.json()
        return GraphResult(
            [Triple(**row) for row in body["triples"]],
            body["nodes"],
            body["scores"],
            cursor_of(answer),
        )
