"""What each provider can do, as the conformance kit's runs on it say."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from memio.registry import PROVIDERS
from memio.testing import (
    DocumentStoreSuite,
    FactStoreSuite,
    GraphStoreSuite,
    HistoryStoreSuite,
)
from memio.testing.base import Suite

SUITES: dict[str, type[Suite]] = {
    "facts": FactStoreSuite,
    "history": HistoryStoreSuite,
    "documents": DocumentStoreSuite,
    "graph": GraphStoreSuite,
}

WITNESSES = {
    "createFact": ("facts", "test_stores_and_lists"),
    "listFacts": ("facts", "test_lists_newest_first"),
    "deleteFacts": ("facts", "test_delete_all"),
    "searchFacts": ("facts", "test_hybrid_search"),
    "getFact": ("facts", "test_get_returns_what_was_added"),
    "updateFact": ("facts", "test_update_replaces_the_text"),
    "deleteFact": ("facts", "test_deleted_rows_are_gone"),
    "listSessions": ("history", "test_sessions_are_listed_newest_first"),
    "deleteSessions": ("history", "test_delete_all_sessions"),
    "deleteSession": ("history", "test_a_deleted_session_is_gone"),
    "addMessages": ("history", "test_stores_and_lists"),
    "listMessages": ("history", "test_the_last_messages_oldest_first"),
    "searchSession": ("history", "test_search_keeps_to_its_scope"),
    "searchHistory": ("history", "test_hybrid_search"),
    "createDocument": ("documents", "test_stores_and_lists"),
    "listDocuments": ("documents", "test_lists_newest_first"),
    "deleteDocuments": ("documents", "test_delete_all"),
    "searchDocuments": ("documents", "test_hybrid_search"),
    "getDocument": ("documents", "test_get_returns_what_was_added"),
    "updateDocument": ("documents", "test_update_replaces_the_text"),
    "deleteDocument": ("documents", "test_deleted_rows_are_gone"),
    "addTriples": ("graph", "test_stores_and_lists"),
    "listTriples": ("graph", "test_lists_newest_first"),
    "deleteTriple": ("graph", "test_deleted_rows_are_gone"),
    "getEntity": ("graph", "test_get_finds_both_ends"),
    "deleteEntity": ("graph", "test_delete_by_entity"),
    "searchGraph": ("graph", "test_hybrid_search"),
    "deleteGraph": ("graph", "test_delete_all"),
}
"""The store of each operation, and the test that fails where it is not supported."""


def suites_of(provider: str, store: str) -> list[type[Suite]]:
    """Return the runs of the kit on a provider's store."""
    module = import_module(f"tests.conformance.test_{provider}")
    return [
        member
        for name, member in vars(module).items()
        if name.startswith("Test") and issubclass(member, SUITES[store])
    ]


def support(provider: str, operation: str) -> str:
    """Return a cell of the table: "yes", "501", or "" where the store is not served."""
    store, witness = WITNESSES[operation]
    if store not in PROVIDERS[provider].stores:
        return ""
    suites = suites_of(provider, store)
    assert suites, f"the kit does not run on {store} on {provider}"
    assert all(hasattr(suite, witness) for suite in suites)
    return "501" if any(witness in s.unsupported for s in suites) else "yes"


def limits() -> Iterator[tuple[str, str, str]]:
    """Return what is unsupported: provider, store and reason."""
    for provider, entry in PROVIDERS.items():
        for store in entry.stores:
            for suite in suites_of(provider, store):
                for reason in suite.unsupported.values():
                    yield provider, store, reason
