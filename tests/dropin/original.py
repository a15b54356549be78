"""memio 0.3.1's own server over stores in memory; its own environment runs this.

Where the original leaves the meaning to a provider, these stores do what its adapters
do: mem0's with facts, Zep's with history and graph, Chroma's with documents.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import uvicorn

from memio import Memio
from memio.exceptions import NotFoundError, ProviderError
from memio.models import Document, Fact, GraphResult, Message
from memio.server import app as server
from memio.server.config import load_config


def now():
    return datetime.now(UTC)


def fits(row, **scope):
    return all(value in {None, getattr(row, key)} for key, value in scope.items())


def ranked(rows, query, limit):
    """Rank rows by the words they share with a query."""
    words = query.lower().split()
    return sorted(rows, key=lambda row: -sum(w in str(row).lower() for w in words))[
        :limit
    ]


class Rows:
    """Rows under ids, the newest first."""

    def __init__(self):
        self.rows = {}

    def put(self, row):
        self.rows[row.id] = row
        return row

    def take(self, limit, filters, **scope):
        rows = [row for row in reversed(self.rows.values()) if fits(row, **scope)]
        wanted = (filters or {}).items()
        return [r for r in rows if wanted <= (r.metadata or {}).items()][:limit]

    def changed(self, row_id, content, metadata):
        row = self.rows[row_id]
        kept = row.metadata if metadata is None else metadata
        return self.put(replace(row, content=content, metadata=kept, updated_at=now()))

    def scored(self, rows, query, limit):
        return [replace(row, score=0.5) for row in ranked(rows, query, limit)]


class Facts(Rows):
    async def add(self, *, content, user_id=None, agent_id=None, metadata=None):
        times = {"created_at": now(), "updated_at": now()}
        fact_id = str(uuid4())
        return self.put(Fact(fact_id, content, user_id, agent_id, metadata, **times))

    async def get(self, *, fact_id):
        if fact_id not in self.rows:
            raise NotFoundError("fact", fact_id)
        return self.rows[fact_id]

    async def get_all(self, *, user_id=None, agent_id=None, limit=100):
        return self.take(limit, None, user_id=user_id, agent_id=agent_id)

    async def search(
        self, *, query, user_id=None, agent_id=None, limit=10, filters=None
    ):
        rows = self.take(None, filters, user_id=user_id, agent_id=agent_id)
        return self.scored(rows, query, limit)

    async def update(self, *, fact_id, content, metadata=None):
        if fact_id not in self.rows:
            raise ProviderError("mem0", "update", ValueError("not found"))
        return self.changed(fact_id, content, metadata)

    async def delete(self, *, fact_id):
        if fact_id not in self.rows:
            raise ProviderError("mem0", "delete", ValueError("not found"))
        del self.rows[fact_id]

    async def delete_all(self, *, user_id=None, agent_id=None):
        for row in self.take(None, None, user_id=user_id, agent_id=agent_id):
            del self.rows[row.id]


class Documents(Rows):
    async def add(self, *, content, doc_id=None, metadata=None):
        times = {"created_at": now(), "updated_at": now()}
        return self.put(Document(doc_id or str(uuid4()), content, metadata, **times))

    async def get(self, *, doc_id):
        if doc_id not in self.rows:
            raise NotFoundError("document", doc_id)
        return self.rows[doc_id]

    async def get_all(self, *, limit=100, filters=None):
        return self.take(limit, filters)

    async def search(self, *, query, limit=10, filters=None):
        return self.scored(self.take(None, filters), query, limit)

    async def update(self, *, doc_id, content, metadata=None):
        if doc_id not in self.rows:
            return Document(doc_id, content, metadata, updated_at=now())
        return self.changed(doc_id, content, metadata)

    async def delete(self, *, doc_id):
        self.rows.pop(doc_id, None)

    async def delete_all(self):
        self.rows.clear()


class History:
    def __init__(self):
        self.sessions = {}

    async def add(self, *, session_id, messages, user_id=None):
        _, said = self.sessions.setdefault(session_id, (user_id, []))
        said += [replace(m, timestamp=m.timestamp or now()) for m in messages]

    async def get(self, *, session_id, limit=50, cursor=None):  # noqa: ARG002
        return self.said(session_id)[-limit:]

    async def get_all(self, *, user_id=None, limit=100):
        return [s for s in reversed(self.sessions) if self.is_of(s, user_id)][:limit]

    async def search(self, *, session_id, query, limit=10):
        return ranked(self.said(session_id), query, limit)

    async def delete(self, *, session_id):
        if self.sessions.pop(session_id, None) is None:
            raise ProviderError("zep", "delete", LookupError("404"))

    async def delete_all(self, *, user_id=None):
        for session_id in await self.get_all(user_id=user_id, limit=None):
            del self.sessions[session_id]

    def is_of(self, session_id, user_id):
        return user_id in {None, self.sessions[session_id][0]}

    def said(self, session_id) -> list[Message]:
        return self.sessions.get(session_id, (None, []))[1]


class Graph:
    def __init__(self):
        self.triples = {}

    async def add(self, *, triples, user_id=None):
        for triple in triples:
            self.triples[str(len(self.triples) + 1)] = (user_id, triple)

    async def get(self, *, entity, user_id=None):
        triples = self.of(user_id)
        return self.result(t for t in triples if entity in {t.subject, t.object})

    async def get_all(self, *, user_id=None, limit=100):
        return self.result(self.of(user_id)[:limit])

    async def search(self, *, query, user_id=None, limit=10):
        found = self.result(ranked(self.of(user_id), query, limit))
        return replace(found, scores=[0.5] * len(found.triples))

    async def delete(self, *, entity=None, triple_id=None):
        ends = {i: {t.subject, t.object} for i, (_, t) in self.triples.items()}
        for each, names in ends.items():
            if entity in names or triple_id == each:
                del self.triples[each]

    async def delete_all(self, *, user_id=None):
        kept = {} if user_id is None else self.triples
        self.triples = {i: pair for i, pair in kept.items() if pair[0] != user_id}

    def of(self, user_id):
        pairs = reversed(self.triples.values())
        return [triple for owner, triple in pairs if user_id in {None, owner}]

    def result(self, triples):
        triples = list(triples)
        ends = [end for triple in triples for end in (triple.subject, triple.object)]
        return GraphResult(triples, list(dict.fromkeys(ends)))


STORES = {"facts": Facts, "history": History, "documents": Documents, "graph": Graph}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    names = os.environ.get("STORES", ",".join(STORES)).split(",")
    memio = Memio(**{name: STORES[name]() for name in names})
    server.build_memio_from_config = lambda _: memio
    uvicorn.run(server.create_app(load_config()), port=parser.parse_args().port)
