"""Fact and document stores on any engine that keeps vectors under keys.

An engine says how it stores, deletes, lists and compares (``Collection``); what the
stores mean by it is the same for all and stands here.
"""

from memio.vectorstore.collection import Collection, Where
from memio.vectorstore.documents import VectorDocumentStore
from memio.vectorstore.facts import VectorFactStore
from memio.vectorstore.record import Record
from memio.vectorstore.store import VectorStore

__all__ = [
    "Collection",
    "Record",
    "VectorDocumentStore",
    "VectorFactStore",
    "VectorStore",
    "Where",
]
