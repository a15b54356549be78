"""All four stores in PostgreSQL with pgvector: many servers, one memory."""

from memio.providers.postgres.database import PostgresDatabase
from memio.providers.postgres.documents import PostgresDocumentAdapter
from memio.providers.postgres.facts import PostgresFactAdapter
from memio.providers.postgres.graph import PostgresGraphAdapter
from memio.providers.postgres.history import PostgresHistoryAdapter
from memio.providers.postgres.store import PostgresSettings

__all__ = [
    "PostgresDatabase",
    "PostgresDocumentAdapter",
    "PostgresFactAdapter",
    "PostgresGraphAdapter",
    "PostgresHistoryAdapter",
    "PostgresSettings",
]
