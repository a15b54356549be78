"""Adds documents to a Chroma directory: chroma_load.py DIRECTORY COLLECTION < lines.

A line is JSON: [id, text, metadata]. Prints the collection's id.
"""

from __future__ import annotations

import json
import sys

import chromadb
from static_vectors import StaticVectors

BATCH = 1000


def main() -> None:
    directory, name = sys.argv[1:]
    embed = StaticVectors()
    client = chromadb.PersistentClient(
        directory, settings=chromadb.Settings(anonymized_telemetry=False)
    )
    collection = client.get_or_create_collection(name, embedding_function=embed)
    rows = [json.loads(line) for line in sys.stdin]
    for start in range(0, len(rows), BATCH):
        ids, texts, metadatas = map(
            list, zip(*rows[start : start + BATCH], strict=True)
        )
        collection.add(
            ids=ids, documents=texts, metadatas=metadatas, embeddings=embed(texts)
        )
    print(collection.id)


if __name__ == "__main__":
    main()
