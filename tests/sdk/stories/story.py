"""A story told through the generated Python client: story.py <address> <key>."""

import sys

from memio_client import AuthenticatedClient
from memio_client.api.documents import (
    create_document,
    list_documents,
    search_documents,
    update_document,
)
from memio_client.api.facts import (
    create_fact,
    delete_fact,
    delete_facts,
    get_fact,
    list_facts,
    search_facts,
    update_fact,
)
from memio_client.api.graph import add_triples, delete_triple, get_entity, search_graph
from memio_client.api.history import add_messages, list_messages, search_session
from memio_client.api.meta import get_health, get_readiness
from memio_client.models import (
    Document,
    DocumentCreate,
    DocumentSearch,
    DocumentUpdate,
    ErrorCode,
    ErrorResponse,
    Fact,
    FactCreate,
    FactSearch,
    FactUpdate,
    Filters,
    GraphResult,
    GraphSearch,
    Health,
    HistorySearch,
    MessageCreate,
    MessagesAdd,
    Metadata,
    Mode,
    Readiness,
    TripleCreate,
    TriplesAdd,
    WouldDelete,
)


def facts(client: AuthenticatedClient) -> None:
    body = FactCreate("prefers dark mode", user_id="alice")
    body.metadata = Metadata.from_dict({"source": "settings", "n": [1, None]})
    fact = create_fact.sync(client=client, body=body)
    assert isinstance(fact, Fact)
    assert isinstance(fact.metadata, Metadata)
    assert fact.metadata["n"] == [1, None]
    assert fact.user_id == "alice"
    assert fact.agent_id is None
    assert fact.created_at
    assert fact.created_at.tzinfo
    assert get_fact.sync(fact.id, client=client) == fact

    filters = Filters.from_dict({"source": {"$in": ["settings"]}, "$not": {"n": 1}})
    query = FactSearch("dark", user_id="alice", filters=filters, mode=Mode.KEYWORD)
    found = search_facts.sync(client=client, body=query)
    assert isinstance(found, list)
    assert found[0].id == fact.id
    assert found[0].score
    assert 0 < found[0].score <= 1

    update = FactUpdate("prefers light mode")
    changed = update_fact.sync(fact.id, client=client, body=update)
    assert isinstance(changed, Fact)
    assert changed.metadata == fact.metadata
    update = FactUpdate("prefers light mode", metadata=None)
    cleared = update_fact.sync(fact.id, client=client, body=update)
    assert isinstance(cleared, Fact)
    assert cleared.metadata is None

    listed = list_facts.sync(client=client, user_id="alice", limit=10)
    assert listed == [cleared]
    counted = delete_facts.sync(client=client, user_id="alice", dry_run=True)
    assert counted == WouldDelete(1)
    assert delete_facts.sync_detailed(client=client, user_id="b").status_code == 204
    assert delete_fact.sync_detailed(fact.id, client=client).status_code == 204


def history(client: AuthenticatedClient) -> None:
    said = MessageCreate("user", "which tram goes to the castle?", name="Alice")
    body = MessagesAdd([said], user_id="alice")
    stored = add_messages.sync(
        "trip/1", client=client, body=body, prefer="return=representation"
    )
    assert isinstance(stored, list)
    answer = MessagesAdd([MessageCreate("assistant", "take the 28")])
    silent = add_messages.sync_detailed("trip/1", client=client, body=answer)
    assert silent.status_code == 204
    messages = list_messages.sync("trip/1", client=client)
    assert isinstance(messages, list)
    assert [message.role for message in messages] == ["user", "assistant"]
    assert messages[0] == stored[0]
    query = HistorySearch("castle", limit=1)
    hits = search_session.sync("trip/1", client=client, body=query)
    assert isinstance(hits, list)
    assert hits[0].name == "Alice"


def documents(client: AuthenticatedClient) -> None:
    body = DocumentCreate("Items can be returned.", doc_id="returns")
    body.metadata = Metadata.from_dict({"year": 2026})
    document = create_document.sync(client=client, body=body)
    assert isinstance(document, Document)
    assert document.id == "returns"
    change = DocumentUpdate("All items can be returned.")
    made = update_document.sync_detailed(
        "returns 2", client=client, body=change, upsert=True
    )
    assert made.status_code == 201
    recent = list_documents.sync(client=client, filters='{"year": {"$gte": 2026}}')
    assert recent == [document]
    query = DocumentSearch("return", filters=Filters.from_dict({"year": 2026}))
    found = search_documents.sync(client=client, body=query)
    assert isinstance(found, list)
    assert [hit.id for hit in found] == ["returns"]


def graph(client: AuthenticatedClient) -> None:
    body = TriplesAdd([TripleCreate("Alice", "works at", "Acme/Ltd")])
    stored = add_triples.sync(client=client, body=body, prefer="return=representation")
    assert isinstance(stored, list)
    entity = get_entity.sync("Acme/Ltd", client=client)
    assert isinstance(entity, GraphResult)
    assert entity.nodes == ["Alice", "Acme/Ltd"]
    found = search_graph.sync(client=client, body=GraphSearch("who works at Acme?"))
    assert isinstance(found, GraphResult)
    assert len(found.scores) == len(found.triples) == 1
    triple_id = stored[0].id
    assert triple_id
    assert delete_triple.sync_detailed(triple_id, client=client).status_code == 204


def errors(client: AuthenticatedClient, address: str) -> None:
    missing = get_fact.sync("nowhere", client=client)
    assert isinstance(missing, ErrorResponse)
    assert missing.error is ErrorCode.NOT_FOUND
    assert "nowhere" in missing.detail
    assert missing.provider is None
    taken = create_document.sync(
        client=client, body=DocumentCreate("again", doc_id="returns")
    )
    assert isinstance(taken, ErrorResponse)
    assert taken.error is ErrorCode.CONFLICT
    wrong = create_fact.sync(client=client, body=FactCreate(""))
    assert isinstance(wrong, ErrorResponse)
    assert wrong.error is ErrorCode.VALIDATION_ERROR
    with AuthenticatedClient(address, token="wrong") as stranger:
        refused = list_facts.sync_detailed(client=stranger)
    assert refused.status_code == 401
    assert isinstance(refused.parsed, ErrorResponse)
    assert refused.parsed.error is ErrorCode.UNAUTHORIZED


def server(client: AuthenticatedClient) -> None:
    health = get_health.sync(client=client)
    assert isinstance(health, Health)
    assert health.stores.graph
    assert isinstance(get_readiness.sync(client=client), Readiness)


def main(address: str, key: str) -> None:
    with AuthenticatedClient(address, token=key) as client:
        server(client)
        facts(client)
        history(client)
        documents(client)
        graph(client)
        errors(client, address)
    print("told")


main(*sys.argv[1:])
